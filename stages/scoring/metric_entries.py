"""The entries of `metrics.json`: a cell's figures with their bounds, its tests and its PIT, from losses summed by day.

Cells are scored in bulk. Cells with equal numbers of days and symbols and equal block lengths share their drawn days,
so their losses are stacked and multiplied by the draws at once. Identical answers, as those before any calibration, are
scored once.

*Tables*: the entries that `metrics.py` describes.
*Shapes*: figures (answers,), and (answers, draws) of drawn days; an answer is a version of a cell.
*Time*: the unit of evidence is the day.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from stages.params.gates import GatesParams
from stages.scoring.figures import DaySums, Floats, covered_50, pit_counts, ratio, summary
from stages.scoring.inference import block_lengths, bounds, day_weights, deviation, diebold_mariano, pit_uniformity
from stages.scoring.losses import VERSIONS

Document = dict[str, Any]
SYMBOLS_AT_ONCE = 16  # of stacked answers: their draws fill some ten megabytes
RELATIVE = ("rmae", "rrmse")
CALIBRATED = VERSIONS.index("calibrated")
DECIMALS = 6
LEAST_P = 1e-6  # a smaller value would be written as 0


def entries(cells: Sequence[DaySums], params: GatesParams, *, with_bounds: bool) -> list[Document]:
    """One entry a cell, in their order."""
    found: dict[int, Document] = {}
    for members, sums in by_shape(cells):
        blocks = block_days(_judged_series(sums), params) if with_bounds else [None] * len(members)
        for block, places in places_by_block(blocks):
            weights = None if block is None else drawn_days(sums.n_days, block, params)
            scored = _entries(sums.some(places), weights, params)
            found |= zip((members[place] for place in places), scored, strict=True)
    return [found[at] for at in range(len(cells))]


def by_shape(cells: Sequence[DaySums]) -> Iterator[tuple[list[int], DaySums]]:
    """The cells of each number of days and symbols: their indices, and their sums stacked."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for at, one in enumerate(cells):
        found[one.n_days, one.n_symbols].append(at)
    for members in found.values():
        yield members, DaySums.stacked([cells[at] for at in members])


def places_by_block(blocks: Sequence[int | None]) -> Iterator[tuple[int | None, list[int]]]:
    """Each block length, and the indices at which it occurs."""
    for block in dict.fromkeys(blocks):
        yield block, [place for place, own in enumerate(blocks) if own == block]


def block_days(series: Floats, params: GatesParams) -> list[int | None]:
    """Mean block length of each cell's bootstrap: None below `gates.min_ci_days`, 1 below `block_bootstrap_days`.

    It is the median over the cell's series: the longest would make the bounds of 60 independent days too narrow
    (docs/EVALUATION.md). *Shapes*: series (cells, series, days).
    """
    n_cells, _, n_days = series.shape
    if n_days < params.min_ci_days:
        return [None] * n_cells
    if n_days < params.block_bootstrap_days:
        return [1] * n_cells
    return [int(length) for length in np.median(block_lengths(series), axis=1)]


def drawn_days(n_days: int, block: int, params: GatesParams) -> Floats:
    """How often each day is drawn, (draws, days)."""
    return day_weights(n_days, block, params.bootstrap_reps, params.bootstrap_seed)


def _entries(sums: DaySums, weights: Floats | None, params: GatesParams) -> Iterator[Document]:
    """The entries of stacked cells."""
    distinct, places_of_cells = sums.distinct()
    at_once = max(1, SYMBOLS_AT_ONCE // max(sums.n_symbols, 1))
    answered = [one for part in distinct.in_parts(at_once) for one in _answers(part, weights, params)]
    for places in places_of_cells.tolist():
        answers = [answered[place] for place in places]
        yield {
            "n_days": sums.n_days,
            "unmoved": answers[0]["unmoved"],
            "metrics": {name: _by_version(one["metrics"][name] for one in answers) for name in answers[0]["metrics"]},
            **{name: _by_version(one[name] for one in answers) for name in ("ties", "dm", "pit")},
        }


def _by_version(values: Iterable[Any]) -> Document:
    return dict(zip(VERSIONS, values, strict=True))


def _answers(sums: DaySums, weights: Floats | None, params: GatesParams) -> Iterator[Document]:
    """The figures, tests and PIT of each stacked answer."""
    totals, drawn = sums.totals(), None if weights is None else sums.drawn(weights)
    together, daily = totals.together, sums.daily
    draws = summary(drawn) if drawn else {}
    metrics = {name: _figure(name, values, draws.get(name), params) for name, values in summary(totals).items()}
    counts = pit_counts(together)
    pits = _tested(pit_uniformity(counts, pit_counts(drawn.together) if drawn else None))
    tests = _tested(diebold_mariano((daily["abs"] - daily["abs_y"]) / daily["n"]))
    shares = {name: ratio(together[name], together["n"]) for name in ("unmoved", "tied")}
    for at in range(len(counts)):
        yield {
            "unmoved": rounded(shares["unmoved"][at]),
            "ties": rounded(shares["tied"][at]),
            "metrics": {name: figures[at] for name, figures in metrics.items()},
            "dm": tests[at],
            "pit": {"counts": [_count(count) for count in counts[at]]} | pits[at],
        }


def _figure(name: str, values: Floats, drawn: Floats | None, params: GatesParams) -> list[Document]:
    """One figure of each answer, with its bounds and standard error if days are drawn."""
    shares = [1.0 - params.skill_confidence, params.skill_confidence]
    if name in RELATIVE:
        shares.append(1.0 - params.worse_confidence)
    found = np.full((len(shares) + 1, len(values)), np.nan)
    if drawn is not None:
        error = deviation(drawn)
        found = np.where(np.isfinite(error), np.vstack([bounds(drawn, shares), error]), np.nan)
    columns = [list(map(rounded, one)) for one in (values.tolist(), *found.tolist())]
    return [
        {"value": value, "ci": None if error is None else [low, high], "se": error}
        | ({"floor": floor[0]} if floor else {})
        for value, low, high, *floor, error in zip(*columns, strict=True)
    ]


def _judged_series(sums: DaySums) -> Floats:
    """Each judged figure as a daily series: a day's contribution to the numerator beyond the figure's value.

    *Shapes*: (cells, series, days).
    """
    daily = {name: values[:, CALIBRATED] for name, values in sums.daily.items()}
    series = []
    for part, below in ((daily["abs"], "abs_y"), (daily["sq"], "sq_y"), (covered_50(daily), "n")):
        whole = daily[below]
        share = np.nan_to_num(ratio(part.sum(axis=-1), whole.sum(axis=-1)))
        series.append(part - share[:, None] * whole)
    return np.stack(series, axis=1)


def _count(many: float) -> float:
    """An int where it is whole; ties may be split into fractions."""
    return int(many) if float(many).is_integer() else round(float(many), DECIMALS)


def _tested(test: Mapping[str, Floats]) -> list[Document]:
    """The statistic and p-values of a test, by answer."""
    columns = [np.maximum(values, LEAST_P) if name.startswith("p_") else values for name, values in test.items()]
    return [dict(zip(test, map(rounded, of_answer), strict=True)) for of_answer in np.stack(columns, axis=1).tolist()]


def rounded(value: float | Floats) -> float | None:
    """The number to six decimals, without a negative zero; None for NaN or infinity."""
    number = float(value)
    return round(number, DECIMALS) + 0.0 if isfinite(number) else None
