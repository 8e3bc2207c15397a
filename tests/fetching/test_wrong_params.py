"""Wrong params are refused by the first stage, or by `forecast` before it asks anything."""

from pathlib import Path
from typing import Any

import pytest

from tests.commands.study_folder import StudyFolder, bars

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an impossible rule": ({"rules": {"s_stop": -1}}, "rules.s_stop = -1"),
    "a word for a number": ({"gates": {"min_trades": "abc"}}, "gates.min_trades = 'abc'"),
    "a key that does not exist": ({"rules": {"k_sigm": 1}}, "rules.k_sigm is not a key"),
    "no bucket": ({"storage": {"root": "team/partitions"}}, "storage.root = 'team/partitions'"),
    "sections that contradict": ({"rules": {"horizon_min": 7}}, "[7] of rules.horizon_min"),
}


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """Bars of ten sessions, listed, and a metered forecaster."""
    study = StudyFolder.at(tmp_path)
    study.deliver(bars())
    study.configure()
    study.run("refresh")
    return study


def test_the_first_stage_refuses_a_study_of_which_any_section_is_wrong(study: StudyFolder) -> None:
    for changes, said in WRONG.values():
        study.configure(**changes)
        done = study.run("list_source")
        assert (done.returncode, said in done.stderr) == (5, True), done.stderr
    assert not (study.path / "artifacts").exists()


def test_forecast_refuses_a_wrong_section_api_before_it_asks(study: StudyFolder) -> None:
    study.configure(api={"mode": "online", "per_run": -1})
    done = study.run("list_source", "fetch_bars", "check_data", "build_features", "build_requests", "forecast")
    assert (done.returncode, done.stderr.count("api.per_run = -1")) == (5, 1), done.stderr


@pytest.mark.parametrize("content", ["{}", "[]", '{"files": 5}', '{"files": [{"uri": 1}]}', "{"])
def test_a_listing_of_the_wrong_form_is_reported(study: StudyFolder, content: str) -> None:
    (study.path / "conf/manifests/mine.json").write_text(content)
    done = study.run("list_source")
    assert (done.returncode, "conf/manifests/mine.json" in done.stderr) == (2, True), done.stderr
