"""Stage `evaluate`: book, cost curve and verdict; also out of sample if the holdout is open for this strategy."""

from pathlib import Path

from stages.engine import engine
from stages.engine.engine import OnTables
from stages.io.files import read_csv, read_json, read_sheet, write_csv, write_json, write_table
from stages.io.terminal import run, say
from stages.params.study import StageStudy
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.runs.spans import SpanFiles, tables_of
from stages.tables.trades import MARKET, Benchmark, Daily, Trades
from stages.trading.book import Span, by_training, cost_curve, delay_table, portfolio_table
from stages.trading.by_symbol import SEARCHED, TradeSymbol, parts_by_span
from stages.trading.holdout import open_parts
from stages.trading.outcome import Outcome, gates_document, oos_document, summary
from stages.trading.strategy import eligible_cells, require_tradable, stated_strategy, strategy_id

STUDY = Path("artifacts/list_source/study.json")
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
BENCHMARK = Path("artifacts/evaluate/benchmark.parquet")
UNGATED = Path("artifacts/evaluate/ungated_daily.parquet")
SUMMARY = Path("artifacts/evaluate/summary.json")


def main() -> None:
    """Search trades, forecast gates and, only if open for this strategy's id, the holdout -> verdict and evidence."""
    study = StageStudy.parse(read_json(STUDY))
    metrics, forecast_gates = read_json(METRICS), read_json(FORECAST_GATES)
    held, usable = read_json(SEARCH / "span.json")["holdout"], usable_sessions(read_json(REPORT, verdict_alone))

    strategy = stated_strategy(study, eligible_cells(forecast_gates))
    name = strategy_id(study.document(), read_json(MANIFEST), strategy.trading)
    opened = open_parts(held, study.split.open_holdout, name)
    parts = {SEARCHED: SpanFiles.searched(SEARCH), **{part: SpanFiles.opened(HOLDOUT / part, name) for part in opened}}
    require_tradable(strategy, parts[SEARCHED].kinds().filter(method=strategy.method))

    calendars, trades = {part: files.calendar for part, files in parts.items()}, read_csv(Trades, TRADES)
    work = TradeSymbol(strategy, study.portfolio, calendars, parts_by_span(held, opened), ungated=trades.is_empty())
    symbols = {*strategy.whitelist, *({MARKET} & parts[SEARCHED].bars.keys())}
    given = {one: (usable.get(one, ()), *tables_of(parts.values(), one, strategy.method)) for one in symbols}
    figures = work.together(engine.each(OnTables(work), given, "evaluating"))
    search, released = Span(calendars[SEARCHED], trades), {part: figures[part].span for part in opened}
    outcome = Outcome(name, study.split.open_holdout, strategy, search, held, released, figures)
    verdict = gates_document(outcome, forecast_gates, metrics["controls"], read_sheet(RANKING), study.gates)

    write_json(verdict, GATES)
    write_json(oos_document(outcome, study.gates), OOS)
    write_csv(outcome.released_trades, OOS_TRADES)
    write_table(Daily, outcome.released_daily, OOS_DAILY)
    spans = outcome.spans | outcome.months | by_training(outcome.spans, study.forecaster.trained_until)
    write_csv(portfolio_table(spans, strategy.whitelist, strategy.trading), PORTFOLIO)
    write_csv(cost_curve(outcome.spans, outcome.redecided, strategy, study.portfolio.cost_multiples), COST_CURVE)
    write_csv(delay_table(outcome.spans, outcome.redecided, strategy, study.portfolio.delay_sensitivity_bars), DELAY)
    write_table(Benchmark, outcome.benchmark, BENCHMARK)
    write_table(Daily, outcome.ungated_daily, UNGATED)
    write_json(summary(outcome, verdict, metrics, study.worth.horizon_min or study.rules.horizon_min), SUMMARY)
    say("evaluate", strategy=name, holdout=outcome.status, verdict=verdict["verdict"])


if __name__ == "__main__":
    run(main)
