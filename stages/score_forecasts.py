"""Stage `score_forecasts`: metrics, controls and forecast gates on the search span; which cells may trade."""

from functools import partial
from pathlib import Path

import polars as pl

from stages.io.files import PartitionedTables, PartsBeside, PartsOf, write_csv, write_json, write_table_parts
from stages.io.parquet import read_distinct
from stages.io.questions import read_last_rows
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationMethod
from stages.params.gates import GatesParams, StatedKind
from stages.params.source import ArtificialMarket, BarsOrigin
from stages.params.universe import Whitelist
from stages.params.worth import TrainedUntil
from stages.scoring.cells import cell_tables, stated_scores
from stages.scoring.controls import controls
from stages.scoring.discoveries import Stated
from stages.scoring.free import free_scores
from stages.scoring.gates import forecast_gates
from stages.scoring.metrics import score
from stages.scoring.tournament import coverage_by_time, hits_by_session, reliability, tournament
from stages.scoring.training import scores_by_training
from stages.sources.oracle import planted
from stages.tables.forecasts import Scored, makers, origin
from stages.tables.market import Bars
from stages.tables.scores import Cells

CALIBRATED = Path("artifacts/seal/search/calibrated.parquet")
FREE = Path("artifacts/seal/search/free.parquet")
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
    params, method, until = read_params(GatesParams), read_params(CalibrationMethod).method, read_params(TrainedUntil)
    stated = Stated.of(read_params(StatedKind), read_params(Whitelist).whitelist, method)
    market, source = read_params(ArtificialMarket).planted, read_params(BarsOrigin)
    forecasts = PartsOf(Scored, CALIBRATED)
    beside = PartsBeside(forecasts, FREE)
    bars = PartitionedTables.of(Bars, BARS)
    asked = makers(read_distinct(CALIBRATED, ["key", "source"]))

    scores = score(forecasts, params, method)
    free = free_scores(beside, params, stated)
    trained = scores_by_training(beside, until.trained_until, asked, params, stated)
    oracle = partial(planted, bars=bars, params=market) if market else None
    proofs = controls(forecasts, read_last_rows(REQUESTS), bars, params, oracle)
    gates = forecast_gates(scores, proofs, params, stated)
    proposed = tournament(forecasts, scores, params)
    label = pl.lit(origin(asked, source.kind, source.name)).alias("forecast")

    write_json(stated_scores(scores, method) | {"controls": proofs, "free": free, "trained": trained}, METRICS)
    write_table_parts(Cells, cell_tables(scores), CELLS)
    write_json(gates, GATES)
    write_json(proposed, PROPOSAL)
    hits = hits_by_session(forecasts)
    write_csv(reliability(hits).with_columns(label), RELIABILITY)
    write_csv(coverage_by_time(hits).with_columns(label), COVERAGE)
    eligible = sum(cell["eligible"] for cell in gates["cells"])
    say("score_forecasts", cells=len(gates["cells"]), eligible=eligible, calibration=method)


if __name__ == "__main__":
    run(main)
