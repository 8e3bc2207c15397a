"""From questions to the table of quantiles: complete answers, every horizon, and the benchmark.

*Tables*: `Quantiles`, one row a scheduled question, horizon and model; quantiles as answered, in any order.
*Units*: bp of log return from `last`; prices `last * exp(q / 1e4)`, exact because quantiles commute with a monotone
map.
*Errors*: `DataContractError` when questions and schedule differ, the past is too short for the benchmark, or an answer
is missing, has the wrong shape or is not finite.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from stages.errors import DataContractError
from stages.forecasting.backend import MOST_BP, Answer, Asked, Backend
from stages.forecasting.local.persistence import FEWEST_MOVES, too_few_moves
from stages.forecasting.local_backend import local_backend
from stages.params.forecaster import LOCAL, ForecasterParams
from stages.params.requests import RequestsParams
from stages.questions.market import Market
from stages.questions.question import Question
from stages.tables.forecasts import BENCHMARK, LEVELS, QUANTILES

SCHEDULED = ["symbol", "snapshot_utc", "history_days", "session", "snapshot_et", "last", "sigma_5m", "key"]
QUESTION = ("symbol", "snapshot_utc", "history_days")


def require_scheduled(questions: Sequence[Question], schedule: pl.DataFrame) -> None:
    """Refuse questions other than those of the schedule."""
    asked_for, scheduled = {question.key for question in questions}, set(schedule["key"].drop_nulls())
    if asked_for != scheduled:
        raise DataContractError(
            f"{len(scheduled - asked_for)} scheduled question(s) have no request file and {len(asked_for - scheduled)} "
            "request file(s) are not scheduled: `dvc repro build_requests` writes both again."
        )


def require_past_moves(
    schedule: pl.DataFrame,
    usable: Mapping[str, Sequence[date]],
    calendar: pl.DataFrame,
    horizon_min: int,
    sessions: int,
) -> None:
    """Refuse, before an answer is bought, a question whose last complete `sessions` hold too few moves for persistence.

    Every answer needs that benchmark. *Tables*: `Schedule`, `Calendar`; usable sessions by symbol, in order.
    """
    n_bars = dict(calendar.select("session", "n_bars").iter_rows())
    for (symbol,), rows in schedule.filter(status="ok").partition_by("symbol", as_dict=True).items():
        days = np.array(usable[str(symbol)], "datetime64[D]")
        lengths = np.array([n_bars[day] for day in usable[str(symbol)]], np.int64)
        bars, moves = (np.append(0, np.cumsum(each)) for each in (lengths, np.maximum(lengths - horizon_min, 0)))
        first, stop = (np.searchsorted(days, rows[name].to_numpy()) for name in ("history_first", "session"))
        past_rows = (rows["rows_sent"] - rows["m0"] - 1).to_numpy()
        begins_late = past_rows < bars[stop] - bars[first]  # the first session sent is incomplete
        first = np.maximum(first + begins_late, stop - sessions)
        held = moves[stop] - moves[np.minimum(first, stop)]
        too_few = held < FEWEST_MOVES
        if too_few.any():
            at = int(np.argmax(too_few))
            raise too_few_moves(str(symbol), rows["snapshot_utc"][at], int(held[at]), horizon_min)


def ask_all(questions: Sequence[Question], market: Market, backend: Backend) -> dict[str, Answer]:
    """One complete answer per question, by key, in the order of the questions."""
    found = backend.answer([Asked(question, partial(market.window, question)) for question in questions])
    for question in questions:
        require_whole(question, found.get(question.key))
    return {question.key: found[question.key] for question in questions}


def ask_backends(
    questions: Sequence[Question], market: Market, backends: Mapping[str, Backend]
) -> dict[str, dict[str, Answer]]:
    """Each local backend's answers to the same questions, by key; a question's rows are cut once for all backends."""
    found: dict[str, dict[str, Answer]] = {name: {} for name in backends}
    for question in questions:
        asked = [Asked(question, cache(partial(market.window, question)))]
        for name, backend in backends.items():
            found[name] |= backend.answer(asked)
            require_whole(question, found[name].get(question.key))
    return found


def benchmark_backend(forecaster: ForecasterParams, requests: RequestsParams) -> Backend | None:
    """The benchmark, persistence, unless it is the forecaster itself."""
    return None if forecaster.name == BENCHMARK else local_backend(BENCHMARK, forecaster, requests.horizons_min)


def quantile_table(
    schedule: pl.DataFrame,
    answers: Mapping[str, Answer],
    benchmark: Mapping[str, Answer],
    requests: RequestsParams,
    forecaster: ForecasterParams,
) -> pl.DataFrame:
    """Every scheduled question's quantiles at every horizon of `requests.horizons_min`, from one answer each."""
    asked = schedule.filter(pl.col("status") == "ok")
    quantiles = answered(asked, answers, requests).with_columns(model=pl.lit(forecaster.model))
    if not benchmark:
        return quantiles
    unasked = {"model": pl.lit(BENCHMARK), "key": pl.lit(None, pl.String)}
    return pl.concat([quantiles, answered(asked, benchmark, requests).with_columns(**unasked)])


