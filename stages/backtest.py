"""Stage `backtest`: the rule that params state, trade by trade, on the search span."""

from pathlib import Path

import polars as pl

from stages.io.files import PartitionedTables, read_json, read_table, write_csv, write_table
from stages.io.parquet import read_distinct
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationMethod
from stages.params.forecaster import ForecasterModel
from stages.params.rules import CostsParams, RulesParams
from stages.params.source import BarsOrigin
from stages.params.universe import Whitelist
from stages.runs.trial_log import log_variants
from stages.tables.forecasts import Traded, makers, origin
from stages.tables.market import Calendar, Prices
from stages.tables.trades import Daily, Signals
from stages.trading.daily import book_curve, daily_table
from stages.trading.performance import book_of, summary
from stages.trading.simulate import simulate
from stages.trading.strategy import Strategy, eligible_cells, require_tradable

BARS = Path("artifacts/seal/search/bars")
CALENDAR = Path("artifacts/seal/search/calendar.parquet")
CALIBRATED = Path("artifacts/seal/search/calibrated.parquet")
GATES = Path("artifacts/score_forecasts/forecast_gates.json")
TRADES = Path("artifacts/backtest/bt_trades.csv")
DAILY = Path("artifacts/backtest/daily.parquet")
EQUITY = Path("artifacts/backtest/equity.csv")
SIGNALS = Path("artifacts/backtest/signals.parquet")
SUMMARY = Path("artifacts/backtest/bt_summary.csv")


def main() -> None:
    """Search bars and calibrated forecasts -> trades, the reason of every trade not made, and daily P&L."""
    strategy = Strategy(
        rules=read_params(RulesParams),
        costs=read_params(CostsParams),
        method=read_params(CalibrationMethod).method,
        model=read_params(ForecasterModel).model,
        whitelist=read_params(Whitelist).whitelist,
        eligible=eligible_cells(read_json(GATES)),
    )
    source = read_params(BarsOrigin)
    calendar = read_table(Calendar, CALENDAR)
    forecasts = read_table(Traded, CALIBRATED, model=[strategy.model], method=[strategy.method])
    asked = makers(read_distinct(CALIBRATED, ["key", "source"]))
    require_tradable(strategy, forecasts)

    result = simulate(PartitionedTables.of(Prices, BARS), forecasts, calendar, strategy)
    daily = daily_table(result.trades, calendar["session"].to_list(), strategy.whitelist, strategy.trading)
    label = pl.lit(origin(asked, source.kind, source.name)).alias("forecast")
    figures = summary(strategy, book_of(result.trades, calendar), calendar)

    log_variants(figures)
    write_csv(result.trades, TRADES)
    write_table(Daily, daily, DAILY)
    write_csv(book_curve(daily).with_columns(label), EQUITY)
    write_table(Signals, result.signals, SIGNALS)
    write_csv(figures, SUMMARY)
    say("backtest", combo=strategy.combo, signals=result.signals.height, trades=result.trades.height)


if __name__ == "__main__":
    run(main)
