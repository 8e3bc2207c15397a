"""No table of a sealed run holds a forecast of a sealed session beside what came of it.

Outcomes are computed here from the checked bars. A table that holds forecasts of sealed sessions may hold none of them:
neither row by row, in whatever unit and under whatever name, nor as a bag of numbers. Bars and features alone are the
market's record, which every forecast needs; they are no forecast beside an outcome.
"""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from stages.tables.forecasts import Outcome
from tests.pipeline.clone import Clone
from tests.support.folders import state_study
from tests.support.programs import run_module

KEY = ["symbol", "snapshot_utc", "horizon_min"]
LEVELS = [f"{raw}q{level}" for raw in ("", "raw_") for level in ("05", "25", "50", "75", "95")]
SMALLEST_BP = 0.5  # smaller moves are too few ticks to be told from chance
ENOUGH = 0.1  # of a column's numbers; chance alone finds one in a hundred
TABLES = {".parquet", ".csv", ".json"}

pytestmark = pytest.mark.journey  # every table of a whole run is searched


@dataclass(frozen=True)
class Sealed:
    """What is known of sealed sessions: rows with `KEY`, `session`, `last` and `target`; all forecasts as numbers."""

    outcomes: pl.DataFrame
    forecasts: pl.DataFrame

    @classmethod
    def of(cls, artifacts: Path) -> "Sealed":
        span = json.loads((artifacts / "seal/search/span.json").read_text())
        after = pl.col("session") > date.fromisoformat(span["last_session"])
        calibrated = pl.read_parquet(artifacts / "calibrate/calibrated.parquet").filter(after)
        asked = calibrated.select(*KEY, "session", "last").unique().with_columns(
            ends=pl.col("snapshot_utc") + pl.duration(minutes=pl.col("horizon_min"))
        )  # fmt: skip
        closes = pl.concat(
            pl.read_parquet(path).select(pl.lit(path.stem).alias("symbol"), ends="known_at", target="close")
            for path in sorted((artifacts / "check_data/bars").glob("*.parquet"))
        )
        outcomes = asked.join(closes, on=["symbol", "ends"]).drop("ends")
        moved = (pl.col("target") / pl.col("last") - 1).abs() * 1e4 > SMALLEST_BP
        return cls(outcomes.filter(moved), calibrated.select(LEVELS))

    @cached_property
    def forecast_numbers(self) -> np.ndarray:
        return np.unique(np.round(self.forecasts.to_numpy().ravel(), 6))

    @cached_property
    def moves_bp(self) -> np.ndarray:
        bp = [self.outcomes.select(self.forms[name]).to_numpy().ravel() for name in ("log x 10000", "simple x 10000")]
        return np.unique(np.round(np.concatenate(bp), 4))

    @property
    def forms(self) -> dict[str, pl.Expr]:
        """What an outcome may be written as."""
        ratio = pl.col("target") / pl.col("last")
        units = {"log": ratio.log(), "simple": ratio - 1}
        moves = {f"{name} x {scale:g}": move * scale for name, move in units.items() for scale in (1.0, 1e2, 1e4)}
        return moves | {"price": pl.col("target")}

    def leaks(self, columns: dict[str, pl.Series]) -> Iterator[str]:
        """The columns of one table that tell outcomes of sealed sessions beside forecasts of them."""
        frame = _as_frame(columns)
        if frame is not None and {"symbol", "snapshot_utc"} <= set(frame.columns):
            yield from self._row_by_row(frame)
        elif any(share_among(values, self.forecast_numbers, 6) > ENOUGH for values in columns.values()):
            for name, values in columns.items():
                if any(share_among(values * to_bp, self.moves_bp, 4) > ENOUGH for to_bp in (1.0, 1e2, 1e4)):
                    yield name

    def _row_by_row(self, frame: pl.DataFrame) -> Iterator[str]:
        if frame.is_empty():  # such a CSV file tells no types
            return
        key = [name for name in KEY if name in frame.columns]
        about = pl.col(*KEY), *(form.alias(f"told as {name}") for name, form in self.forms.items())
        rows = frame.select(pl.all().exclude("last", "session")).join(self.outcomes.select(about), on=key)
        if rows.is_empty():
            return
        for name in frame.columns:
            if name in Outcome.columns():
                yield name
            elif frame[name].dtype.is_numeric() and name in rows.columns and name not in KEY:
                told = rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
                tight = {form: 1e-7 if form == "price" else 1e-3 for form in self.forms}
                agree = [np.isclose(told, rows[f"told as {form}"], rtol=tight[form], atol=0) for form in tight]
                if max(found.mean() for found in agree) > ENOUGH:
                    yield name