def answered(asked: pl.DataFrame, answers: Mapping[str, Answer], requests: RequestsParams) -> pl.DataFrame:
    """The quantiles of one model at every horizon of `requests.horizons_min`, without column `model`."""
    steps = _steps(answers, asked["key"], requests.horizons_min)
    prices = [(pl.col("last") * (pl.col(name) / 1e4).exp()).alias(f"{name}_px") for name in QUANTILES]
    crossed = pl.any_horizontal(pl.col(lower) > pl.col(upper) for lower, upper in pairwise(QUANTILES))
    return asked.select(SCHEDULED).join(steps, on="key", how="left").with_columns(*prices, crossed=crossed)


def answers_summary(answers: Mapping[str, Answer], quantiles: pl.DataFrame) -> dict[str, Any]:
    """How many questions of some symbols were answered, by source; nothing about their purchase."""
    asked = quantiles.filter(pl.col("key").is_not_null())
    return {
        "schema_version": 1,
        "questions": asked.select(QUESTION).n_unique(),
        "distinct_keys": len(answers),
        "by_source": dict(Counter(answer.source for answer in answers.values())),
        "crossed_rows": int(asked["crossed"].sum()),
    }


def total_summary(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of all symbols. A question names its symbol, so no key is in two parts."""
    by_source: Counter[str] = Counter()
    for part in parts:
        by_source.update(part["by_source"])
    counts = {name: sum(part[name] for part in parts) for name in ("questions", "distinct_keys", "crossed_rows")}
    return {"schema_version": 1, "by_source": dict(sorted(by_source.items())), **counts}


def _steps(answers: Mapping[str, Answer], keys: pl.Series, horizons_min: tuple[int, ...]) -> pl.DataFrame:
    """Quantiles by key and horizon."""
    given = [answers[key] for key in keys.unique(maintain_order=True)]
    values = np.stack([answer.at(horizons_min).T for answer in given])
    repeated = {
        "key": [answer.key for answer in given for _ in horizons_min],
        "source": [answer.source for answer in given for _ in horizons_min],
        "horizon_min": list(horizons_min) * len(given),
    }
    quantiles = values.reshape(-1, len(LEVELS))
    return pl.DataFrame(repeated | {name: quantiles[:, column] for column, name in enumerate(QUANTILES)})


def require_whole(question: Question, answer: Answer | None) -> None:
    """Refuse an answer that is missing, misshapen or not finite."""
    if answer is None:
        raise DataContractError(f"{_where(question)} has no answer: run `dvc repro forecast` again.")
    shape = (len(question.levels), question.horizon_min if answer.ahead is None else len(answer.ahead))
    if answer.values_bp.shape != shape:
        raise DataContractError(
            f"{_where(question)}: the answer of {answer.source} has shape {answer.values_bp.shape}, not {shape}."
        )
    most = np.abs(answer.values_bp).max()
    if most <= MOST_BP:  # NaN is not
        return
    remedy = f"`make drop KEY={question.key}` throws the stored answer away, so that it is bought again"
    if answer.source.startswith(f"{LOCAL}:"):  # nothing is stored
        remedy = "change its windows in section forecaster, or leave it out (forecaster, worth.candidates)"
    where = _where(question)
    if not np.isfinite(most):
        raise DataContractError(f"{where}: the answer of {answer.source} holds values that are not finite: {remedy}.")
    raise DataContractError(
        f"{where}: the answer of {answer.source} says {most:.6g} bp, and no price moves by more than {MOST_BP:g}: "
        f"{remedy}."
    )


def _where(question: Question) -> str:
    return f"question {question.key} ({question.symbol} at {question.snapshot_utc:%Y-%m-%dT%H:%MZ})"
