"""The stages that carry every bar hold one symbol at a time: ten times the symbols take no more memory of a worker."""

from datetime import date

import pytest

from tests.benchmarks.bench_scale import STAGES, Watched, exponent, market, run_stage

FIRST, LAST = date(2024, 9, 3), date(2024, 12, 31)


def watched(symbols: int) -> dict[str, Watched]:
    with market(symbols, FIRST, LAST) as folder:
        return {stage: run_stage(stage, folder) for stage in STAGES}


@pytest.mark.scale
def test_fifty_symbols_take_the_memory_of_five(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE", "local:2")
    few, many = watched(5), watched(50)
    assert {stage: many[stage].worker_mb < 1.3 * few[stage].worker_mb for stage in STAGES} == dict.fromkeys(
        STAGES, True
    )


def test_the_exponent_of_a_cost_that_grows_tenfold_with_ten_times_the_symbols_is_one():
    assert exponent((5, 2.0), (50, 20.0)) == pytest.approx(1)
    assert exponent((5, 2.0), (50, 200.0)) == pytest.approx(2)
