"""Stage `fetch_bars`: minute bars of the universe as delivered, and the calendar of their sessions."""

from pathlib import Path

from stages.outside.entry import run, say
from stages.outside.files import read_json, write_frames, write_table
from stages.outside.settings import read_params
from stages.outside.source.bucket import fetch_bars
from stages.sources.params import SourceParams
from stages.tables.calendar import Calendar
from stages.universe.calendar import trading_calendar
from stages.universe.params import UniverseParams

MANIFEST = Path("artifacts/list_source/manifest.json")
BARS = Path("artifacts/fetch_bars/bars")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")


def main() -> None:
    """Manifest -> bars, values unaltered, every file checked against its md5."""
    source = read_params(SourceParams)
    universe = read_params(UniverseParams)
    manifest = read_json(MANIFEST)

    calendar = trading_calendar(universe.first_session, universe.last_session)
    bars = fetch_bars(manifest, source, calendar)

    write_table(Calendar, calendar, CALENDAR)
    write_frames(bars, BARS)
    say("fetch_bars", symbols=len(bars), sessions=calendar.height, rows=sum(frame.height for frame in bars.values()))


if __name__ == "__main__":
    run(main)
