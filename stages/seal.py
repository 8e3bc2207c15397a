"""Stage `seal`: cut the record into the search span, the embargo and the holdout's envelope."""

from pathlib import Path

from stages.outside.entry import run, say
from stages.outside.files import read_table, read_tables, write_json, write_table, write_tables
from stages.outside.settings import read_params
from stages.splitting.cut import cut_sessions, within
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
    calendar = read_table(Calendar, CALENDAR)
    calibrated = read_table(Calibrated, CALIBRATED)
    bars = read_tables(Bars, BARS)

    spans = cut_sessions(calendar, calibrated, params)

    for folder, span in ((SEARCH, spans.search), (HOLDOUT, spans.holdout)):
        write_tables(Bars, {symbol: within(span, frame) for symbol, frame in bars.items()}, folder / "bars")
        write_table(Calendar, within(span, calendar), folder / "calendar.parquet")
        write_table(Calibrated, within(span, calibrated), folder / "calibrated.parquet")
        write_json(span.as_document(), folder / "span.json")
    say("seal", search=len(spans.search), embargo=len(spans.embargo), holdout=len(spans.holdout))


if __name__ == "__main__":
    run(main)
