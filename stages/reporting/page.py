"""The page and the markdown reports: which sections each holds, in reading order, and how they are rendered.

The page is one self-contained HTML file, with the same bytes for the same record. The markdown reports hold its
sentences and tables without figures.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from stages.reporting.charts import THEME
from stages.reporting.costs import costs
from stages.reporting.coverage import coverage
from stages.reporting.data import data, inputs, sources
from stages.reporting.elements import SIGNS, Section
from stages.reporting.equity import equity, walk_forward
from stages.reporting.fans import fans
from stages.reporting.free import free
from stages.reporting.gates import gates
from stages.reporting.markdown import CODE, as_code, fenced, in_address, in_cell, in_text
from stages.reporting.record import Record
from stages.reporting.returns import returns
from stages.reporting.skill import controls, skill
from stages.reporting.sweep import sweep
from stages.reporting.verdict import headline
from stages.reporting.worth import card_of, worth

Describe = Callable[[Record], Section]

SUMMARY: tuple[Describe, ...] = (worth, gates, sources)
RESULTS: tuple[Describe, ...] = (coverage, fans, equity, returns, sweep, walk_forward, costs, controls, inputs)
EVIDENCE: tuple[Describe, ...] = (data, free, skill, *RESULTS)
PAGE: tuple[Describe, ...] = SUMMARY + EVIDENCE
SINCE_WORTH = {worth, free}  # the earliest runs have neither
ROBUSTNESS: tuple[Describe, ...] = (gates, equity, returns, sweep, walk_forward, costs, controls, inputs)


def render_page(record: Record, panels: Sequence[Section] = (), run: str = "") -> str:
    """Verdict, gates and sources, then the evidence; `run` and `panels` are for pages that no hash covers."""
    return rendered(
        "page.html.j2",
        study=record.config["report"]["study"],
        label=record.label,
        run=run,
        headline=headline(record),
        card=card_of(record),
        sections=[*_described(record, SUMMARY), *panels, *_described(record, EVIDENCE)],
        vega=vega(),
        theme=THEME,
    )


def rendered(template: str, **values: object) -> str:
    """A template with these values."""
    return templates().get_template(template).render(**values)


@cache
def templates() -> Environment:
    """Jinja with the package's templates: HTML is escaped, an unknown name is an error, JSON keys are sorted."""
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
    for safe in (in_text, in_cell, as_code, fenced, in_address):
        environment.filters[safe.__name__] = safe
    return environment


def _ticked(text: str) -> Markup:
    """Escaped text with backticks rendered as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


@cache
def vega() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, in which `</script` is escaped; `make plots-page` writes it."""
    return Markup(text_of("vega.js"))  # noqa: S704 - a library's own code


def text_of(name: str) -> str:
    """The text of a file in the folder of templates."""
    environment = templates()
    assert environment.loader is not None  # noqa: S101 - for the type checker
    return environment.loader.get_source(environment, name)[0]


def render_report(record: Record) -> str:
    """Every section of the page without its figures."""
    return _render(record, record.config["report"]["study"], PAGE)


def render_robustness(record: Record) -> str:
    """Gates, results, the top of the grid, cost curves and the whole configuration."""
    return _render(record, f"Robustness: {record.config['report']['study']}", ROBUSTNESS)


def _render(record: Record, title: str, contents: tuple[Describe, ...]) -> str:
    return rendered(
        "report.md.j2",
        title=title,
        label=record.label,
        headline=headline(record),
        card=card_of(record),
        sections=_described(record, contents),
    )


def _described(record: Record, contents: tuple[Describe, ...]) -> list[Section]:
    """The sections of a record, without those for which it is too old."""
    return [_section(describe, record) for describe in contents if describe not in SINCE_WORTH or record.worth]


@lru_cache(maxsize=2 * len(PAGE))
def _section(describe: Describe, record: Record) -> Section:
    """A section of a record, drawn once for the page and both reports."""
    return describe(record)
