"""The price of evidence: what `make plan` says about a verdict of worth before anything is bought.

It needs no key and no answer: free forecasts of the sessions before the first asked one give the deviation of a day.
They are taken from the last run if it had these params, and made here otherwise.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from stages.calibration.past import with_outcomes
from stages.forecast_free import QUANTILES
from stages.forecasting.free import FreeSettings, Known, PerSymbol
from stages.io.content import LOCK
from stages.io.files import read_table
from stages.paid.batches import batches_of, calls_by_session
from stages.paid.units import most
from stages.params.study import Study
from stages.quality.halts import NO_HALTS
from stages.questions.market import Market
from stages.questions.question import Question
from stages.questions.schedule import plan_questions
from stages.runs.evidence import findings, read_run
from stages.tables.forecasts import Quantiles
from stages.worth.evidence import Floats
from stages.worth.free_days import ENOUGH_DAYS, SESSIONS, Asking, Deviations, deviations, early_days
from stages.worth.plan import asked_by_session, sessions_before_evidence
from stages.worth.price_of_evidence import Setup, before_you_buy
from stages.worth.series import MONEY, primary_horizon, terms_of

STAGE = "forecast_free"
NAMED = 4
SD_DECIMALS = 3


def evidence_lines(
    study: Study, market: Market, schedule: pl.DataFrame, questions: list[Question], *, ran: bool
) -> Iterator[str]:
    """What evidence costs under these params; `schedule` and `questions` as `plan_questions` gives them.

    `ran`: the last run made its free forecasts with these params.
    """
    free = read_table(Quantiles, QUANTILES) if ran else _made_now(study, market, schedule)
    symbols = study.universe.symbols
    differing = None
    if len(free):
        first_asked = schedule.filter(status="ok").sort("session")["session"][0]
        scored = with_outcomes(free, market.bars, market.usable)
        asking = Asking(
            symbols=symbols, horizon_min=primary_horizon(study), asked=study.forecaster.name, eta=study.worth.eta
        )
        differing = deviations(scored, first_asked, asking)
    if differing is None:
        yield (
            "No two free forecasts differ on two days or more (worth.candidates), so the price of evidence is unknown."
        )
        return
    if study.requests.last_session is not None:  # the study will grow beyond it, to the end of the record
        whole = study.requests.model_copy(update={"last_session": None})
        schedule, questions = plan_questions(market, symbols, whole, study.forecaster.model_spec, study.quality)
    sessions = asked_by_session(study, schedule)
    setup = _setup(study, questions, sessions, sessions_before_evidence(study, sessions))
    proposed = round(differing.pairs["usual"], SD_DECIMALS) or float(f"{differing.pairs['usual']:.1g}")
    if study.worth.decide_by == MONEY:
        yield (
            "worth.decide_by: money, but how much daily P&L varies is unknown before the rule trades: this is the "
            "plan for decide_by: shape."
        )
    if study.api.pack == "snapshots":
        yield "Calls and their cost are counted here at one a snapshot; api.pack: snapshots sends fewer."
    yield from before_you_buy(setup, differing.pairs, differing.usual, replace(terms_of(study), s0=proposed))
    source = f"proposed by {differing.days} sessions of free forecasts (params state {study.worth.planned_sd:g})"
    yield f"This holds with worth.planned_sd: {proposed:g}, {source}."
    yield from _ranked(differing)


def _setup(study: Study, questions: list[Question], sessions: pl.DataFrame, before: int) -> Setup:
    """What a session with the judged history buys, and what the first `before` buy; `sessions` as in `plan.py`."""
    asked = calls_by_session(questions).sort("session")
    calls, prices = asked["calls"].to_numpy(), _prices(study, questions, asked)
    later = (sessions["outcomes"] > 0).to_numpy() | (not sessions["outcomes"].sum())
    usual, further = int(np.median(calls[later])), max(before - len(calls), 0)
    spent = np.zeros(len(calls)) if prices is None else prices
    a_call = float(spent[later].sum() / calls[later].sum())
    return Setup(
        symbols=study.universe.symbols,
        snapshots=study.requests.snapshots_a_session,
        calls_a_session=usual,
        sessions_before=before,
        calls_before=int(calls[:before].sum()) + usual * further,
        price_per_call=None if prices is None else a_call,
        price_before=float(spent[:before].sum()) + usual * further * a_call,
    )


def _prices(study: Study, questions: list[Question], asked: pl.DataFrame) -> Floats | None:
    """The price of each session in `asked`, as `worth` states it, else the most by the tariff of `api`, or None."""
    worth, tariff = study.worth, study.api.tariff
    if worth.price_per_call is not None:
        return np.asarray(asked["calls"].to_numpy() * worth.price_per_call)
    if worth.price_per_million_tokens is not None:
        return np.asarray(asked["tokens"].to_numpy() * worth.price_per_million_tokens / 1e6)
    if tariff is None:
        return None
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    for batch in batches_of(questions):
        by_day[batch.questions[0].snapshot_utc.date()] += most(batch.questions, tariff).money
    return np.array([float(by_day[day]) for day in asked["session"]])


def _ranked(found: Deviations) -> Iterator[str]:
    """The snapshots and symbols with most evidence a request: those with the smallest deviation of a day."""
    for what, by in (("snapshot", found.by_snapshot), ("symbol", found.by_symbol)):
        if len(by) > 1:
            order = sorted(by, key=lambda name: (by[name], name))
            listed = ", ".join(f"{name} ({100 * by[name]:.1f} %)" for name in order[:NAMED])
            more = f", … {order[-1]} ({100 * by[order[-1]]:.1f} %)" if len(order) > NAMED else ""
            yield f"Most evidence per {what}, by how much days vary with it alone: {listed}{more}."


def free_forecasts_ran(document: Mapping[str, Any]) -> bool:
    """Whether the last run made free forecasts, with these params."""
    if not (LOCK.exists() and QUANTILES.exists()):
        return False
    return not findings(read_run(params=document), [STAGE]).complaint


def _made_now(study: Study, market: Market, schedule: pl.DataFrame) -> pl.DataFrame:
    """Free forecasts of the warm-up, and of the first asked sessions too if the warm-up has too few."""
    symbols, asked = study.universe.symbols, asked_by_session(study, schedule)["session"]
    early = _answers(study, market, schedule, [])
    if len(early_days(early, asked[0], symbols)) >= ENOUGH_DAYS:
        return early
    answered = schedule.filter(status="ok").group_by("session").agg(n=pl.col("symbol").n_unique()).sort("session")
    some = answered.filter(2 * pl.col("n") >= len(symbols))["session"].head(SESSIONS)
    return _answers(study, market, schedule, some.to_list())


def _answers(study: Study, market: Market, schedule: pl.DataFrame, sessions: list[date]) -> pl.DataFrame:
    """Free forecasts of the warm-up and of these sessions."""
    settings = FreeSettings(study.worth, study.forecaster, study.requests, study.quality)
    answer = PerSymbol.of(settings, market.calendar, schedule)
    parts = []
    for symbol in study.universe.symbols:
        halts = market.halts.get(symbol, NO_HALTS)
        known = Known(market.usable[symbol], halts, schedule.filter(pl.col("session").is_in(sessions), symbol=symbol))
        parts.append(answer(symbol, market.bars[symbol], market.features[symbol], known)[0])
    return pl.concat(parts)
