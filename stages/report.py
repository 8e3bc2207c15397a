"""Stage `report`: one self-contained page from which a stranger can judge the run, and two markdown reports."""

from pathlib import Path

from stages.io.files import read_json, write_text
from stages.io.run_record import read_record
from stages.io.terminal import run, say
from stages.params.study import StageStudy
from stages.reporting.page import render_page, render_report, render_robustness

STUDY = Path("artifacts/list_source/study.json")
FILES = {
    "manifest": Path("artifacts/list_source/manifest.json"),
    "quality": Path("artifacts/check_data/dq_report.json"),
    "features": Path("artifacts/build_features/feature_report.json"),
    "answers": Path("artifacts/forecast/answers.json"),
    "metrics": Path("artifacts/score_forecasts/metrics.json"),
    "cells": Path("artifacts/score_forecasts/cells.parquet"),
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
    "benchmark": Path("artifacts/evaluate/benchmark.parquet"),
    "ungated": Path("artifacts/evaluate/ungated_daily.parquet"),
    "worth": Path("artifacts/judge_worth/worth.json"),
    "worth_days": Path("artifacts/judge_worth/days.parquet"),
}
LATER = ("cells", "benchmark", "ungated", "worth", "worth_days")  # the earliest runs do not have them
PAGE = Path("artifacts/report/index.html")
REPORT = Path("artifacts/report/report.md")
ROBUSTNESS = Path("artifacts/report/robustness_report.md")


def main() -> None:
    """All results of the run -> the page and the reports; of the holdout only what `evaluate` released."""
    record = read_record(FILES, StageStudy.parse(read_json(STUDY)).document())

    page = render_page(record)

    write_text(page, PAGE)
    write_text(render_report(record), REPORT)
    write_text(render_robustness(record), ROBUSTNESS)
    say("report", verdict=record.gates["verdict"], page=PAGE)


if __name__ == "__main__":
    run(main)
