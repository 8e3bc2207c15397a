"""The buyer's verdict on a study: the question that decides, and the secondary figures.

The verdict rests on one series of days: the question `worth.decide_by` at the primary horizon against the best free
forecast (`free_mix`). Secondary figures have no verdict: the other two questions, the answers before calibration, each
free forecast alone, and the other horizons and single symbols, which e-BH tests together.

*Tables*: `worth.json`. `decided_on` is the session that decided; `sessions` and `calls` count up to it, to the end of
the plan, or all so far; `calls` includes sessions that are no evidence. `e_better` and `e_small` are those of that day,
`most_better` and `most_small` the largest until then, which decide.
`free_weights` are the last of the free mix. `rehearsal`: the forecaster is local.
`calls_a_session` and `step` say what the next sessions cost. `more_sessions` are quartiles of the sessions until the
verdict; a quartile beyond the plan is null, and the pair is null after a verdict or without a day.
*Units*: as in `tables/worth.py`; E is to 1.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from stages.params.study import StageStudy
from stages.tables.forecasts import FREE
from stages.tables.worth import WorthDays
from stages.worth.day_values import SHAPE
from stages.worth.evidence import rejected_together
from stages.worth.money import MoneyDays
from stages.worth.price_of_evidence import more_sessions, price_of_a_call, sessions_to_know
from stages.worth.series import MONEY, PRIMARY, Series, Sides, primary_horizon, series_of
from stages.worth.verdict import Finding, State, Terms, judge, last_of

STEP_SESSIONS = 5  # of `make study`, as the card proposes it
EVIDENCE = ("e_better", "e_small", "most_better")
DECIMALS = 9
DIGITS = 9  # significant ones of every number in `worth.json`
LARGEST_LOG = 700.0  # of an E that is written as a number


def judge_worth(study: StageStudy, name: str, sides: Sides) -> tuple[dict[str, Any], pl.DataFrame]:
    """`worth.json` and `WorthDays` of the study with this id."""
    money, calls = sides.money, sides.calls
    findings = {(one.question, one.cell): (one, one.judged()) for one in series_of(study, sides)}
    series, finding = findings[study.worth.decide_by, PRIMARY]
    goes_on = finding.state == State.NOT_YET_KNOWN
    last = date.max if goes_on else series.counted[finding.days - 1]
    later = money.calls if money.calls.height else calls  # earlier sessions may lack calls of a longer history
    result = verdict_fields(finding, series.counted, series.terms) | {
        "study_id": name,
        "model": study.forecaster.model,
        "symbols": study.universe.symbols,
        "horizon_min": primary_horizon(study),
        "decide_by": study.worth.decide_by,
        "rehearsal": sides.learns_here,
        "calls": int(calls.filter(pl.col("session") <= last)["calls"].sum()),
        "calls_a_session": int(np.median(later["calls"])) if later.height else 0,
        "step": STEP_SESSIONS,
        "free_weights": dict(sides.weights),
        "training": _training(study, series, untrained=sides.untrained),
        "money": _money(study, *findings[MONEY, PRIMARY], money),
        "more_sessions": more_sessions(finding.by_day.x, series.terms) if goes_on and len(finding.by_day.x) else None,
    }
    secondary = _secondary(findings, study.worth.alpha / (1 + study.worth.prior_studies)) | {
        "seen": _seen(series),
        "left_out": sides.left_out._asdict() | {"days_set_aside": findings[SHAPE, PRIMARY][0].set_aside},
    }
    rows = [one.rows(its) for one, its in findings.values()]  # columns of a series without a day have no types
    return plain(result) | secondary, WorthDays.of(pl.concat(rows, how="vertical_relaxed"))


def last_weights(weights: pl.DataFrame, study: StageStudy) -> dict[str, float]:
    """The weights of the mix by name in the last session, at the horizon that decides."""
    in_money = study.worth.decide_by == MONEY
    mine = weights.filter(horizon_min=study.rules.horizon_min if in_money else primary_horizon(study))
    last = mine.filter(pl.col("session") == pl.col("session").max())
    return {
        model.removeprefix(FREE): weight for model, weight in last.select("model", "weight").sort("model").iter_rows()
    }


def verdict_fields(finding: Finding, sessions: Sequence[date], terms: Terms) -> dict[str, Any]:
    """The verdict on the days of these sessions, and the terms on which it was given."""
    evidence = {
        "e_better": finding.log_e_better,
        "e_small": finding.log_e_small,
        "most_better": finding.most_better,
        "most_small": finding.most_small,
    }
    return {
        "state": finding.state,
        "decided_on": None if finding.decided is None else sessions[finding.decided],
        "sessions": finding.days,
        "estimate": finding.estimate,
        "interval": finding.interval,
        **{name: None if log_e is None else e_value(log_e) for name, log_e in evidence.items()},
        "threshold": terms.threshold,
        **{name: getattr(terms, name) for name in ("delta", "prior_studies", "min_days", "planned_sessions")},
    }


def _training(study: StageStudy, series: Series, *, untrained: bool) -> dict[str, Any]:
    """What the model may have seen: sessions up to `trained_until`; only those after it count.

    `unseen`: the forecaster learns from the record alone and no date is stated, so it has seen none.
    """
    before, until = int(series.before.sum()), study.forecaster.trained_until
    return {
        "unseen": until is None and untrained,
        "trained_until": until,
        "sessions_before": before,
        "sessions_after": len(series.x) - before,
    }


def _money(study: StageStudy, series: Series, finding: Finding, money: MoneyDays) -> dict[str, Any]:
    """The stated rule's extra earnings with the asked forecasts over the free ones, up to the deciding day.

    *Units*: `bp_a_call` is before the price of a call. `break_even` is the price of a call at which nothing is gained,
    in the currency of `worth.notional`; null without one. `sessions_needed`: about how many days the answer takes.
    """
    counted = np.flatnonzero(~series.before)[: finding.days]
    gross, (calls, tokens) = money.gross[counted], money.calls.select("calls", "tokens").to_numpy()[counted].T
    a_day = float(calls.mean()) if len(calls) and calls.sum() else None
    before_price = judge(gross, series.terms, bounds_by_day=False).by_day
    mean, low, high = (last_of(values) for values in (before_price.mean, before_price.lower, before_price.upper))
    has_price = study.worth.notional is not None
    in_bp = 1.0 if study.worth.notional is None else 1e4 / study.worth.notional

    def a_call(value: float | None, unit: float) -> float | None:
        return None if value is None or a_day is None else value * unit / a_day

    price = price_of_a_call(
        study.worth.price_per_call,
        study.worth.price_per_million_tokens,
        float(tokens.sum() / calls.sum()) if a_day else None,
    )
    sd = float(np.std(series.x[counted], ddof=1)) if len(counted) > 1 else None
    return {
        "state": finding.state,
        "bp_a_call": a_call(mean, in_bp),
        "bp_interval": (a_call(low, in_bp), a_call(high, in_bp)),
        "price_per_call": price if has_price else None,
        "break_even": a_call(mean, 1.0) if has_price else None,
        "break_even_interval": (a_call(low, 1.0), a_call(high, 1.0)) if has_price else (None, None),
        "sessions_needed": sessions_to_know(finding.estimate, sd) if finding.estimate and sd else None,
    }


def _secondary(findings: Mapping[tuple[str, str], tuple[Series, Finding]], alpha: float) -> dict[str, Any]:
    """The secondary figures; `holds` says which horizons and symbols e-BH rejects together today.

    e-BH takes E of one day, since the largest E of all days averages above 1 even without any advantage. Earlier
    studies lower `alpha`, as they raise the threshold of the verdict.
    """
    secondary = [key for key in findings if key[1].startswith(("horizon=", "symbol="))]
    days = [findings[key][1].by_day.log_e_better for key in secondary]
    logs = [float(one[-1]) if len(one) else 0.0 for one in days]
    holds = dict(zip(secondary, rejected_together(logs, alpha), strict=True)) if secondary else {}
    cells = [
        {"question": key[0], "cell": key[1], **_figures(finding), "holds": holds.get(key)}
        for key, (_, finding) in findings.items()
    ]
    return {"cells": cells, "beats_each_free": _weakest(findings)}


def _weakest(found: Mapping[tuple[str, str], tuple[Series, Finding]]) -> dict[str, Any] | None:
    """The free forecast that is hardest to beat, with the evidence; all must be beaten, so each is tested alone."""
    each = {cell: finding for (_, cell), (_, finding) in found.items() if cell.startswith("free=")}
    known = {cell: max(one.by_day.log_e_better) for cell, one in each.items() if len(one.by_day.x)}
    if not known:
        return None
    hardest = min(known, key=lambda cell: known[cell])
    return {"free": hardest.partition("=")[2], "most_better": e_value(float(known[hardest]))}


def _figures(finding: Finding) -> dict[str, Any]:
    """The figures of all days that count, including those after the deciding one."""
    days = finding.by_day
    if not len(days.x):
        return {"sessions": 0, "estimate": None, "interval": [None, None], **dict.fromkeys(EVIDENCE)}
    logs = (days.log_e_better[-1], days.log_e_small[-1], days.log_e_better.max())
    return {
        "sessions": len(days.x),
        "estimate": _round(float(days.mean[-1])),
        "interval": [_round(float(end[-1])) for end in (days.lower, days.upper)],
        **{name: e_value(float(value)) for name, value in zip(EVIDENCE, logs, strict=True)},
    }


def _seen(series: Series) -> dict[str, Any] | None:
    """The mean of the days up to `forecaster.trained_until` and of those after it; None if it is not stated."""
    if series.trained_until is None:
        return None
    parts = {"up_to": series.x[series.before], "after": series.x[~series.before]}
    return {
        name: {"sessions": len(x), "estimate": _round(float(x.mean())) if len(x) else None} for name, x in parts.items()
    }


def _round(value: float) -> float | None:
    return round(value, DECIMALS) + 0.0 if np.isfinite(value) else None


def e_value(log_e: float) -> float:
    """E to six significant digits."""
    return float(f"{np.exp(min(log_e, LARGEST_LOG)):.6g}")


def plain(value: Any) -> Any:
    """A value as JSON types, with numbers to nine significant digits."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, date | State):
        return str(value)
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
