"""The asked forecaster beside the free ones, on the same questions.

A question counts where every model answered it, its outcome is not void and every answer is calibrated, so all models
of a group are scored on the same outcomes. `free_mix`, the mix of the free forecasts, is a benchmark that never trades.

*Tables*: one entry a symbol, horizon and model, and one a horizon and model with `symbol` null for all symbols
together; the asked model keeps its name, free ones are `free:<name>`. Each holds `n`, `n_days`, `crps_bp`, `rmae`,
`coverage_50`, `coverage_90`, and its CRPS skill over free persistence and over the mix: `over_persistence_pct` and
`over_free_mix_pct` with `value` and `ci`.
*Units*: skill in percent: 100 (1 - CRPS / CRPS of the other one); the rest, and the bounds, as in `metrics.py`. A skill
over a model that did not answer is null.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.discoveries import Stated
from stages.scoring.entries import Document, block_days, drawn_days, rounded
from stages.scoring.figures import DaySums, Floats, LossRows, Sums, ratio, summary
from stages.scoring.inference import bounds
from stages.scoring.losses import elementary_losses
from stages.scoring.metrics import asked_rows
from stages.tables.forecasts import BENCHMARK, FREE, FREE_MIX, LEVELS

QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
VERSION = "calibrated"
FIGURES = ("crps_bp", "rmae", "coverage_50", "coverage_90")
# The loss of another model on the same questions, by column, and the skill over it.
OTHERS = {f"{VERSION}_benchmark_pinball": f"{FREE}{BENCHMARK}", "mix_pinball": FREE_MIX}
SKILLS = {"over_persistence_pct": f"{VERSION}_benchmark_pinball", "over_free_mix_pct": "mix_pinball"}


@dataclass(frozen=True)
class FreeScores:
    """The entries of some symbols, and the sums by horizon and model of which entries over all symbols are made."""

    entries: Sequence[Document]
    sums: Sequence[tuple[int, str, DaySums]]


def free_scores(asked: pl.DataFrame, free: pl.DataFrame, params: GatesParams, stated: Stated) -> FreeScores:
    """Some symbols scored; of their asked forecasts, those of the stated history and method."""
    kind = asked_rows(asked.filter(method=stated.method, history_days=stated.history_days))
    found = list(_sums(pl.concat([kind, free])))
    entries = [_named(symbol, horizon, model, sums, params) for symbol, horizon, model, sums in found]
    return FreeScores(entries, [(horizon, model, sums) for _, horizon, model, sums in found])


@dataclass
class FreeTogether:
    """The parts added up so far, of which only sums by horizon and model are kept beside the entries."""

    entries: list[Document] = field(default_factory=list)
    sums: dict[int, dict[str, DaySums]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, part: FreeScores) -> None:
        """Add the scores of some symbols."""
        self.entries += part.entries
        for horizon, model, sums in part.sums:
            known = self.sums[horizon].get(model)
            self.sums[horizon][model] = sums if known is None else DaySums.of_all([known, sums])

    def document(self, params: GatesParams) -> list[Document]:
        """The entries of all groups, those over all symbols first."""
        pooled = [
            _named(None, horizon, model, sums, params)
            for horizon in sorted(self.sums)
            for model, sums in self.sums[horizon].items()
        ]
        return [*pooled, *sorted(self.entries, key=itemgetter("symbol", "horizon_min"))]


def _named(symbol: str | None, horizon: int, model: str, sums: DaySums, params: GatesParams) -> Document:
    return {"symbol": symbol, "horizon_min": horizon, "model": model} | _entry(sums, params)


def _sums(forecasts: pl.DataFrame) -> Iterator[tuple[str, int, str, DaySums]]:
    """Losses by day of each symbol, horizon and model, the asked model and the mix first, on the questions of all."""
    models = sorted(forecasts["model"].unique(), key=lambda name: (name.startswith(FREE), name != FREE_MIX, name))
    able = forecasts.filter(~pl.col("void"), "calibrated").filter(pl.len().over(QUESTION) == len(models))
    if able.is_empty():
        return
    able = able.sort(*QUESTION, pl.col("model").cast(pl.Enum(models)))  # each question by all models, one by one
    losses = elementary_losses(able)
    pinball = dict(zip(models, _pinball(losses).reshape(-1, len(models)).T, strict=True))
    unanswered = np.full(able.height // len(models), np.nan)
    beside = losses.with_columns(
        pl.Series(name, np.repeat(pinball.get(model, unanswered), len(models))) for name, model in OTHERS.items()
    )
    rows = LossRows.of(able.select("symbol", "session").hstack(beside), beside.columns)
    places = able.with_row_index("row").group_by("symbol", "horizon_min", "model", maintain_order=True).agg("row")
    for symbol, horizon, model, places_of_group in places.iter_rows():
        yield symbol, horizon, model, rows.by_day(np.array(places_of_group))


def _pinball(losses: pl.DataFrame) -> Floats:
    """Mean pinball loss of each forecast."""
    mean = pl.mean_horizontal(f"{VERSION}_pinball_{level:02d}" for level in LEVELS)
    return losses.select(mean).to_series().to_numpy()


def _entry(sums: DaySums, params: GatesParams) -> Document:
    totals = sums.totals()
    found = summary(totals, VERSION)
    return {
        "n": int(totals.together["n"]),
        "n_days": sums.n_days,
        **{name: rounded(found[name]) for name in FIGURES},
        **{name: _skill(_own(sums.daily), sums.daily[other], params) for name, other in SKILLS.items()},
    }


def _skill(own: Floats, other: Floats, params: GatesParams) -> Document:
    """Skill in percent over another model, with its bounds from drawn days. *Shapes*: losses (days,)."""
    value = _percent(own.sum(), other.sum())
    against = own - np.nan_to_num(ratio(own.sum(), other.sum())) * other
    (block,) = block_days(against[None, None], params)
    if block is None or not np.isfinite(value):
        return {"value": rounded(value), "ci": None}
    weights = drawn_days(len(own), block, params)
    shares = (1.0 - params.skill_confidence, params.skill_confidence)
    low, high = bounds(_percent(weights @ own, weights @ other), shares)
    return {"value": rounded(value), "ci": [rounded(low), rounded(high)] if np.isfinite(low) else None}


def _percent(own: Floats, other: Floats) -> Floats:
    return np.asarray(100.0 * (1.0 - ratio(own, other)))


def _own(sums: Sums) -> Floats:
    return np.asarray(np.mean([sums[f"{VERSION}_pinball_{level:02d}"] for level in LEVELS], axis=0))
