"""Stage `seal`: the record cut into the search span with its outcomes, the embargo and the holdout's sealed spans."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import polars as pl

from stages.calibration.past import OF_BARS, with_outcomes
from stages.engine import engine
from stages.engine.engine import OnTables
from stages.io.atomic import replaced_directory
from stages.io.files import (
    PartitionedTables,
    read_json,
    read_table,
    read_table_parts,
    write_json,
    write_table,
    write_table_parts,
)
from stages.io.parquet import read_distinct
from stages.io.partitions import Partition, Writer, partitions_of, staged
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.split import CutParams
from stages.params.storage import StorageParams
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.sessions.spans import Span, cut_sessions, within
from stages.tables.forecasts import Calibrated, FreeWeights, Scored
from stages.tables.market import Bars, Calendar

CALIBRATED = Path("artifacts/calibrate/calibrated.parquet")
FREE = Path("artifacts/calibrate/free.parquet")
WEIGHTS = Path("artifacts/calibrate/free_weights.parquet")
BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
SEARCH = Path("artifacts/seal/search")
HOLDOUT = Path("artifacts/seal/holdout")


def main() -> None:
    """Bars and forecasts -> the search span, and sealed spans without outcomes, on which no choice may be made."""
    storage, calendar = read_params(StorageParams), read_table(Calendar, CALENDAR)
    bars, usable = partitions_of(BARS, Bars), usable_sessions(read_json(REPORT, verdict_alone))
    spans = cut_sessions(calendar, read_distinct(CALIBRATED, ["session"]), read_params(CutParams))
    with replaced_directory(SEARCH) as search, replaced_directory(HOLDOUT) as holdout, ExitStack() as stack:
        cut = {search: spans.search, **{holdout / one.name: one for one in spans.holdout}}
        stages = {stack.enter_context(staged(folder / "bars", storage)): span for folder, span in cut.items()}
        work = OnTables(partial(_bars, [(stage.writer, span) for stage, span in stages.items()]))
        written = zip(*engine.run(work, {key: (one,) for key, one in bars.items()}, "sealing").values(), strict=True)
        for (stage, span), partitions in zip(stages.items(), written, strict=True):
            stage.keep(partitions)
            write_table(Calendar, within(span, calendar), stage.folder.with_name("calendar.parquet"))
        searched = PartitionedTables.some(OF_BARS, search / "bars")
        for source in (CALIBRATED, FREE):
            scored = (with_outcomes(part, searched, usable) for part in _forecasts(source, spans.search))
            write_table_parts(Scored, scored, search / source.name)
        write_table(FreeWeights, within(spans.search, read_table(FreeWeights, WEIGHTS)), search / WEIGHTS.name)
        write_json(spans.search.as_document() | {"holdout": spans.held}, search / "span.json")
        for span in spans.holdout:
            write_table_parts(Calibrated, _forecasts(CALIBRATED, span), holdout / span.name / "calibrated.parquet")
            write_json(span.as_document(), holdout / span.name / "span.json")
    say("seal", search=len(spans.search), embargo=len(spans.embargo), holdout=sum(spans.held.values()))


def _bars(spans: Sequence[tuple[Writer, Span]], symbol: str, bars: pl.DataFrame) -> list[Partition]:
    """The symbol's bars in each span, written where the span is kept."""
    return [writer.write(symbol, within(span, bars)) for writer, span in spans]


def _forecasts(source: Path, span: Span) -> Iterator[pl.DataFrame]:
    """The span's forecasts, a part of the record at a time."""
    return filter(len, read_table_parts(Calibrated, source, session=list(span.sessions)))


if __name__ == "__main__":
    run(main)
