"""Stage `build_features`: leakage-safe features, one row a symbol and minute."""

from pathlib import Path

from stages.features.catalogue import build_features
from stages.features.context import Context
from stages.features.params import FeaturesParams
from stages.outside.entry import run, say
from stages.outside.event_files import read_events
from stages.outside.files import read_json, read_table, read_tables, write_frames
from stages.outside.settings import read_params
from stages.quality.verdicts import usable_sessions
from stages.tables.bars import Bars
from stages.tables.calendar import Calendar
from stages.universe.params import UniverseParams

BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
FEATURES = Path("artifacts/build_features/features")


def main() -> None:
    """Sound bars -> what may be known at each minute."""
    params = read_params(FeaturesParams)
    universe = read_params(UniverseParams)
    usable = usable_sessions(read_json(REPORT))
    calendar = read_table(Calendar, CALENDAR)
    around = Context(universe.context_symbol, read_events(params.events))

    features = build_features(read_tables(Bars, BARS), usable, calendar, params, around)

    write_frames(features, FEATURES)
    say(
        "build_features",
        features=len(params.names),
        symbols=len(features),
        rows=sum(frame.height for frame in features.values()),
    )


if __name__ == "__main__":
    run(main)
