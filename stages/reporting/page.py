"""The page: one HTML file that loads nothing, the same bytes for the same record."""

import re
from collections.abc import Callable, Sequence
from functools import cache

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from stages.reporting.charts import THEME
from stages.reporting.content import Section
from stages.reporting.contents import EVIDENCE, SUMMARY
from stages.reporting.headline import headline
from stages.reporting.record import Record
from stages.reporting.words import SIGNS

VEGA_LITE = "6.4"
TICKED = re.compile("`([^`]+)`")


def render_page(record: Record, panels: Sequence[Section] = ()) -> str:
    """Verdict first, then gates and sources, `panels` (what no hashed file may hold), and the evidence."""
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            study=record.config["report"]["study"],
            label=record.label,
            headline=headline(record),
            sections=[
                *(describe(record) for describe in SUMMARY),
                *panels,
                *(describe(record) for describe in EVIDENCE),
            ],
            vega=vega(),
            theme=THEME,
        )
    )


@cache
def templates() -> Environment:
    """Jinja over the package's templates: HTML is escaped, a misspelt name is an error, JSON keys are sorted."""
    environment = Environment(
        loader=PackageLoader("stages.reporting"),
        autoescape=select_autoescape(enabled_extensions=["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["SIGNS"] = SIGNS
    environment.filters["ticked"] = _ticked
    environment.filters["in_cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment


def _ticked(text: str) -> Markup:
    """Escaped text in which `words` between backticks are code."""
    return Markup(TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


@cache
def vega() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script; a `</script` inside it must not end the element."""
    bundle: Callable[..., str] = vl_convert.javascript_bundle  # its stub demands what the function does not
    return Markup(bundle(vl_version=VEGA_LITE).replace("</script", "<\\/script"))  # noqa: S704 - a library's own code
