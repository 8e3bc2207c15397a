"""Stage `build_features`: leakage-safe features, one row a symbol and minute."""

from pathlib import Path

from stages.engine import engine
from stages.engine.engine import SymbolTask
from stages.features.catalogue import PerSymbol, require_buildable
from stages.features.context import Context
from stages.features.minutes import nulls_due, unknown_report
from stages.io.dated_files import read_events
from stages.io.files import read_json, read_table, write_json
from stages.io.partitions import partitions_of, staged
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.features import FeaturesParams
from stages.params.storage import StorageParams
from stages.params.universe import Surroundings
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.tables.market import Bars, Calendar

BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
FEATURES = Path("artifacts/build_features/features")
UNKNOWN = Path("artifacts/build_features/feature_report.json")


def main() -> None:
    """Sound bars -> what may be known at each minute."""
    params = read_params(FeaturesParams)
    near = read_params(Surroundings)
    storage = read_params(StorageParams)
    usable = usable_sessions(read_json(REPORT, verdict_alone))
    calendar = read_table(Calendar, CALENDAR)
    around = Context(near.context_symbol, read_events(params.events), near.context_symbols)
    bars = partitions_of(BARS, Bars)

    require_buildable(params, around)
    with staged(FEATURES, storage) as stage:
        build = SymbolTask(PerSymbol(params, calendar, around), stage.writer)
        led = [bars[leader] for leader in around.leaders(params.names).values()]
        given = {symbol: (one, usable[symbol], *led) for symbol, one in bars.items()}
        built = engine.run(build, given, "building features")
        report = unknown_report({symbol: counts for symbol, (_, counts) in built.items()}, params)
        stage.keep(partition for partition, _ in built.values())
        write_json(report, UNKNOWN)
    say(
        "build_features",
        features=len(params.names),
        symbols=len(built),
        rows=sum(partition.rows for partition, _ in built.values()),
        nulls_due=nulls_due(report),
    )


if __name__ == "__main__":
    run(main)
