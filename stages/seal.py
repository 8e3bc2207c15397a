"""Stage `seal`: cut the record into the search span, the embargo and the holdout's envelope."""

from functools import partial
from pathlib import Path

from stages.outside import engine
from stages.outside.entry import run, say
from stages.outside.files import read_table, read_table_parts, write_json, write_table, write_table_parts
from stages.outside.settings import read_params
from stages.outside.storing.params import StorageParams
from stages.outside.storing.parquet import read_distinct
from stages.outside.storing.partitions import partitions_of, staged
from stages.outside.storing.passes import Pass
from stages.splitting.cut import bars_within, cut_sessions, within
from stages.splitting.params import CutParams
from stages.tables.bars import Bars
from stages.tables.calendar import Calendar
from stages.tables.calibrated import Calibrated

CALIBRATED = Path("artifacts/calibrate/calibrated.parquet")
BARS = Path("artifacts/check_data/bars")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
SEARCH = Path("artifacts/seal/search")
HOLDOUT = Path("artifacts/seal/holdout")


def main() -> None:
    """Bars and calibrated rows -> two folders; what feeds a choice may open only the first."""
    params = read_params(CutParams)
    storage = read_params(StorageParams)
    calendar = read_table(Calendar, CALENDAR)
    bars = {symbol: (one,) for symbol, one in partitions_of(BARS, Bars).items()}

    spans = cut_sessions(calendar, read_distinct(CALIBRATED, ["session"]), params)

    for folder, span in ((SEARCH, spans.search), (HOLDOUT, spans.holdout)):
        with staged(folder / "bars", storage) as stage:
            cut = Pass(partial(bars_within, span=span), stage.writer)
            stage.keep(partition for partition, _ in engine.run(cut, bars, f"sealing {span.name}").values())
        write_table(Calendar, within(span, calendar), folder / "calendar.parquet")
        kept = (within(span, part) for part in read_table_parts(Calibrated, CALIBRATED))
        write_table_parts(Calibrated, kept, folder / "calibrated.parquet")
        write_json(span.as_document(), folder / "span.json")
    say("seal", search=len(spans.search), embargo=len(spans.embargo), holdout=len(spans.holdout))


if __name__ == "__main__":
    run(main)
