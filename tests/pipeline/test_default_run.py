"""What a stranger meets who types `make run`."""

import hashlib
import json
import re

import polars as pl
import pytest
import yaml

from tests.architecture.dependencies import load_dvc_yaml
from tests.docs.shell import shell
from tests.docs.steps import README

# Of three documents without their sentences, and of what the page's figures draw. Sentences may be written anew; a
# number that moves moves one of these, and the commit that writes it here says why.
WORDLESS = {
    "artifacts/check_data/dq_report.json": "907cdc47783f1091",
    "artifacts/score_forecasts/forecast_gates.json": "d255dafc4aefc708",
    "artifacts/evaluate/gates.json": "553b2f08527a8ba4",
}
DRAWN = "a8a86341cee697b1"
pytestmark = pytest.mark.journey  # the default run, made anew where the code changed


def test_a_clone_that_has_run_is_as_it_was_committed(default_run):
    assert default_run.sh("git status --porcelain") == ""


def test_dvc_runs_the_stages_in_the_order_of_dvc_yaml(default_run):
    """So every free forecaster has answered, a program of yours too, before an answer is bought."""
    planned = default_run.sh("dvc repro --dry --force")
    assert re.findall("Running stage '(.*)'", planned) == list(load_dvc_yaml()["stages"])


def wordless(node):
    if isinstance(node, dict):
        return {key: wordless(value) for key, value in node.items() if key not in {"words", "evidence"}}
    return [wordless(value) for value in node] if isinstance(node, list) else node


def digest(document) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def test_documents_hold_what_they_always_held_whatever_their_sentences_say(default_run):
    assert {path: digest(wordless(json.loads(default_run.text(path)))) for path in WORDLESS} == WORDLESS
    page = default_run.text("artifacts/report/index.html")
    figures = map(json.loads, re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL))
    assert digest([figure.get("datasets") or figure.get("data") for figure in figures]) == DRAWN


def test_the_default_study_passes_trading_the_two_symbols_that_have_something(default_run):
    gates = json.loads(default_run.text("artifacts/score_forecasts/forecast_gates.json"))
    eligible = {cell["symbol"] for cell in gates["cells"] if cell["eligible"]}
    traded = {line.split(",")[0] for line in default_run.text("artifacts/backtest/bt_trades.csv").splitlines()[1:]}
    assert eligible == traded == {"STRONG", "WEAK"}
    assert json.loads(default_run.text("artifacts/evaluate/gates.json"))["verdict"] == "PASS"


def test_every_key_is_the_md5_that_dvc_recorded_for_its_request_file(default_run):
    outs = yaml.safe_load(default_run.text("dvc.lock"))["stages"]["build_requests"]["outs"]
    (manifest,) = (out["md5"] for out in outs if out["path"] == "artifacts/build_requests/requests")
    recorded = json.loads(default_run.text(f".dvc/cache/files/md5/{manifest[:2]}/{manifest[2:]}"))
    schedule = pl.read_parquet(default_run.path / "artifacts/build_requests/schedule.parquet")
    assert sorted(entry["md5"] for entry in recorded) == sorted(schedule["key"].drop_nulls().unique())


def test_make_run_makes_the_committed_lock_in_any_folder_zone_and_number_of_threads(fresh):
    """The lock names every file by its content, so none of them knows where or when it was made."""
    one_thread = {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with shell(fresh.path, TZ="Asia/Tokyo", PYTHONHASHSEED="7", **one_thread) as reader:
        said = reader.step(*next(step for step in README if step[0] == "make run"))
    assert fresh.sh("git status --porcelain") == ""
    assert "Data and pipelines are up to date" in fresh.sh("dvc repro")

    for stage in load_dvc_yaml()["stages"]:
        (line,) = re.findall(rf"^{stage}: \w+=.*", said, re.MULTILINE)
        assert re.search(r" seconds=\d+(\.\d)?$", line), line
    for told in ("rows=", "sessions=", "dropped=0", "calls=0"):
        assert told in said
