"""Stage `report`: one self-contained page a stranger can judge the run by, and two markdown reports."""

from pathlib import Path

from stages.io.files import write_text
from stages.io.run_record import read_record
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationParams
from stages.params.features import FeaturesParams
from stages.params.forecaster import ForecasterParams
from stages.params.gates import GatesParams
from stages.params.portfolio import PortfolioParams
from stages.params.quality import QualityParams
from stages.params.report import ReportParams
from stages.params.requests import RequestsParams
from stages.params.rules import CostsParams, RulesParams
from stages.params.source import SourceParams
from stages.params.split import SplitParams
from stages.params.sweep import SweepParams
from stages.params.universe import UniverseParams
from stages.reporting.page import render_page, render_report, render_robustness

FILES = {
    "manifest": Path("artifacts/list_source/manifest.json"),
    "quality": Path("artifacts/check_data/dq_report.json"),
    "features": Path("artifacts/build_features/feature_report.json"),
    "answers": Path("artifacts/forecast/answers.json"),
    "metrics": Path("artifacts/score_forecasts/metrics.json"),
    "forecast_gates": Path("artifacts/score_forecasts/forecast_gates.json"),
    "coverage": Path("artifacts/score_forecasts/coverage_by_time.csv"),
    "bars": Path("artifacts/seal/search/bars"),
    "forecasts": Path("artifacts/seal/search/calibrated.parquet"),
    "ranking": Path("artifacts/sweep/ranking.csv"),
    "proposal": Path("artifacts/sweep/proposal.json"),
    "walk_forward": Path("artifacts/sweep/walk_forward.csv"),
    "trades": Path("artifacts/backtest/bt_trades.csv"),
    "daily": Path("artifacts/backtest/daily.parquet"),
    "signals": Path("artifacts/backtest/signals.parquet"),
    "gates": Path("artifacts/evaluate/gates.json"),
    "oos": Path("artifacts/evaluate/oos.json"),
    "oos_daily": Path("artifacts/evaluate/oos_daily.parquet"),
    "portfolio": Path("artifacts/evaluate/portfolio.csv"),
    "cost_curve": Path("artifacts/evaluate/cost_curve.csv"),
    "delay": Path("artifacts/evaluate/delay.csv"),
}
PAGE = Path("artifacts/report/index.html")
REPORT = Path("artifacts/report/report.md")
ROBUSTNESS = Path("artifacts/report/robustness_report.md")


def main() -> None:
    """Everything the run found -> the page and the reports; of the holdout only what `evaluate` released."""
    sections = (
        *(read_params(SourceParams), read_params(UniverseParams), read_params(QualityParams)),
        *(read_params(FeaturesParams), read_params(RequestsParams), read_params(ForecasterParams)),
        *(read_params(CalibrationParams), read_params(SplitParams), read_params(GatesParams)),
        *(read_params(RulesParams), read_params(CostsParams), read_params(SweepParams)),
        *(read_params(PortfolioParams), read_params(ReportParams)),
    )
    config = {section.section: section.model_dump(mode="json") for section in sections}
    record = read_record(FILES, config)

    page = render_page(record)

    write_text(page, PAGE)
    write_text(render_report(record), REPORT)
    write_text(render_robustness(record), ROBUSTNESS)
    say("report", verdict=record.gates["verdict"], page=PAGE, kilobytes=len(page.encode()) // 1000)


if __name__ == "__main__":
    run(main)
