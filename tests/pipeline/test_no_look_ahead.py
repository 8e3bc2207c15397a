"""The sealed span cannot reach a choice: its bars may be anything."""

import json
from datetime import date

import polars as pl
import pytest

from tests.architecture.dependencies import load_dvc_yaml
from tests.support.programs import run_module

SEARCH_SIDE = ("seal/search", "score_forecasts", "sweep", "backtest")
PRICES = ["open", "high", "low", "close"]


def contents(clone) -> dict[str, bytes]:
    root = clone.path / "artifacts"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in SEARCH_SIDE
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.journey
def test_holdout_bars_times_one_and_a_half_leave_every_file_of_the_search_as_it_is(clone):
    before = contents(clone)
    sealed_from = date.fromisoformat(json.loads(clone.text("artifacts/seal/holdout/all/span.json"))["sessions"][0])
    old_holdout = (clone.path / "artifacts/seal/holdout/all/bars/STRONG.parquet").read_bytes()
    for path in (clone.path / "artifacts/fetch_bars/bars").glob("*.parquet"):
        sealed = pl.col("ts").dt.date() >= sealed_from
        scaled = [pl.when(sealed).then(pl.col(name) * 1.5).otherwise(pl.col(name)).alias(name) for name in PRICES]
        pl.read_parquet(path).with_columns(scaled).write_parquet(path)
    stages = list(load_dvc_yaml()["stages"])
    for stage in stages[stages.index("check_data") : stages.index("evaluate")]:
        assert run_module(clone.path, f"stages.{stage}").returncode == 0
    assert (clone.path / "artifacts/seal/holdout/all/bars/STRONG.parquet").read_bytes() != old_holdout
    assert contents(clone) == before
