"""Stage `check_data`: sound bars on the gapless grid of regular hours, or a stop that names symbol and session."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from stages.engine import engine
from stages.engine.engine import SymbolTask
from stages.io.dated_files import read_actions, read_halts
from stages.io.files import read_json, read_table, write_json
from stages.io.partitions import partitions_of, staged
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.quality import DialectParams, QualityParams
from stages.params.storage import StorageParams
from stages.params.universe import ReadSymbols
from stages.quality.cross_symbol import among_others, check_labels, excuses
from stages.quality.gate import Known, check_one_symbol
from stages.quality.report import quality_report, require_sound
from stages.tables.market import Calendar

MANIFEST = Path("artifacts/list_source/manifest.json")
DELIVERED = Path("artifacts/fetch_bars/bars")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")


def main() -> None:
    """Bars as delivered -> bars on the grid and a verdict per symbol and session."""
    dialect = read_params(DialectParams)
    symbols = read_params(ReadSymbols)
    quality = read_params(QualityParams)
    storage = read_params(StorageParams)
    actions = read_actions(quality.corporate_actions)
    calendar = read_table(Calendar, CALENDAR)
    halts = read_halts(quality.halts)
    delivered = partitions_of(DELIVERED)

    with staged(BARS, storage) as stage:
        check = SymbolTask(partial(check_one_symbol, dialect=dialect, calendar=calendar, quality=quality), stage.writer)
        known = {symbol: Known(actions.get(symbol, {}), halts) for symbol in delivered}
        given = {symbol: (bars, known[symbol]) for symbol, bars in delivered.items()}
        checks = engine.run(check, given, "checking bars")
        if others := excuses({symbol: one for symbol, (_, one) in checks.items()}, quality):
            again = {symbol: (delivered[symbol], replace(known[symbol], others=one)) for symbol, one in others.items()}
            checks |= engine.run(check, again, "checking bars against other symbols")
        labelled = check_labels({symbol: one for symbol, (_, one) in checks.items()}, dialect, calendar, quality)
        checked = among_others(labelled, quality)
        report = quality_report(checked, read_json(MANIFEST), calendar, quality)
        write_json(report, REPORT)
        require_sound(report, symbols.all_symbols)
        stage.keep(partition for partition, _ in checks.values())
    say(
        "check_data",
        verdict=report["verdict"],
        symbols=len(checked),
        sessions=calendar.height,
        rows=sum(partition.rows for partition, _ in checks.values()),
        dropped=sum(one["sessions_dropped"] for one in report["symbols"].values()),
    )


if __name__ == "__main__":
    run(main)
