"""Scores of the asked forecaster and the free ones on the same questions.

A question counts if every model answered it, its outcome is not void and every answer is calibrated, so all models are
scored on the same outcomes. `free_mix`, the mix of the free forecasts, is a benchmark that never trades.

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
from stages.scoring.figures import DaySums, Floats, RunningSums, mean_pinball, ratio, summary
from stages.scoring.inference import bounds
from stages.scoring.losses import elementary_losses
from stages.scoring.metric_entries import Document, block_days, by_shape, drawn_days, places_by_block, rounded
from stages.scoring.metrics import asked_rows
from stages.tables.forecasts import BENCHMARK, FREE, FREE_MIX

QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
GROUP = ["symbol", "horizon_min", "model"]
VERSION = "calibrated"
FIGURES = ("crps_bp", "rmae", "coverage_50", "coverage_90")
# The loss of another model on the same questions, by name, and the skill over it.
OTHERS = {"benchmark_pinball": f"{FREE}{BENCHMARK}", "mix_pinball": FREE_MIX}
SKILLS = {"over_persistence_pct": "benchmark_pinball", "over_free_mix_pct": "mix_pinball"}
Group = tuple[str | None, int, str, DaySums]  # symbol, horizon and model, and the sums of their losses


@dataclass(frozen=True)
class FreeScores:
    """The entries of some symbols, and their sums by horizon and model for the entries over all symbols."""

    entries: Sequence[Document]
    sums: Sequence[tuple[int, str, DaySums]]


def free_scores(asked: pl.DataFrame, free: pl.DataFrame, params: GatesParams, stated: Stated) -> FreeScores:
    """Scores of some symbols, with the asked forecasts of the stated history and method."""
    kind = asked_rows(asked.filter(method=stated.method, history_days=stated.history_days))
    found = list(_groups(pl.concat([kind, free]))) if kind.height else []  # a short record lacks a long history
    return FreeScores(_entries(found, params), [(horizon, model, sums) for _, horizon, model, sums in found])


@dataclass
class RunningFree:
    """The entries so far, and the running sums by horizon and model."""

    entries: list[Document] = field(default_factory=list)
    sums: dict[tuple[int, str], RunningSums] = field(default_factory=lambda: defaultdict(RunningSums))

    def add(self, part: FreeScores) -> None:
        """Add the scores of some symbols."""
        self.entries += part.entries
        for horizon, model, sums in part.sums:
            self.sums[horizon, model].add(sums)

    def document(self, params: GatesParams) -> list[Document]:
        """The entries of all groups, those over all symbols first."""
        pooled: list[Group] = [
            (None, horizon, model, self.sums[horizon, model].total)
            for horizon, model in sorted(self.sums, key=itemgetter(0))
        ]
        return [*_entries(pooled, params), *sorted(self.entries, key=itemgetter("symbol", "horizon_min"))]


def _groups(forecasts: pl.DataFrame) -> Iterator[Group]:
    """Each symbol, horizon and model on the questions that all models answered; the asked model and the mix first."""
    models = sorted(forecasts["model"].unique(), key=lambda name: (name.startswith(FREE), name != FREE_MIX, name))
    able = forecasts.filter(~pl.col("void"), "calibrated").filter(pl.len().over(QUESTION) == len(models))
    able = able.sort("symbol", "horizon_min", pl.col("model").cast(pl.Enum(models)), "snapshot_utc")
    losses = elementary_losses(able, [VERSION])
    pinball, answers = mean_pinball(losses), {name: np.flatnonzero(able["model"] == name) for name in models}
    for loss, other in OTHERS.items():
        beside = pinball[:, answers[other]] if other in answers else np.nan
        losses[loss] = np.empty_like(pinball)
        for own in answers.values():  # all answer the same questions in the same order
            losses[loss][:, own] = beside
    groups = able.group_by(GROUP, maintain_order=True).len()
    found = DaySums.of_cells(losses, able["session"].to_physical().to_numpy(), groups["len"].to_numpy())
    for group, sums in zip(groups.select(GROUP).iter_rows(), found, strict=True):
        yield *group, sums


def _entries(groups: Sequence[Group], params: GatesParams) -> list[Document]:
    """One entry a group, in their order."""
    found: dict[int, Document] = {}
    for members, sums in by_shape([sums for *_, sums in groups]):
        totals, daily = sums.totals(), {name: values[:, 0] for name, values in sums.daily.items()}
        figures, own = summary(totals), mean_pinball(daily)
        skills = {name: _skills(own, daily[other], params) for name, other in SKILLS.items()}
        for at, member in enumerate(members):
            found[member] = {
                **dict(zip(GROUP, groups[member][:-1], strict=True)),
                "n": int(totals.together["n"][at, 0]),
                "n_days": sums.n_days,
                **{name: rounded(figures[name][at, 0]) for name in FIGURES},
                **{name: skills[name][at] for name in SKILLS},
            }
    return [found[at] for at in range(len(groups))]


def _skills(own: Floats, other: Floats, params: GatesParams) -> list[Document]:
    """Skills in percent over another model, with their bounds from drawn days. *Shapes*: losses (groups, days)."""
    value = _percent(own.sum(axis=-1), other.sum(axis=-1))
    against = own - np.nan_to_num(ratio(own.sum(axis=-1), other.sum(axis=-1)))[:, None] * other
    ends = np.full((2, len(own)), np.nan)
    for block, places in places_by_block(block_days(against[:, None], params)):
        if block is not None:
            weights = drawn_days(own.shape[-1], block, params).T
            draws = _percent(own[places] @ weights, other[places] @ weights)
            ends[:, places] = bounds(draws, (1.0 - params.skill_confidence, params.skill_confidence))
    return [
        {"value": rounded(one), "ci": [rounded(low), rounded(high)] if np.isfinite(low) else None}
        for one, low, high in zip(value, *ends, strict=True)
    ]


def _percent(own: Floats, other: Floats) -> Floats:
    return np.asarray(100.0 * (1.0 - ratio(own, other)))
