"""Stage `sweep`: the whole rule grid on the search span, ranked honestly; a proposal."""

from pathlib import Path

from stages.backtesting.engine import trade_grid
from stages.backtesting.grid import combos, demand_swept
from stages.backtesting.market import markets_of
from stages.backtesting.params import SweepParams
from stages.backtesting.proposal import proposal
from stages.backtesting.ranking import Swept, ranking
from stages.backtesting.strategy import Strategy, eligible_cells
from stages.backtesting.summary import summary
from stages.calibration.params import CalibrationMethod
from stages.forecasting.params import ForecasterModel
from stages.outside.entry import run, say
from stages.outside.files import clear, read_json, read_table, read_tables, write_csv, write_json, write_table
from stages.outside.runs.trials import log_variants
from stages.outside.settings import read_params
from stages.rules.params import CostsParams, RulesParams
from stages.tables.bars import Bars
from stages.tables.calendar import Calendar
from stages.tables.calibrated import Calibrated
from stages.tables.grid import GridDaily
from stages.universe.params import UniverseParams

BARS = Path("artifacts/seal/search/bars")
CALENDAR = Path("artifacts/seal/search/calendar.parquet")
CALIBRATED = Path("artifacts/seal/search/calibrated.parquet")
GATES = Path("artifacts/score_forecasts/forecast_gates.json")
GRID = Path("artifacts/sweep/grid")
RANKING = Path("artifacts/sweep/ranking.csv")
DAILY = Path("artifacts/sweep/daily.parquet")
PROPOSAL = Path("artifacts/sweep/proposal.json")


def main() -> None:
    """Search bars and calibrated forecasts -> every variant of the rule, ranked, and one proposed."""
    params = read_params(SweepParams)
    base = Strategy(
        rules=read_params(RulesParams),
        costs=read_params(CostsParams),
        method=read_params(CalibrationMethod).method,
        model=read_params(ForecasterModel).model,
        whitelist=read_params(UniverseParams).whitelist,
        eligible=eligible_cells(read_json(GATES)),
    )
    calendar = read_table(Calendar, CALENDAR)
    forecasts = read_table(Calibrated, CALIBRATED)

    demand_swept(base, params.grid, forecasts)
    variants = combos(base, params.grid)
    markets = markets_of(read_tables(Bars, BARS), forecasts, calendar, base)
    books = trade_grid(markets, calendar.height, [combo.strategy for combo in variants])
    swept = Swept(base, variants, books, calendar)
    ranked = ranking(swept, params)
    proposed = proposal(swept, ranked, params.choose_by)

    log_variants(ranked["combo"])
    clear(GRID)
    for combo, book in zip(variants, books, strict=True):
        write_csv(summary(combo.strategy, book, calendar), GRID / combo.strategy.combo / "bt_summary.csv")
    write_csv(ranked, RANKING)
    write_table(GridDaily, swept.daily(), DAILY)
    write_json(proposed, PROPOSAL)
    say("sweep", combos=len(variants), traded=(ranked["trades"] > 0).sum(), proposed=proposed["combo"])


if __name__ == "__main__":
    run(main)
