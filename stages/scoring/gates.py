"""Forecast gates: which cells may trade, judged on skill and coverage with the available evidence.

Skill (rMAE, rRMSE): PASS when the estimate is below its threshold and its upper confidence bound is below 1, that is,
better than persistence; FAIL when the estimate is not below the threshold; INCONCLUSIVE otherwise, and where the figure
has no bound. A cell that is significantly worse than persistence FAILs even with too few days for anything else.
Coverage of [q25, q75], by `gates.coverage_rule`: `reject` fails only a proven deviation beyond the tolerance,
`equivalence` passes only a proven agreement, `point` compares the estimate only. False discoveries, with `gates.fdr`:
PASS when the p of being no better than persistence, adjusted for all cells that are traded together, is at most q; FAIL
when the forecast was no better on these days; INCONCLUSIVE otherwise. Under `gates.policy: ci` a cell with too few days
or outcomes is INCONCLUSIVE; `point` has no such minimum.

*Tables*: one entry a cell, in the order of `metrics["cells"]`, from which every figure can be derived again.
"""

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

import numpy as np
from scipy.special import bdtr, ndtr, ndtri

from stages.errors import count
from stages.params.gates import Fdr, GatesParams
from stages.scoring.discoveries import Discovery, Stated, discoveries
from stages.scoring.inference import Judgement, Verdict, worst
from stages.tables.scores import WORSE, Cell

NOMINAL = 0.5
POWER = 0.8  # "four times out of five"
LOW_POWER_TOLERANCES = 3
DECIMALS = 6
EVEN = 0.5  # the p of a forecast exactly as good as persistence
NO_BOUND = (
    "in some resamples of the days no outcome moved, so the figure has no confidence bound: more days on which the "
    "price moves are needed"
)
Document = dict[str, Any]


def forecast_gates(
    metrics: Mapping[str, Any], controls: Mapping[str, Any], params: GatesParams, stated: Stated
) -> Document:
    """The judgements of each cell. A cell is eligible if its gates allow it and the controls hold."""
    trusted, entries = controls["verdict"] == Verdict.PASS, metrics["cells"]
    found = discoveries((entry for entry in entries if _enough(entry, params)), stated) if params.fdr else {}
    cells = [_cell(entry, found.get(Cell.of(entry)), trusted=trusted, params=params) for entry in entries]
    return {"policy": params.policy, "controls": controls["verdict"], "cells": cells}


def _cell(entry: Mapping[str, Any], found: Discovery | None, *, trusted: bool, params: GatesParams) -> Document:
    gates = {
        "rmae": judge_skill(entry, "rmae", params.rmae_lt, params),
        "rrmse": judge_skill(entry, "rrmse", params.rrmse_lt, params),
        "coverage": judge_coverage(entry, params),
    }
    if params.fdr:
        gates["fdr"] = judge_discovery(entry, found, params.fdr, params)
    verdict = worst(gate.verdict for gate in gates.values())
    enough = {Verdict.PASS} if params.inconclusive == "fail" else {Verdict.PASS, Verdict.INCONCLUSIVE}
    return {
        **Cell.of(entry)._asdict(),
        "verdict": verdict.value,
        "eligible": trusted and verdict in enough,
        "gates": {name: gate.as_document() for name, gate in gates.items()},
    }


