"""Stage `fetch_bars`: minute bars of the universe as delivered, and the calendar of their sessions."""

from pathlib import Path

from stages.outside import engine
from stages.outside.entry import run, say
from stages.outside.files import read_json, write_table
from stages.outside.settings import read_params
from stages.outside.source.bucket import bars_to_fetch
from stages.outside.storing.params import StorageParams
from stages.outside.storing.partitions import staged
from stages.outside.storing.passes import Pass
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
    storage = read_params(StorageParams)
    manifest = read_json(MANIFEST)

    calendar = trading_calendar(universe.first_session, universe.last_session)
    with staged(BARS, storage) as stage:
        given, fetch = bars_to_fetch(manifest, source, calendar, stage.writer)
        fetched = engine.run(Pass(fetch, stage.writer), given, "reading bars")
        stage.keep(partition for partition, _ in fetched.values())

    write_table(Calendar, calendar, CALENDAR)
    say("fetch_bars", symbols=len(fetched), sessions=calendar.height, rows=sum(rows for _, rows in fetched.values()))


if __name__ == "__main__":
    run(main)
