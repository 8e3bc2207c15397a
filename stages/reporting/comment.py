"""The pull-request comment: what a change does to a run, as markdown with figures as PNG pictures.

It holds verdict, price in calls, metrics and pictures. A PNG needs no script, so it also works in mail and slides; the
page's CSS colours are replaced by those of the light theme, and the label is drawn into the picture.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

from stages.errors import count
from stages.reporting.charts import HEIGHT, THEME, VEGA_LITE, Figure
from stages.reporting.compare import Differing, Runs, params, verdicts
from stages.reporting.elements import MISSING, Grid, grid, measure, sharpe
from stages.reporting.markdown import as_code
from stages.reporting.page import rendered, text_of
from stages.reporting.record import Record
from stages.reporting.verdict import headline

WIDTH = 640
SCALE = 2.0
VARIABLE = re.compile(r"var\((--[a-z0-9-]+)\)")


def png(figure: Figure, label: str) -> bytes:
    """The figure as a PNG with its title and label."""
    title = {"text": figure.title, "subtitle": label, "anchor": "start", "subtitleColor": "var(--ink-2)"}
    spec = figure.spec | {"width": WIDTH, "height": figure.spec.get("height", HEIGHT), "title": title}
    theme = THEME | {"background": "var(--paper)", "padding": 12, "font": "sans-serif"}
    drawn: bytes = vl_convert.vegalite_to_png(
        _on_paper(spec), vl_version=VEGA_LITE, config=_on_paper(theme), scale=SCALE
    )
    return drawn


def _on_paper(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every CSS variable replaced by its colour."""
    colours = light_colours()
    text = VARIABLE.sub(lambda found: colours[found[1]], json.dumps(document))
    drawn: dict[str, Any] = json.loads(text)
    return drawn


def light_colours() -> dict[str, str]:
    """The variables of the first block of the style sheet, which is the light theme."""
    style = text_of("style.css")
    return dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", style[: style.index("}")]))


BUY = "Buy what is missing (`api: online`), then run it again: answers reach the remote as they are bought."
RUN = "`make run` finishes it, or says in one sentence what prevents it."


@dataclass(frozen=True)
class Price:
    """The questions of a proposal and their price; `maker` is the local forecaster, if one answers.

    *Units*: questions, and HTTP requests at one per snapshot or packed; None for questions that are never packed.
    """

    questions: int
    new: int
    missing: int
    requests: int
    packed_requests: int | None
    maker: str | None = None

    @property
    def words(self) -> str:
        """The price of the change in one sentence."""
        asked = f"{count(self.questions, 'question')}, {self.new:,} of them new with this change"
        if self.maker is not None:
            return f"**0 calls**: {asked}; {as_code(self.maker)} answers on the machine that runs."
        if not self.missing:
            return f"**0 calls**: {asked}; every answer is in the store."
        packed = "" if self.packed_requests is None else f" ({self.packed_requests:,} with `api.pack: snapshots`)"
        return f"**{count(self.requests, 'call')}**{packed}: {asked}; {count(self.missing, 'answer')} must be bought."


@dataclass(frozen=True)
class Change:
    """A base and a proposal: which params differ, and the results of both.

    `after` is None, and `waiting` names the stages, when the proposal did not run to its end.
    """

    base: str
    differing: Differing
    price: Price
    before: Record
    metrics_before: Mapping[str, Any]
    after: Record | None = None
    metrics_after: Mapping[str, Any] | None = None
    waiting: Sequence[str] = ()


def render_comment(change: Change, pictures: Mapping[str, str]) -> str:
    """The markdown; `pictures` are alt texts by the address of the picture."""
    after = change.after
    differing = params({change.base: change.before, "this change": change.before}, change.differing)
    return rendered(
        "comment.md.j2",
        base=change.base,
        price=change.price.words,
        remedy=BUY if change.price.missing else RUN,
        waiting=", ".join(f"`{stage}`" for stage in change.waiting),
        before=headline(change.before),
        after=headline(after) if after else None,
        label=(after or change.before).label,
        metrics=metrics(change),
        sections=[differing, *([verdicts(runs_of(change))] if after else [])],
        pictures=pictures,
    )


def runs_of(change: Change) -> Runs:
    """Base and proposal, by their names in the comment."""
    after = {"this change": change.after} if change.after else {}
    return {change.base: change.before} | after


def metrics(change: Change) -> Grid | None:
    """Each figure of `dvc metrics` before and after; None while the proposal has not run to its end."""
    if change.metrics_after is None:
        return None
    before, after = change.metrics_before, change.metrics_after
    errors = [_errors(record) for record in runs_of(change).values()]
    lines = [
        (
            f"{name} ± standard error" if name in errors[0] else name,
            *(_text(side.get(name), error.get(name)) for side, error in zip((before, after), errors, strict=True)),
            _difference(before.get(name), after.get(name)),
        )
        for name in dict.fromkeys([*before, *after])
    ]
    tried = " and ".join(count(record.trials, "trial") for record in runs_of(change).values())
    return grid(f"Metrics, after {tried}", ("metric", change.base, "this change", "difference"), lines)


def _errors(record: Record) -> dict[str, float | None]:
    """The standard error of each Sharpe ratio among the metrics."""
    kpis = record.oos["kpis"] or {}
    return {"sharpe": record.book["sharpe_se"], "oos_sharpe": kpis.get("sharpe_se")}


def _text(value: Any, error: float | None) -> str:
    if error is not None:
        return sharpe(value, error)
    return measure(value) if value is None or isinstance(value, int | float) else str(value)


def _difference(before: Any, after: Any) -> str:
    if not (isinstance(before, int | float) and isinstance(after, int | float)):
        return MISSING if before == after else "changed"
    return measure(after - before, 0.0) if after != before else MISSING
