"""The schedule: which questions are asked, and why the others are not.

*Tables*: `Schedule`, one row a symbol, snapshot and history length; `status` is `ok` or the first reason that applies.
Questions are distinct by key, sorted by symbol, snapshot and key.
*Time*: a row uses the calendar, bars known at its snapshot, and verdicts on sessions that were over by then.
*Errors*: `ConfigurationError` when no question can be asked, or an exogenous column is unknown.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from stages.errors import ConfigurationError
from stages.features.catalogue import FEATURES, feature, is_feature
from stages.params.model_spec import ModelSpec
from stages.params.quality import QualityParams
from stages.params.requests import RequestsParams
from stages.quality.asof import sound_so_far
from stages.quality.halts import NO_HALTS
from stages.questions.market import Market, carried, first_row
from stages.questions.question import ARTIFICIAL, FREQ, Question
from stages.questions.timetable import timetable
from stages.questions.window import Cut, exogenous_digest
from stages.tables.contract import packed
from stages.tables.forecasts import Schedule
from stages.tables.market import NEW_YORK

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plan_questions(
    market: Market, symbols: tuple[str, ...], requests: RequestsParams, model_spec: ModelSpec, quality: QualityParams
) -> tuple[pl.DataFrame, list[Question]]:
    """The schedule and its distinct questions."""
    require_exogenous(requests)
    parts = [plan_symbol(market, symbol, requests, model_spec, quality) for symbol in symbols]
    schedule = pl.concat(part for part, _ in parts)
    require_questions(schedule)
    return schedule, sorted((one for _, part in parts for one in part), key=lambda one: one.symbol)


def plan_symbol(
    market: Market, symbol: str, requests: RequestsParams, model_spec: ModelSpec, quality: QualityParams
) -> tuple[pl.DataFrame, list[Question]]:
    """Schedule and questions of one symbol. Of the market, only its own tables are used."""
    snapshots = timetable(market.calendar, requests).rows(named=True)
    planner = Planner(market, requests, model_spec)
    planned = list(planner.plan(symbol, snapshots, verdicts_so_far(market, symbol, quality)))
    questions = {one.key: one for _, one in planned if one is not None}.values()
    return schedule_of([row for row, _ in planned]), sorted(questions, key=lambda one: (one.snapshot_utc, one.key))


def schedule_of(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a plan as a frame."""
    return pl.DataFrame(rows, schema={name: column.dtype for name, column in Schedule.columns().items()})


def verdicts_so_far(market: Market, symbol: str, quality: QualityParams, rows: int | None = None) -> pl.Series:
    """The data gate's status of the symbol's session so far at each minute: `ok`, or the reason against it.

    With `rows`, only at so many minutes from the first on.
    """
    so_far = sound_so_far(market.bars[symbol][:rows], quality.of(symbol), market.halts.get(symbol, NO_HALTS))
    verdict = pl.when("sound").then(pl.lit("ok")).otherwise(pl.lit("not_sound_") + pl.col("reason"))
    return so_far.select(verdict).to_series()


@dataclass(frozen=True, eq=False)
class PerSymbol:
    """Plans one symbol, with only its tables in memory."""

    requests: RequestsParams
    model_spec: ModelSpec
    quality: QualityParams
    calendar: pl.DataFrame

    def __call__(
        self,
        symbol: str,
        bars: pl.DataFrame,
        features: pl.DataFrame,
        usable: tuple[date, ...],
        halts: pl.DataFrame = NO_HALTS,
    ) -> tuple[bytes, bytes]:
        """The symbol's part of the schedule, packed, and its distinct questions as compressed canonical lines."""
        market = Market({symbol: bars}, {symbol: features}, {symbol: usable}, self.calendar, {symbol: halts})
        schedule, questions = plan_symbol(market, symbol, self.requests, self.model_spec, self.quality)
        return packed(schedule), zlib.compress(b"".join(one.canonical() for one in questions))


def lines_of(compressed: bytes) -> list[bytes]:
    """The canonical lines that `PerSymbol` compressed."""
    return zlib.decompress(compressed).splitlines(keepends=True)


def asked_further(
    market: Market, rows: pl.DataFrame, requests: RequestsParams, model_spec: ModelSpec
) -> Iterator[Question]:
    """The questions of these `Schedule` rows with every longer horizon that ends by the close."""
    for row in rows.iter_rows(named=True):
        first, stop = market.series(row["symbol"]).blocks[row["session"]]
        for horizon in range(requests.question_horizon_min + 1, stop - first - row["m0"]):
            further = requests.model_copy(update={"asked_horizon_min": horizon})
            outcome = Planner(market, further, model_spec).ask(row, row["history_days"])
            if isinstance(outcome, Question):
                yield outcome


def require_questions(schedule: pl.DataFrame) -> None:
    """Refuse a schedule without any question; only its `status` and `key` are read."""
    if schedule["key"].null_count() == schedule.height:
        counts = dict(schedule["status"].value_counts(sort=True).sort("status").rows())
        remedy = "Shorten requests.history_days, widen universe.first_session to universe.last_session"
        if "too_few_rows" in counts:
            remedy = (
                "Lengthen requests.history_days, or lower forecaster.min_rows (without exogenous columns, no more rows "
                "than 3 * forecaster.input_size + forecaster.model_horizon are sent)"
            )
        raise ConfigurationError(
            f"no question can be asked; snapshots skipped: {counts}. {remedy}, or see docs/FORECASTING.md for the "
            "other reasons."
        )


