"""A figure as a PNG, for places that run no script: a comment, a mail, a slide.

The page's colours are CSS variables; here they are those of light paper, and the label is drawn into the picture.
"""

import json
import re
from typing import Any

import vl_convert

from stages.reporting.charts import HEIGHT, THEME, Figure
from stages.reporting.page import VEGA_LITE, templates

WIDTH = 640
SCALE = 2.0
VARIABLE = re.compile(r"var\((--[a-z0-9-]+)\)")


def png(figure: Figure, label: str) -> bytes:
    """The figure under its title and its label."""
    title = {"text": figure.title, "subtitle": label, "anchor": "start", "subtitleColor": "var(--ink-2)"}
    spec = figure.spec | {"width": WIDTH, "height": figure.spec.get("height", HEIGHT), "title": title}
    theme = THEME | {"background": "var(--paper)", "padding": 12, "font": "sans-serif"}
    drawn: bytes = vl_convert.vegalite_to_png(
        _on_paper(spec), vl_version=VEGA_LITE, config=_on_paper(theme), scale=SCALE
    )
    return drawn


def _on_paper(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every variable as its colour."""
    colours = light_colours()
    text = VARIABLE.sub(lambda found: colours[found[1]], json.dumps(document))
    drawn: dict[str, Any] = json.loads(text)
    return drawn


def light_colours() -> dict[str, str]:
    """The variables of the style sheet's first block, which stands for light paper."""
    environment = templates()
    assert environment.loader is not None  # noqa: S101 - for the type checker
    style = environment.loader.get_source(environment, "style.css")[0]
    return dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", style[: style.index("}")]))
