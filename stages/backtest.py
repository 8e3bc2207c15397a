"""Stage `backtest`: the rule that params state, trade by trade, on the search span."""

from pathlib import Path

import polars as pl

from stages.backtesting.daily import book_curve, daily_table
from stages.backtesting.simulate import simulate
from stages.backtesting.strategy import Strategy, eligible_cells
from stages.backtesting.summary import book_of, summary
from stages.calibration.params import CalibrationMethod
from stages.forecasting.params import ForecasterModel
from stages.outside.entry import run, say
from stages.outside.files import read_json, read_table, write_csv, write_table
from stages.outside.runs.trials import log_variants
from stages.outside.settings import read_params
from stages.outside.tables_in import TablesIn
from stages.reporting.origin import makers, origin
from stages.rules.params import CostsParams, RulesParams
from stages.sources.params import BarsOrigin
from stages.tables.bars import Prices
from stages.tables.calendar import Calendar
from stages.tables.calibrated import Calibrated
from stages.tables.signals import Signals
from stages.tables.trades import Daily
from stages.universe.params import UniverseParams

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
    """Search bars and calibrated forecasts -> trades, the reason of every trade not made, and what a day earned."""
    whitelist = read_params(UniverseParams).whitelist
    strategy = Strategy(
        rules=read_params(RulesParams),
        costs=read_params(CostsParams),
        method=read_params(CalibrationMethod).method,
        model=read_params(ForecasterModel).model,
        whitelist=whitelist,
        eligible=eligible_cells(read_json(GATES)),
    )
    source = read_params(BarsOrigin)
    calendar = read_table(Calendar, CALENDAR)
    forecasts = read_table(Calibrated, CALIBRATED, method=[strategy.method])

    result = simulate(TablesIn.of(Prices, BARS), forecasts, calendar, strategy)
    daily = daily_table(result.trades, calendar["session"].to_list(), whitelist)
    label = pl.lit(origin(makers(forecasts), source.kind, source.name)).alias("forecast")
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
