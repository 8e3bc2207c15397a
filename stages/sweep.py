"""Stage `sweep`: the complete rule grid on the search span, ranked with all trials counted; a proposal."""

from functools import partial
from pathlib import Path

from stages.engine import engine
from stages.io.files import (
    PartitionedTables,
    read_json,
    read_table,
    write_csv,
    write_csv_folder,
    write_json,
    write_table_parts,
)
from stages.io.parquet import read_distinct
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationMethod
from stages.params.forecaster import ForecasterModel
from stages.params.rules import CostsParams, RulesParams
from stages.params.split import WalkForwardParams
from stages.params.sweep import SweepParams
from stages.params.universe import Whitelist
from stages.runs.trial_log import log_variants
from stages.sessions.spans import folds
from stages.tables.forecasts import Traded
from stages.tables.market import Calendar, Prices
from stages.tables.trades import GridDaily
from stages.trading.grid import KIND, combos, require_swept
from stages.trading.performance import in_folders
from stages.trading.ranking import Swept, proposal, ranking
from stages.trading.strategy import Strategy, eligible_cells
from stages.trading.trade_grid import Market, trade_in_blocks
from stages.trading.walk_forward import walk_forward

BARS = Path("artifacts/seal/search/bars")
CALENDAR = Path("artifacts/seal/search/calendar.parquet")
CALIBRATED = Path("artifacts/seal/search/calibrated.parquet")
GATES = Path("artifacts/score_forecasts/forecast_gates.json")
GRID = Path("artifacts/sweep/grid")
RANKING = Path("artifacts/sweep/ranking.csv")
DAILY = Path("artifacts/sweep/daily.parquet")
PROPOSAL = Path("artifacts/sweep/proposal.json")
WALK_FORWARD = Path("artifacts/sweep/walk_forward.csv")


def main() -> None:
    """Search bars and calibrated forecasts -> every variant of the rule, ranked, and one proposed."""
    params, walk = read_params(SweepParams), read_params(WalkForwardParams)
    rules, costs = read_params(RulesParams), read_params(CostsParams)
    method, model = read_params(CalibrationMethod).method, read_params(ForecasterModel).model
    whitelist, eligible = read_params(Whitelist).whitelist, eligible_cells(read_json(GATES))
    base = Strategy(rules, costs, method, model, whitelist, eligible)

    require_swept(base, params.grid, read_distinct(CALIBRATED, KIND))
    variants = combos(base, params.grid)
    strategies = [combo.strategy for combo in variants]
    methods = {strategy.method for strategy in strategies}
    forecasts = read_table(Traded, CALIBRATED, model=[base.model], method=methods)
    market = Market(PartitionedTables.of(Prices, BARS), forecasts, read_table(Calendar, CALENDAR)).common_to(strategies)
    calendar = market.calendar
    trade = partial(trade_in_blocks, engine.run)
    books = trade(strategies, market)
    swept = Swept(base, variants, books, calendar)
    ranked = ranking(swept, params)
    proposed = proposal(swept, ranked, params.choose_by)
    walked = walk_forward(swept, folds(calendar["session"].to_list(), walk), market, params, trade)

    log_variants(ranked)
    write_csv(ranked, RANKING)
    write_table_parts(GridDaily, swept.daily(), DAILY)
    write_json(proposed, PROPOSAL)
    write_csv(walked, WALK_FORWARD)
    write_csv_folder(in_folders(strategies, books, calendar, params.folders_up_to), GRID)
    say("sweep", combos=len(variants), traded=(ranked["trades"] > 0).sum(), proposed=proposed["combo"])


if __name__ == "__main__":
    run(main)
