"""Stage `evaluate`: book, cost curve and verdict; out of sample too if the holdout was opened for this strategy."""

from pathlib import Path

from stages.io.files import read_csv, read_json, read_sheet, write_csv, write_json, write_table
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationParams
from stages.params.features import FeaturesParams
from stages.params.forecaster import ForecasterParams
from stages.params.gates import GatesParams
from stages.params.portfolio import PortfolioParams
from stages.params.quality import QualityParams
from stages.params.requests import RequestsParams
from stages.params.rules import CostsParams, RulesParams
from stages.params.source import SourceParams
from stages.params.split import SplitParams
from stages.params.universe import UniverseParams
from stages.quality.verdicts import usable_sessions
from stages.runs.spans import open_span, read_span
from stages.tables.trades import Daily, Trades
from stages.trading.book import Span, cost_curve, delay_table, portfolio_table
from stages.trading.holdout import open_parts
from stages.trading.outcome import Outcome, gates_document, oos_document, summary
from stages.trading.strategy import Strategy, eligible_cells, strategy_id

MANIFEST = Path("artifacts/list_source/manifest.json")
REPORT = Path("artifacts/check_data/dq_report.json")
SEARCH = Path("artifacts/seal/search")
HOLDOUT = Path("artifacts/seal/holdout")
METRICS = Path("artifacts/score_forecasts/metrics.json")
FORECAST_GATES = Path("artifacts/score_forecasts/forecast_gates.json")
RANKING = Path("artifacts/sweep/ranking.csv")
TRADES = Path("artifacts/backtest/bt_trades.csv")
GATES = Path("artifacts/evaluate/gates.json")
OOS = Path("artifacts/evaluate/oos.json")
OOS_TRADES = Path("artifacts/evaluate/oos_trades.csv")
OOS_DAILY = Path("artifacts/evaluate/oos_daily.parquet")
PORTFOLIO = Path("artifacts/evaluate/portfolio.csv")
COST_CURVE = Path("artifacts/evaluate/cost_curve.csv")
DELAY = Path("artifacts/evaluate/delay.csv")
SUMMARY = Path("artifacts/evaluate/summary.json")


def main() -> None:
    """Search trades, forecast gates and, only if opened for this strategy's id, the holdout -> verdict and evidence."""
    source, quality, features = read_params(SourceParams), read_params(QualityParams), read_params(FeaturesParams)
    rules, costs, universe = read_params(RulesParams), read_params(CostsParams), read_params(UniverseParams)
    requests, forecaster = read_params(RequestsParams), read_params(ForecasterParams)
    calibration, portfolio = read_params(CalibrationParams), read_params(PortfolioParams)
    split, gates = read_params(SplitParams), read_params(GatesParams)
    metrics, forecast_gates = read_json(METRICS), read_json(FORECAST_GATES)
    held, usable = read_json(SEARCH / "span.json")["holdout"], usable_sessions(read_json(REPORT))

    eligible = eligible_cells(forecast_gates)
    strategy = Strategy(rules, costs, calibration.method, forecaster.model, universe.whitelist, eligible)
    stated = (source, universe, quality, features, requests, forecaster, calibration, split, rules, costs, portfolio)
    name = strategy_id(stated, read_json(MANIFEST), strategy.trading)
    search = Span(read_span(SEARCH, strategy.method), read_csv(Trades, TRADES))
    opened = {
        part: Span.of(open_span(HOLDOUT / part, name, strategy.method, usable), strategy)
        for part in open_parts(held, split.open_holdout, name)
    }
    outcome = Outcome(name, split.open_holdout, strategy, search, held, opened)
    verdict = gates_document(outcome, forecast_gates, metrics["controls"], read_sheet(RANKING), gates)

    write_json(verdict, GATES)
    write_json(oos_document(outcome, gates), OOS)
    write_csv(outcome.released_trades, OOS_TRADES)
    write_table(Daily, outcome.released_daily, OOS_DAILY)
    write_csv(portfolio_table(outcome.spans | outcome.months, universe.whitelist), PORTFOLIO)
    write_csv(cost_curve(outcome.spans, strategy, portfolio.cost_multiples), COST_CURVE)
    write_csv(delay_table(outcome.spans, strategy, portfolio.delay_sensitivity_bars), DELAY)
    write_json(summary(outcome, verdict, metrics), SUMMARY)
    say("evaluate", strategy=name, holdout=outcome.status, verdict=verdict["verdict"])


if __name__ == "__main__":
    run(main)