def judge_skill(entry: Mapping[str, Any], metric: str, threshold: float, params: GatesParams) -> Judgement:
    """Whether the relative error is below its threshold, and significantly below that of persistence."""
    figure = entry["metrics"][metric]["calibrated"]
    value, se, ci, floor = figure["value"], figure["se"], figure["ci"], figure.get("floor")
    bound = ci[1] if ci and params.policy == "ci" else None
    if params.policy == "ci" and floor is not None and floor > 1.0:
        verdict, bound, words = Verdict.FAIL, floor, _worse_words(floor, params)
    elif not _enough(entry, params):
        verdict, words = Verdict.INCONCLUSIVE, _too_little(entry, params)
    elif value is None:
        verdict, words = Verdict.FAIL, "outcomes never moved, so no forecast can be better than persistence"
    elif params.policy == "point":
        verdict, words = (Verdict.PASS if value < threshold else Verdict.FAIL), _luck_words(threshold, se)
    elif bound is None:
        verdict, words = Verdict.INCONCLUSIVE, NO_BOUND
    else:
        verdict = Verdict.FAIL if value >= threshold else Verdict.PASS if bound < 1.0 else Verdict.INCONCLUSIVE
        words = _skill_power(threshold, se, params)
    return _judgement(entry, verdict=verdict, value=value, threshold=threshold, bound=bound, words=words)


def judge_coverage(entry: Mapping[str, Any], params: GatesParams) -> Judgement:
    """Whether [q25, q75] holds half of the outcomes; the bound is on the distance from a half."""
    figure = entry["metrics"]["coverage_50"]["calibrated"]
    value, se, tolerance = figure["value"], figure["se"], params.coverage_tol
    rule = params.coverage_rule
    off = None if value is None else round(abs(value - NOMINAL), DECIMALS)
    if off is None or not _enough(entry, params):
        verdict, bound, words = Verdict.INCONCLUSIVE, None, _too_little(entry, params)
    elif se is None and rule != "point":
        verdict, bound = Verdict.INCONCLUSIVE, None
        days = count(entry["n_days"], "day")
        words = f"{days} without a standard error; gates.min_ci_days requires {params.min_ci_days}"
    elif rule == "point":
        verdict, bound = (Verdict.PASS if off <= tolerance else Verdict.FAIL), None
        words = _perfect_passes(entry["n"], tolerance)
    elif rule == "reject":
        bound = off - _z(params.coverage_confidence) * se
        verdict, words = (Verdict.FAIL if bound > tolerance else Verdict.PASS), _detectable(se, params)
    else:
        bound = off + _z(params.coverage_confidence) * se
        verdict = Verdict.PASS if bound <= tolerance else Verdict.FAIL if off > tolerance else Verdict.INCONCLUSIVE
        words = _perfect_proves(se, params)
    words += _tie_words(entry)
    return _judgement(entry, verdict=verdict, value=value, threshold=tolerance, bound=bound, words=words)


def judge_discovery(entry: Mapping[str, Any], discovery: Discovery | None, fdr: Fdr, params: GatesParams) -> Judgement:
    """Whether the forecast is better than persistence, given all cells that were tested with it."""
    value = None if discovery is None else round(discovery.adjusted, DECIMALS)
    if discovery is None and not _enough(entry, params):
        verdict, words = Verdict.INCONCLUSIVE, _too_little(entry, params)
    elif discovery is None:
        verdict = Verdict.INCONCLUSIVE
        words = (
            "the mean daily error differs from that of persistence by the same amount on all days, so there is no test"
        )
    else:
        short = Verdict.INCONCLUSIVE if discovery.alone < EVEN else Verdict.FAIL
        verdict = Verdict.PASS if discovery.adjusted <= fdr.q else short
        cells = "1 cell that is" if discovery.family == 1 else f"{discovery.family} cells that are"
        words = (
            f"p {_p(discovery.alone)} alone, p {_p(discovery.adjusted)} adjusted for the {cells} judged "
            f"together; of those that pass, luck makes at most {100 * fdr.q:g} % on average"
        )
    return _judgement(entry, verdict=verdict, value=value, threshold=fdr.q, bound=None, words=words)


def _enough(entry: Mapping[str, Any], params: GatesParams) -> bool:
    """Whether there is enough to judge at all; under `point` one outcome is."""
    if params.policy == "point":
        return bool(entry["n"] > 0)
    days = max(params.min_forecast_days, params.min_ci_days)
    return bool(entry["n_days"] >= days and entry["n"] >= params.min_forecast_outcomes)


