"""What `metrics.json` says of a cell: every figure with its bounds, the tests and the PIT, from losses summed by day.

Cells are judged many at a time. Those with as many days and symbols, and blocks as long, have the same days drawn, so
their losses lie beside each other, and the draws multiply them at once.

*Tables*: the entries that `metrics.py` describes.
*Shapes*: figures (cells,), and (cells, draws) of drawn days.
*Time*: the unit of evidence is the day.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.params.gates import GatesParams
from stages.scoring.figures import DaySums, Totals, covered_50, pit_counts, ratio, summary
from stages.scoring.inference import block_lengths, bounds, day_weights, deviation, diebold_mariano, pit_uniformity
from stages.scoring.losses import VERSIONS

Floats = NDArray[np.float64]
Document = dict[str, Any]
SYMBOLS_AT_ONCE = 16  # of cells beside each other: their draws fill some ten megabytes
RELATIVE = ("rmae", "rrmse")
TIED = {version: f"{version}_tied" for version in VERSIONS}
DECIMALS = 6
LEAST_P = 1e-6  # a smaller value would be written as 0


def entries(cells: Sequence[DaySums], params: GatesParams, *, with_bounds: bool) -> list[Document]:
    """One entry a cell, in their order."""
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for at, one in enumerate(cells):
        alike[one.n_days, one.n_symbols].append(at)
    found: dict[int, Document] = {}
    for (n_days, n_symbols), members in alike.items():
        sums = DaySums.beside([cells[at] for at in members])
        blocks = block_days(_judged_series(sums), params) if with_bounds else [None] * len(members)
        at_once = max(1, SYMBOLS_AT_ONCE // max(n_symbols, 1))
        for block in dict.fromkeys(blocks):
            places = [place for place, own in enumerate(blocks) if own == block]
            weights = None if block is None else drawn_days(n_days, block, params)
            for first in range(0, len(places), at_once):
                some = places[first : first + at_once]
                scored = _entries(sums.some(some), weights, params)
                found |= zip([members[place] for place in some], scored, strict=True)
    return [found[at] for at in range(len(cells))]


def block_days(series: Floats, params: GatesParams) -> list[int | None]:
    """The mean length of the blocks in which a cell's days are drawn; None below `gates.min_ci_days`, 1 while few.

    It is the median of what the series of a cell need: the longest would make the bounds of 60 independent days too
    narrow (docs/EVALUATION.md). *Shapes*: series (cells, series, days).
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
    """The entries of cells beside each other."""
    totals, drawn = sums.totals(), None if weights is None else sums.drawn(weights)
    found = {version: list(_figures(totals, drawn, version, params)) for version in VERSIONS}
    tests = {version: _daily_advantage(sums, version) for version in VERSIONS}
    pits = {version: list(_pits(totals, drawn, version)) for version in VERSIONS}
    together = totals.together
    shares = {name: ratio(together[name], together["n"]).tolist() for name in ("unmoved", *TIED.values())}
    for cell in range(len(sums.sums)):
        figures = {version: found[version][cell] for version in VERSIONS}
        yield {
            "n_days": sums.n_days,
            "unmoved": rounded(shares["unmoved"][cell]),
            "ties": {version: rounded(shares[name][cell]) for version, name in TIED.items()},
            "metrics": {name: {version: figures[version][name] for version in VERSIONS} for name in figures["raw"]},
            "dm": {version: _tested(diebold_mariano(tests[version][cell])) for version in VERSIONS},
            "pit": {version: pits[version][cell] for version in VERSIONS},
        }


def _figures(totals: Totals, drawn: Totals | None, version: str, params: GatesParams) -> Iterator[dict[str, Document]]:
    """The figures of each cell."""
    values = summary(totals, version)
    names, told = list(values), np.stack(list(values.values()), axis=1).tolist()
    missing = [[[np.nan] * len(names)] * len(told)] * 4
    low, high, floor, errors = _bounds(drawn, version, params) if drawn else missing
    for cell, of_cell in enumerate(told):
        found: dict[str, Document] = {}
        for i, name in enumerate(names):
            figure = found[name] = {"value": rounded(of_cell[i]), "ci": None, "se": None}
            if name in RELATIVE:
                figure["floor"] = None
            if isfinite(errors[cell][i]):
                figure |= {"ci": [rounded(low[cell][i]), rounded(high[cell][i])], "se": rounded(errors[cell][i])}
                figure |= {"floor": rounded(floor[cell][i])} if "floor" in figure else {}
        yield found


def _bounds(drawn: Totals, version: str, params: GatesParams) -> list[list[list[float]]]:
    """Low, high, floor and standard error, each by cell and figure."""
    draws = np.stack(list(summary(drawn, version).values()), axis=1)
    shares = [1.0 - params.skill_confidence, params.skill_confidence, 1.0 - params.worse_confidence]
    return [*bounds(draws, shares).tolist(), deviation(draws).tolist()]


def _judged_series(sums: DaySums) -> Floats:
    """Each judged figure as a daily series: a day's contribution to the numerator beyond the figure's value.

    *Shapes*: (cells, series, days).
    """
    daily = sums.daily
    covered = covered_50(daily, "calibrated")
    series = []
    for part, below in ((daily["calibrated_abs"], "abs_y"), (daily["calibrated_sq"], "sq_y"), (covered, "n")):
        whole = daily[below]
        share = np.nan_to_num(ratio(part.sum(axis=-1), whole.sum(axis=-1)))
        series.append(part - share[:, None] * whole)
    return np.stack(series, axis=1)


def _daily_advantage(sums: DaySums, version: str) -> Floats:
    daily = sums.daily
    return np.asarray((daily[f"{version}_abs"] - daily["abs_y"]) / daily["n"])


def _pits(totals: Totals, drawn: Totals | None, version: str) -> Iterator[Document]:
    """The PIT of each cell."""
    draws = None if drawn is None else pit_counts(drawn.together, version)
    for cell, counts in enumerate(pit_counts(totals.together, version)):
        test = pit_uniformity(counts, None if draws is None else draws[cell])
        yield {"counts": [_count(count) for count in counts]} | _tested(test)


def _count(many: float) -> float:
    """A whole number, unless ties were shared out."""
    return int(many) if float(many).is_integer() else round(float(many), DECIMALS)


def _tested(values: Mapping[str, float]) -> Document:
    """A test's statistic and its p."""
    return {name: rounded(max(value, LEAST_P) if name.startswith("p_") else value) for name, value in values.items()}


def rounded(value: float | Floats) -> float | None:
    """Six decimals, null where there is no number, and no zero with a sign."""
    number = float(value)
    return round(number, DECIMALS) + 0.0 if isfinite(number) else None
