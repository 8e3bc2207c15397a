"""`make audit` on a finished run: the past stands still, and an edit that looks ahead is named."""

import re

import pytest

from tests.support.locks import record_run

STOOD = r"^2 instants, ([1-9]\d*) questions, no key changed; \d{4,} rows of the past identical"
BESIDE = """sed -i '/known = with_outcomes/s/$/.with_columns(pl.col("q95") + 1)/' stages/calibration/by_horizon.py"""
AHEAD = (
    """sed -i 's/return lambda _: pl.col("r")/return lambda _: pl.col("r").shift(-1)/' stages/features/formulas.py"""
)


@pytest.mark.journey
def test_a_run_stands_the_audit_all_symbols_at_once_or_one_by_one_and_nothing_is_written(smoke_run):
    before = smoke_run.sh("git status --porcelain && dvc status")
    together, apart = (smoke_run.sh(f"make audit INSTANTS=2 AT_ONCE={symbols}") for symbols in (16, 1))

    assert re.findall(STOOD, apart, re.M) == re.findall(STOOD, together, re.M) != []
    assert smoke_run.sh("git status --porcelain && dvc status") == before


@pytest.mark.journey
def test_a_feature_edited_to_look_one_minute_ahead_is_named_with_exit_code_2(small):
    small.sh(AHEAD)
    assert "shift(-1)" in small.text("stages/features/formulas.py")

    told = small.sh("python -m stages audit --instants 2", code=2)
    assert "the past moved: stage build_features, column ret_1m, " in told


@pytest.mark.journey
def test_what_a_stage_does_beside_the_replayed_functions_is_named_with_exit_code_2(small):
    small.sh(BESIDE)
    assert 'col("q95") + 1' in small.text("stages/calibration/by_horizon.py")
    small.sh("python -m stages.calibrate")
    record_run(small.path)  # else the audit refuses artifacts of which later stages were made from others

    told = small.sh("python -m stages audit --instants 2", code=2)
    assert "error stage calibrate, column " in told
    assert "artifacts/ holds another value than the audited code computes" in told
