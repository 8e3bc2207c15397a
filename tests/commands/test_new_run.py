"""`make new-run` writes a preset that composes, tells what its span allows, and never half a file."""

import pytest
import yaml

from stages.commands import new_run
from stages.errors import ConfigurationError
from stages.outside.configuration.composition import compose

BARS = "bars/{symbol}-{yyyy}.parquet"
SPAN = ("--first", "2024-01-02", "--last", "2024-04-05")
PRESET = "conf/preset/mine.yaml"


def test_a_quarter_of_one_symbol_is_counted_session_by_session(project):
    """66 sessions of XNYS: 4 of history, then 46 to search, 1 embargo, 15 sealed; four snapshots on each of the 62."""
    told = project.run(new_run, "mine", "--uri", BARS, "--symbols", "AAPL", *SPAN, "--history", "4", "--holdout", "15")
    assert "66 sessions: 4 of history, 46 to search, 1 embargo, 15 sealed" in told
    assert "at most 248 questions in 248 calls" in told
    assert (
        "about 36 days to judge forecasts by, after 10 to learn the calibration from" in told
    )  # 40 outcomes at 4 a day
    assert "gates.min_forecast_days wants 40" in told


def test_a_span_that_is_long_enough_is_not_complained_of(project):
    told = project.run(new_run, "mine", "--uri", BARS, "--symbols", "AAPL", "--history", "4")
    assert "too few" not in told


def test_symbols_share_their_calls(project):
    told = project.run(new_run, "mine", "--uri", BARS, "--symbols", "AAPL", "MSFT", *SPAN, "--history", "4")
    assert "at most 496 questions in 248 calls" in told


def test_a_span_that_no_gate_could_judge_is_told_before_anything_is_bought(project):
    long = ("--history", "40", "--holdout", "30")
    told = project.run(new_run, "mine", "--uri", BARS, "--symbols", "AAPL", *SPAN, *long)
    assert "0 to search" in told
    assert "too few: gates.min_forecast_days wants 40" in told


def test_the_preset_says_what_was_asked_and_symbols_stay_text(project):
    project.run(new_run, "mine", "--uri", "gs://bars/{symbol}.parquet", "--symbols", "ON", "--aliases", "c=close")
    made = compose(overrides=["preset=mine"])
    assert made["source"]["kind"] == "gcs"
    assert made["source"]["aliases"] == {"c": "close"}
    assert made["universe"]["symbols"] == made["universe"]["whitelist"] == ["ON"]
    assert made["costs"]["tick_size"]["ON"] == 0.01
    assert made["split"]["open_holdout"] is None
    assert made["sweep"]["grid"]["history_days"] == made["requests"]["history_days"] == [40]
    assert yaml.safe_load(project.text("params.yaml"))["report"]["study"] != "mine", "nothing stands before `make use`"


@pytest.mark.parametrize("name", ["null", "none", "Mine", "2024", "../mine", ""])
def test_a_name_that_yaml_or_a_folder_would_misread_is_refused(project, name):
    with pytest.raises(ConfigurationError, match="cannot be a name"):
        project.run(new_run, name, "--uri", BARS, "--symbols", "AAPL")


def test_a_preset_that_exists_is_not_written_over(project):
    before = project.text("conf/preset/smoke.yaml")
    with pytest.raises(ConfigurationError, match="exists"):
        project.run(new_run, "smoke", "--uri", BARS, "--symbols", "AAPL")
    assert project.text("conf/preset/smoke.yaml") == before


@pytest.mark.parametrize(
    ("uri", "aliases", "why"), [("bars/{ticker}.parquet", [], "may hold {symbol}"), (BARS, ["c"], "VENDOR=OURS")]
)
def test_what_cannot_run_leaves_no_file(project, uri, aliases, why):
    with pytest.raises(ConfigurationError, match=why):
        project.run(new_run, "mine", "--uri", uri, "--symbols", "AAPL", "--aliases", *aliases)
    assert not (project.path / PRESET).exists()


def test_what_is_typed_is_a_text_of_the_preset_and_nothing_else(project):
    uri = "bars/{symbol}\"\\'\n#: $(id) %s.parquet"
    project.run(new_run, "mine", "--uri", uri, "--symbols", "AAPL ON", "--aliases", 'a"b=close ${x}=open')
    made = compose(overrides=["preset=mine"])
    assert made["source"]["uri_template"] == uri
    assert made["source"]["aliases"] == {'a"b': "close", "${x}": "open"}
    assert made["universe"]["symbols"] == ["AAPL", "ON"]


def test_a_variable_of_the_environment_is_not_read_into_a_preset(project):
    with pytest.raises(ConfigurationError, match=r"'\$\{oc\.env:HOME\}/\{symbol\}' may hold"):
        project.run(new_run, "mine", "--uri", "${oc.env:HOME}/{symbol}", "--symbols", "A")


@pytest.mark.parametrize("typed", [("--symbols", "../A"), ("--symbols", 'A"\nx: 1'), ("--first", '2024-01-02"\nx: "1')])
def test_what_is_no_symbol_or_day_leaves_no_preset(project, typed):
    with pytest.raises(ConfigurationError):
        project.run(new_run, "mine", "--uri", BARS, "--symbols", "A", *typed)
    assert not (project.path / PRESET).exists()
