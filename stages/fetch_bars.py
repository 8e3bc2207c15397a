"""Stage `fetch_bars`: minute bars of the universe as delivered, and the calendar of their sessions."""

from pathlib import Path

from stages.engine import engine
from stages.engine.engine import SymbolTask
from stages.fetching.bars import bars_to_fetch
from stages.io.files import read_json, write_table
from stages.io.partitions import staged
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.source import SourceParams
from stages.params.storage import StorageParams
from stages.params.universe import Span
from stages.sessions.calendar import trading_calendar
from stages.tables.market import Calendar

MANIFEST = Path("artifacts/list_source/manifest.json")
BARS = Path("artifacts/fetch_bars/bars")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")


def main() -> None:
    """Manifest -> bars with unchanged values, every file checked against its md5."""
    source = read_params(SourceParams)
    span = read_params(Span)
    storage = read_params(StorageParams)
    manifest = read_json(MANIFEST)

    calendar = trading_calendar(span.first_session, span.last_session)
    with staged(BARS, storage) as stage:
        given, fetch = bars_to_fetch(manifest, source, calendar, stage.writer)
        fetched = engine.run(SymbolTask(fetch, stage.writer), given, "reading bars")
        stage.keep(partition for partition, _ in fetched.values())

    write_table(Calendar, calendar, CALENDAR)
    say("fetch_bars", symbols=len(fetched), sessions=calendar.height, rows=sum(rows for _, rows in fetched.values()))


if __name__ == "__main__":
    run(main)
