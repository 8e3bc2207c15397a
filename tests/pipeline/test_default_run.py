"""What a stranger meets who types `make run`."""

import hashlib
import json
import re

import polars as pl
import pytest
import yaml

from tests.architecture.dependencies import load_dvc_yaml
from tests.unpacked import unpacked

# Of three documents without their sentences, and of what the page's figures draw. Sentences may be written anew; a
# number that moves moves one of these, and the commit that writes it here says why.
WORDLESS = {
    "artifacts/check_data/dq_report.json": "907cdc47783f1091",
    "artifacts/score_forecasts/forecast_gates.json": "d255dafc4aefc708",
    "artifacts/evaluate/gates.json": "0803f515e70ec4a5",
}
DRAWN = "612216f7a26a8e3e"


def test_a_fresh_clone_reproduces_the_committed_lock_byte_for_byte(default_run):
    assert default_run.sh("git status --porcelain") == ""


def test_each_stage_says_in_one_line_what_it_did_and_how_long_it_took(default_run):
    said = (default_run.path.parent / "made").read_text()
    for stage in load_dvc_yaml()["stages"]:
        (line,) = re.findall(rf"^{stage}: .*", said, re.MULTILINE)
        assert re.search(r" seconds=\d+(\.\d)?$", line), line
    for told in ("rows=", "sessions=", "dropped=0", "calls=0"):
        assert told in said


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


def test_a_second_run_does_nothing(default_run):
    assert "Data and pipelines are up to date" in default_run.sh("dvc repro")


def test_the_default_study_passes_trading_the_two_symbols_that_have_something(default_run):
    gates = json.loads(default_run.text("artifacts/score_forecasts/forecast_gates.json"))
    eligible = {cell["symbol"] for cell in gates["cells"] if cell["eligible"]}
    traded = {line.split(",")[0] for line in default_run.text("artifacts/backtest/bt_trades.csv").splitlines()[1:]}
    assert eligible == traded == {"STRONG", "WEAK"}
    assert "PASS" in default_run.sh("python -m stages.gate")


def test_every_key_is_the_md5_that_dvc_recorded_for_its_request_file(default_run):
    outs = yaml.safe_load(default_run.text("dvc.lock"))["stages"]["build_requests"]["outs"]
    (manifest,) = (out["md5"] for out in outs if out["path"] == "artifacts/build_requests/requests")
    recorded = json.loads(default_run.text(f".dvc/cache/files/md5/{manifest[:2]}/{manifest[2:]}"))
    schedule = pl.read_parquet(default_run.path / "artifacts/build_requests/schedule.parquet")
    assert sorted(entry["md5"] for entry in recorded) == sorted(schedule["key"].drop_nulls().unique())


def test_no_artifact_knows_where_or_when_it_was_made(default_run):
    here = str(default_run.path)
    for path in (default_run.path / "artifacts").rglob("*"):
        if path.is_file():
            assert here.encode() not in unpacked(path), path


@pytest.mark.journey  # the whole run once more
def test_another_folder_thread_count_and_store_history_give_the_same_bytes(default_run, fresh):
    fresh.sh("dvc repro", POLARS_MAX_THREADS="1", NUMBA_NUM_THREADS="1", TZ="Asia/Tokyo", PYTHONHASHSEED="7")
    assert fresh.text("dvc.lock") == default_run.text("dvc.lock")