def _too_little(entry: Mapping[str, Any], params: GatesParams) -> str:
    """Why there is too little to judge; `gates.policy: point` only needs one outcome."""
    if params.policy == "point":
        return "there is no outcome to judge"
    days = max("min_forecast_days", "min_ci_days", key=lambda rule: getattr(params, rule))
    return unmet({"min_forecast_outcomes": ("outcome", entry["n"]), days: ("day", entry["n_days"])}, params)


def unmet(minima: Mapping[str, tuple[str, int]], params: GatesParams) -> str:
    """The minima that are not met, in words; `minima` is a key of `gates` -> (what is counted, how many there are)."""
    lacking = ((rule, one, n, getattr(params, rule)) for rule, (one, n) in minima.items())
    return "; ".join(f"{count(n, one)}, gates.{rule} requires {least}" for rule, one, n, least in lacking if n < least)


def _worse_words(floor: float, params: GatesParams) -> str:
    confidence = f"{100 * params.worse_confidence:g} %"
    return f"{WORSE}: the true ratio is above {floor:.3f} with {confidence} confidence"


def _tie_words(entry: Mapping[str, Any]) -> str:
    share = (entry.get("ties") or {}).get("calibrated")
    if not share:
        return ""
    return f"; {_percent(share)} of the outcomes lie exactly on a quantile and count in its favour"


def _skill_power(threshold: float, se: float, params: GatesParams) -> str:
    """PASS needs an estimate below min(threshold, 1 - z se); the true ratio must be lower to reach that reliably."""
    needed = min(threshold, 1.0 - _z(params.skill_confidence) * se) - _z(POWER) * se
    if needed <= 0:
        return f"no true ratio, however low, passes four times out of five (standard error {se:.3f})"
    return f"a true ratio of {needed:.3f} or less passes four times out of five (standard error {se:.3f})"


def _luck_words(threshold: float, se: float | None) -> str:
    if se is None:
        return "there is no standard error to say how often luck alone passes"
    if se == 0.0:
        return "the ratio is the same on all days, so they say nothing of luck"
    return f"a forecast no better than persistence passes {_percent(ndtr((threshold - 1.0) / se))} of the time"


def _perfect_passes(n: int, tolerance: float) -> str:
    lowest, highest = ceil(n * (NOMINAL - tolerance) - 1e-9), min(n, floor(n * (NOMINAL + tolerance) + 1e-9))
    share = bdtr(highest, n, NOMINAL) - (bdtr(lowest - 1, n, NOMINAL) if lowest > 0 else 0.0)
    return f"with {count(n, 'independent outcome')} a perfect forecaster passes {_percent(share)} of the time"


def _detectable(se: float, params: GatesParams) -> str:
    smallest = params.coverage_tol + (_z(params.coverage_confidence) + _z(POWER)) * se
    if smallest >= NOMINAL:
        return "no coverage, however far off, is caught four times out of five (low power)"
    low = smallest > LOW_POWER_TOLERANCES * params.coverage_tol
    return f"a true coverage off by {smallest:.3f} is caught four times out of five" + (" (low power)" if low else "")


def _perfect_proves(se: float, params: GatesParams) -> str:
    room = params.coverage_tol - _z(params.coverage_confidence) * se
    share = 2.0 * ndtr(max(room, 0.0) / se) - 1.0 if se > 0 else 1.0
    return f"a perfect forecaster proves agreement {_percent(share)} of the time"


def _judgement(entry: Mapping[str, Any], *, bound: float | None, **judged: Any) -> Judgement:
    rounded = None if bound is None else round(float(bound), DECIMALS) + 0.0
    return Judgement(n=entry["n"], n_days=entry["n_days"], bound=rounded, **judged)


def _z(confidence: float) -> float:
    return float(ndtri(confidence))


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _percent(share: float) -> str:
    percent = 100.0 * float(np.clip(share, 0.0, 1.0))
    return f"{percent:.1f} %" if 0.05 <= percent < 10 else f"{percent:.0f} %"
