"""What is written down has six decimals, so that the last bits of a sum say nothing to a hash."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from stages.scoring.gates import forecast_gates
from stages.scoring.metrics import score
from tests.scoring.in_parts import controls, oracle_bound, propose
from tests.scoring.simulated import GATES, METHOD, as_answered, by_every_method, stated, with_truth

FEW_DRAWS = GATES.model_copy(update={"bootstrap_reps": 100, "min_forecast_days": 20})


def decimals(value: Any) -> Iterator[int]:
    """Of every number in a document; thresholds are written as stated."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from decimals(inside) if name != "threshold" else ()
    elif isinstance(value, list):
        for inside in value:
            yield from decimals(inside)
    elif isinstance(value, float):
        yield -int(Decimal(repr(value)).as_tuple().exponent)


def plant(rows: pl.DataFrame) -> pl.DataFrame:
    expected = {"planted_bp": 1 / 3, "on_tick_bp": 1 / 3, "oracle_mae_bp": 10 / 3, "persistence_mae_bp": 11.0}
    return rows.select("symbol", "snapshot_utc", "horizon_min").unique().with_columns(**expected)


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    frame = with_truth(40, symbols=("A",), r2=0.3)
    rows, methods = as_answered(frame), by_every_method(frame, methods=("identity", "widen"))
    metrics = score([rows], FEW_DRAWS, METHOD)
    return {
        "metrics": metrics,
        "gates": forecast_gates(metrics, controls([rows], [], {}, GATES), FEW_DRAWS, stated("A")),
        "oracle bound": oracle_bound([rows], plant),
        "tournament": propose([methods], score([methods], FEW_DRAWS, "identity"), FEW_DRAWS),
    }


@pytest.mark.parametrize("name", ["metrics", "gates", "oracle bound", "tournament"])
def test_every_figure_is_rounded_to_six_decimals(documents, name):
    assert max(decimals(documents[name])) == 6
