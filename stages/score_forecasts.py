"""Stage `score_forecasts`: metrics, controls and forecast gates on the search span; which cells may trade."""

from functools import partial
from pathlib import Path

import polars as pl

from stages.engine import engine
from stages.engine.engine import OnTables
from stages.io.files import write_csv, write_json, write_table_parts
from stages.io.parquet import read_distinct
from stages.io.partitions import Rows, partitions_of
from stages.io.questions import read_last_rows
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationMethod
from stages.params.gates import GatesParams, StatedKind
from stages.params.source import ArtificialMarket, BarsOrigin
from stages.params.universe import Whitelist
from stages.params.worth import TrainedUntil
from stages.scoring.by_symbol import Scores, ScoreSymbol, stated_scores
from stages.scoring.discoveries import Stated
from stages.scoring.gates import forecast_gates
from stages.scoring.tournament import coverage_by_time, reliability
from stages.sources.oracle import planted
from stages.tables.contract import unpacked
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
    asked = makers(read_distinct(CALIBRATED, ["key", "source"]))
    symbols = read_distinct(CALIBRATED, ["symbol"])["symbol"].to_list()
    bars, ends = partitions_of(BARS, Bars), read_last_rows(REQUESTS)

    def given(symbol: str) -> tuple[object, ...]:
        rows = (Rows(Scored, path, symbol) for path in (CALIBRATED, FREE))
        return *rows, bars.get(symbol), ends.filter(symbol=symbol)

    oracle = partial(planted, params=market) if market else None
    work = OnTables(ScoreSymbol(params, stated, until.trained_until, oracle))
    scored = (one for _, one in engine.each(work, {symbol: given(symbol) for symbol in symbols}, "scoring forecasts"))
    scores = Scores.of(scored, params, until.trained_until, asked)
    gates = forecast_gates(scores.metrics, scores.controls, params, stated)
    label = pl.lit(origin(asked, source.kind, source.name)).alias("forecast")

    beside = {"controls": scores.controls, "free": scores.free, "trained": scores.trained}
    write_json(stated_scores(scores.metrics, method) | beside, METRICS)
    write_table_parts(Cells, map(unpacked, scores.cells), CELLS)
    write_json(gates, GATES)
    write_json(scores.proposed, PROPOSAL)
    write_csv(reliability(scores.hits).with_columns(label), RELIABILITY)
    write_csv(coverage_by_time(scores.hits).with_columns(label), COVERAGE)
    eligible = sum(cell["eligible"] for cell in gates["cells"])
    say("score_forecasts", cells=len(gates["cells"]), eligible=eligible, calibration=method)


if __name__ == "__main__":
    run(main)
