"""The markdown reports: the page's words and tables for a git host, and what the robustness of the result rests on."""

from stages.reporting.contents import PAGE, ROBUSTNESS, Describe
from stages.reporting.headline import headline
from stages.reporting.page import templates
from stages.reporting.record import Record


def render_report(record: Record) -> str:
    """Every section of the page without its figures."""
    return _render(record, record.config["report"]["study"], PAGE)


def render_robustness(record: Record) -> str:
    """Gates, results, the top of the grid, cost curves and the whole configuration."""
    return _render(record, f"Robustness: {record.config['report']['study']}", ROBUSTNESS)


def _render(record: Record, title: str, contents: tuple[Describe, ...]) -> str:
    return (
        templates()
        .get_template("report.md.j2")
        .render(
            title=title,
            label=record.label,
            headline=headline(record),
            sections=[describe(record) for describe in contents],
        )
    )
