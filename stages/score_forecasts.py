"""Stage `score_forecasts`: metrics, controls and forecast gates on the search span; which cells may trade."""

from functools import partial
from pathlib import Path

import polars as pl

from stages.io.files import PartitionedTables, PartsOf, write_csv, write_json, write_table_parts
from stages.io.parquet import read_distinct
from stages.io.questions import read_questions
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationMethod
from stages.params.gates import GatesParams, StatedKind, Whitelist
from stages.params.source import ArtificialMarket, BarsOrigin
from stages.scoring.cells import cell_tables, stated_scores
from stages.scoring.controls import controls
from stages.scoring.discoveries import Stated
from stages.scoring.gates import forecast_gates
from stages.scoring.metrics import score
from stages.scoring.tournament import coverage_by_time, reliability, tournament
from stages.sources.oracle import planted
from stages.tables.forecasts import Scored, makers, origin
from stages.tables.market import Bars
from stages.tables.scores import Cells

CALIBRATED = Path("artifacts/seal/search/calibrated.parquet")
BARS = Path("artifacts/seal/search/bars")
REQUESTS = Path("artifacts/build_requests/requests")
METRICS = Path("artifacts/score_forecasts/metrics.json")
CELLS = Path("artifacts/score_forecasts/cells.parquet")
GATES = Path("artifacts/score_forecasts/forecast_gates.json")
RELIABILITY = Path("artifacts/score_forecasts/reliability.csv")
PROPOSAL = Path("artifacts/score_forecasts/calibration_proposal.json")
COVERAGE = Path("artifacts/score_forecasts/coverage_by_time.csv")


def main() -> None:
    """Scored search rows -> metrics with their uncertainty, a verdict per cell, and a proposed calibration."""
    params = read_params(GatesParams)
    market, source = read_params(ArtificialMarket).planted, read_params(BarsOrigin)
    forecasts = PartsOf(Scored, CALIBRATED)
    bars = PartitionedTables.of(Bars, BARS)

    method = read_params(CalibrationMethod).method
    stated = Stated.of(read_params(StatedKind), read_params(Whitelist).whitelist, method)
    scores = score(forecasts, params, method)
    oracle = partial(planted, bars=bars, params=market) if market else None
    proofs = controls(forecasts, read_questions(REQUESTS), bars, params, oracle)
    gates = forecast_gates(scores, proofs, params, stated)
    proposed = tournament(forecasts, scores, params)
    asked = makers(read_distinct(CALIBRATED, ["key", "source"]))
    label = pl.lit(origin(asked, source.kind, source.name)).alias("forecast")

    write_json(stated_scores(scores, method) | {"controls": proofs}, METRICS)
    write_table_parts(Cells, cell_tables(scores), CELLS)
    write_json(gates, GATES)
    write_json(proposed, PROPOSAL)
    write_csv(reliability(forecasts).with_columns(label), RELIABILITY)
    write_csv(coverage_by_time(forecasts).with_columns(label), COVERAGE)
    eligible = sum(cell["eligible"] for cell in gates["cells"])
    say("score_forecasts", cells=len(gates["cells"]), eligible=eligible, calibration=proposed["method"])


if __name__ == "__main__":
    run(main)
