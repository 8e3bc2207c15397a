"""The whole configuration, and the content hash of every file behind the page."""

from typing import Any

import yaml

from stages.reporting.content import Section, grid
from stages.reporting.record import Record
from stages.reporting.words import count


def inputs(record: Record) -> Section:
    """What to compare when two pages differ."""
    by_source = sorted(record.answers["by_source"].items())
    answers = ", ".join(f"{count(many, 'answer')} from {name}" for name, many in by_source)
    files = count(len(record.manifest["files"]), "listed file")
    bars = "are artificial, made by params section source" if record.is_synthetic else f"come from {files}"
    sentences = (
        f"The bars {bars}; the forecasts are {answers}.",
        "Each figure names the files it was drawn from; these are their hashes, as in dvc.lock. The same hashes mean "
        "the same run. How answers were bought (params section api) is no part of it.",
    )
    table = grid(
        "Content of the files behind this page", ("file under artifacts/", "md5"), sorted(record.hashes.items())
    )
    return Section("inputs", "Inputs", sentences, grids=(table,), dump=as_yaml(record.config))


def as_yaml(config: Any) -> str:
    """Params as they stand in params.yaml, sections in their order."""
    text: str = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return text
