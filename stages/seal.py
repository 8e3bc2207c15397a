"""Stage `seal`: the record cut into the search span with its outcomes, the embargo and the holdout's sealed spans."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl

from stages.calibration.past import OF_BARS, with_outcomes
from stages.engine import engine
from stages.engine.engine import SymbolTask
from stages.io.files import (
    PartitionedTables,
    read_json,
    read_table,
    read_table_parts,
    replaced_directory,
    write_json,
    write_table,
    write_table_parts,
)
from stages.io.parquet import read_distinct
from stages.io.partitions import partitions_of, staged
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.split import CutParams
from stages.params.storage import StorageParams
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.sessions.spans import Span, bars_within, cut_sessions, within
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
    params, storage = read_params(CutParams), read_params(StorageParams)
    calendar = read_table(Calendar, CALENDAR)
    bars = {symbol: (one,) for symbol, one in partitions_of(BARS, Bars).items()}
    usable = usable_sessions(read_json(REPORT, verdict_alone))

    spans = cut_sessions(calendar, read_distinct(CALIBRATED, ["session"]), params)

    with replaced_directory(SEARCH) as search, replaced_directory(HOLDOUT) as holdout:
        span_inputs = {holdout / one.name: one for one in spans.holdout}
        for folder, span in {search: spans.search, **span_inputs}.items():
            with staged(folder / "bars", storage) as stage:
                cut = SymbolTask(partial(bars_within, span=span), stage.writer)
                stage.keep(partition for partition, _ in engine.run(cut, bars, f"sealing {span.name}").values())
            write_table(Calendar, within(span, calendar), folder / "calendar.parquet")
        searched = PartitionedTables.some(OF_BARS, search / "bars")
        for source in (CALIBRATED, FREE):
            scored = (with_outcomes(part, searched, usable) for part in _forecasts(source, spans.search))
            write_table_parts(Scored, scored, search / source.name)
        write_table(FreeWeights, within(spans.search, read_table(FreeWeights, WEIGHTS)), search / WEIGHTS.name)
        write_json(spans.search.as_document() | {"holdout": spans.held}, search / "span.json")
        for folder, span in span_inputs.items():
            write_table_parts(Calibrated, _forecasts(CALIBRATED, span), folder / "calibrated.parquet")
            write_json(span.as_document(), folder / "span.json")
    say("seal", search=len(spans.search), embargo=len(spans.embargo), holdout=sum(spans.held.values()))


def _forecasts(source: Path, span: Span) -> Iterator[pl.DataFrame]:
    """The span's forecasts, a part of the record at a time."""
    parts = read_table_parts(Calibrated, source, session=list(span.sessions))
    return (part for part in parts if part.height)


if __name__ == "__main__":
    run(main)