@dataclass(frozen=True)
class Planner:
    """Plans the questions to one model at the snapshots of a timetable."""

    market: Market
    requests: RequestsParams
    model_spec: ModelSpec

    def plan(
        self, symbol: str, snapshots: Sequence[dict[str, Any]], verdicts: pl.Series
    ) -> Iterator[tuple[dict[str, Any], Question | None]]:
        """Rows of the schedule, each with its question if one is asked; `verdicts` of the gate for every grid row."""
        series = self.market.series(symbol)
        for snapshot in snapshots:
            row = {
                "symbol": symbol,
                **{name: snapshot[name] for name in ("snapshot_utc", "session", "snapshot_et", "status")},
            }
            if snapshot["status"] == "ok":
                at = series.blocks[snapshot["session"]][0] + snapshot["m0"]
                last, sigma_5m = _known(series.close[at]), _known(series.feature("sigma_5m")[at])
                status = "no_price" if last is None and verdicts[at] == "ok" else verdicts[at]
                row |= {"m0": snapshot["m0"], "status": status, "last": last, "sigma_5m": sigma_5m}
            for days in self.requests.history_days:
                outcome = self.ask(row, days) if row["status"] == "ok" else row["status"]
                if isinstance(outcome, Question):
                    sent = {"history_first": outcome.start_utc.date(), "rows_sent": outcome.rows, "key": outcome.key}
                    yield row | {"history_days": days} | sent, outcome
                else:
                    yield row | {"history_days": days, "status": outcome}, None

    def ask(self, row: dict[str, Any], days: int) -> Question | str:
        """The question of one row, or the reason why it is not asked."""
        symbol, session, horizon = row["symbol"], row["session"], self.requests.question_horizon_min
        history = self.market.history(symbol, session, days, self.requests.max_lookback_ratio)
        if history is None:
            return "insufficient_history"
        names = (tuple(sorted(self.requests.hist_exog)), tuple(sorted(self.requests.futr_exog)))
        limit = self.model_spec.row_limit(horizon, exogenous=any(names))
        cut = self.market.cut(symbol, history, session, row["m0"]).latest(limit)
        outcome = self._with_exogenous(symbol, cut, names)
        if isinstance(outcome, str):
            return outcome
        cut, features_sha256 = outcome
        if cut.rows < self.model_spec.min_rows:
            return "too_few_rows"
        series = self.market.series(symbol)
        return Question(
            symbol=symbol,
            snapshot_utc=row["snapshot_utc"],
            model=self.model_spec.model,
            model_epoch=self.model_spec.model_epoch,
            deployment=self.model_spec.deployment,
            options=self.model_spec.options,
            target=self.requests.target,
            freq=FREQ,
            horizon_min=horizon,
            levels=self.requests.levels,
            start_utc=_utc(series.ts_us[cut.blocks[0][0]]),
            end_utc=_utc(series.ts_us[cut.today[1] - 1]),
            rows=cut.rows,
            y_sha256=series.digest(cut),
            hist_exog=names[0],
            futr_exog=names[1],
            features_sha256=features_sha256,
            clock=self.requests.clock if self.model_spec.remote else ARTIFICIAL,
        )

    def _with_exogenous(
        self, symbol: str, cut: Cut, names: tuple[tuple[str, ...], tuple[str, ...]]
    ) -> tuple[Cut, str | None] | str:
        """The rows to send under `requests.exog_policy` and the digest of their columns, or the status against them."""
        every, ahead = names[0] + names[1], names[1]
        if not every:
            return cut, None
        past = self.market.past(symbol, cut, every)
        policies = np.array([self.requests.exog_policy.get(name, feature(name).exog_policy) for name in every])
        begin = first_row(np.isnan(past), policies == "shrink", policies == "carry")
        begin = min(begin, cut.rows - 1)  # the last known bar is always sent
        cut, past = cut.latest(cut.rows - begin), past[begin:]
        sent = np.where(policies == "void", past, carried(past))
        future = self.market.ahead(symbol, cut, ahead, self.requests.question_horizon_min)
        ts_us, end = self.market.series(symbol).ts_us, cut.today[1]
        for columns, stamps, values in ((every, ts_us[cut.index], sent), (ahead, ts_us[end:], future)):
            if np.isnan(values).any():
                row, column = np.argwhere(np.isnan(values))[0]
                at = _utc(stamps[row]).astimezone(ZoneInfo(NEW_YORK))
                return f"null_exog_{columns[column]}@{at:%H:%M}"
        return cut, exogenous_digest(sent, future)


def _utc(us: np.int64) -> datetime:
    return UNIX_EPOCH + timedelta(microseconds=int(us))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def require_exogenous(requests: RequestsParams) -> None:
    """Refuse exogenous columns that are not in the catalogue, named twice, or unknown for the future."""
    asked = (*requests.hist_exog, *requests.futr_exog)
    if unknown := sorted(name for name in {*asked, *requests.exog_policy} if not is_feature(name)):
        raise ConfigurationError(
            f"requests.hist_exog, futr_exog or exog_policy name {unknown}, which are not in the catalogue: choose "
            f"from {sorted(FEATURES)}."
        )
    if len(set(asked)) < len(asked):
        raise ConfigurationError(
            f"requests.hist_exog and futr_exog name a feature twice: {sorted(asked)}; name each once."
        )
    ahead = sorted(name for name, feature in FEATURES.items() if feature.known_ahead or feature.announced)
    if not_ahead := sorted(set(requests.futr_exog) - set(ahead)):
        raise ConfigurationError(
            f"requests.futr_exog names {not_ahead}, whose future values are not known; known ahead are {ahead}. Move "
            "them to requests.hist_exog."
        )