def share_among(values: pl.Series, known: np.ndarray, decimals: int) -> float:
    """Which share of a column's numbers, as far as they are no small ones, stands among the known ones."""
    if not values.dtype.is_numeric():
        return 0.0
    numbers = np.unique(np.round(values.cast(pl.Float64).drop_nulls().to_numpy(), decimals))
    numbers = numbers[np.abs(numbers) > SMALLEST_BP]
    if not len(numbers):
        return 0.0
    at = np.minimum(np.searchsorted(known, numbers - 0.1**decimals / 2), len(known) - 1)
    return float((np.abs(known[at] - numbers) < 0.1**decimals / 2).mean())


def tables_of(artifacts: Path) -> dict[str, dict[str, pl.Series]]:
    """Every table of a run by path: its columns, those of JSON by key wherever they stand."""
    files = (path for path in sorted(artifacts.rglob("*")) if path.suffix in TABLES and path.is_file())
    return {path.relative_to(artifacts).as_posix(): columns_of(path) for path in files}


def columns_of(path: Path) -> dict[str, pl.Series]:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dict()
    if path.suffix == ".csv":
        frame = pl.read_csv(path, infer_schema_length=None, try_parse_dates=True)
        instants = [name for name in frame.columns if name.endswith("_utc") and frame[name].dtype == pl.Datetime]
        return frame.with_columns(pl.col(instants).dt.cast_time_unit("us")).to_dict()
    found: dict[str, list[float]] = {}
    _numbers(json.loads(path.read_text()), "", found)
    return {name: pl.Series(name, values, dtype=pl.Float64) for name, values in found.items()}


def _numbers(value: Any, name: str, found: dict[str, list[float]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _numbers(inner, key, found)
    elif isinstance(value, list):
        for inner in value:
            _numbers(inner, name, found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found.setdefault(name, []).append(float(value))


def _as_frame(columns: dict[str, pl.Series]) -> pl.DataFrame | None:
    return pl.DataFrame(columns) if len({len(values) for values in columns.values()}) == 1 else None


@pytest.fixture(scope="module")
def sealed_run(default_run: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts of the default run, judged once more with its holdout closed."""
    folder = tmp_path_factory.mktemp("sealed")
    (folder / ".dvc").mkdir()
    shutil.copytree(default_run.path / "artifacts", folder / "artifacts")
    params = default_run.text("params.yaml")
    state_study(folder, re.sub(r"open_holdout: .*", "open_holdout: null", params))
    assert run_module(folder, "stages.evaluate").returncode == 0
    return folder / "artifacts"


@pytest.fixture(scope="module")
def sealed(sealed_run: Path) -> Sealed:
    return Sealed.of(sealed_run)


def test_no_table_of_a_sealed_run_joins_a_forecast_with_its_outcome(sealed_run: Path, sealed: Sealed):
    assert json.loads((sealed_run / "evaluate/oos.json").read_text())["status"] == "SEALED"
    tables = tables_of(sealed_run)
    assert {"calibrate/calibrated.parquet", "forecast/quantiles.parquet", "evaluate/oos_daily.parquet"} <= set(tables)
    assert {path: found for path, table in tables.items() if (found := list(sealed.leaks(table)))} == {}


PLANTS = {
    "the move, as it is scored": lambda q: q.with_columns(y=(1e4 * (pl.col("target") / pl.col("last")).log()).round(6)),
    "simple returns": lambda q: q.with_columns(hint=pl.col("target") / pl.col("last") - 1),
    "the price at the end": lambda q: q.with_columns(later=pl.col("target")),
    "a column of the name": lambda q: q.with_columns(void=pl.lit(value=False)),
    "without a horizon": lambda q: q.filter(horizon_min=10).with_columns(x=pl.col("target")).drop("horizon_min"),
    "numbers without a key": lambda q: q.select("q50", move=(1e4 * (pl.col("target") / pl.col("last")).log()).round(6)),
}


def joined(artifacts: Path, sealed: Sealed, plant: str) -> pl.DataFrame:
    """The holdout's forecasts with one more column: what came of them, in some form."""
    calibrated = pl.read_parquet(artifacts / "seal/holdout/all/calibrated.parquet").filter(method="cqr")
    beside = calibrated.join(sealed.outcomes.drop("last", "session"), on=KEY)
    return PLANTS[plant](beside).drop("target", strict=False)


@pytest.mark.parametrize("plant", PLANTS)
def test_every_form_of_a_joined_outcome_is_found(sealed_run: Path, sealed: Sealed, plant: str):
    table = joined(sealed_run, sealed, plant)
    assert list(sealed.leaks(table.to_dict())) == [table.columns[-1]]
    assert list(sealed.leaks(table.drop(table.columns[-1]).to_dict())) == []


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json"])
def test_a_joined_outcome_is_found_in_every_kind_of_file(sealed_run: Path, sealed: Sealed, tmp_path: Path, suffix: str):
    table, path = joined(sealed_run, sealed, "the move, as it is scored"), tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        table.write_parquet(path)
    elif suffix == ".csv":
        table.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%SZ")
    else:
        path.write_text(json.dumps({"rows": table.select("q50", "y").to_dicts()}))
    assert list(sealed.leaks(columns_of(path))) == ["y"]
