"""What params.yaml and dvc.lock may not hold: the API key, and more levels than a parser can read."""

from pathlib import Path

import pytest
import yaml

from stages.configuration.compose import compose
from stages.errors import ConfigurationError
from stages.io.settings import parse_dvc_yaml, parse_yaml, read_document, require_no_key
from stages.params.api import KEY_NAME
from tests.architecture.dependencies import ROOT
from tests.support.timegpt_server import KEY, NEVER_SEEN

FROM_A_VARIABLE = "report.study='${oc.env:NIXTLA_API_KEY}'"
NESTED = {
    "lists in a line": lambda levels: "[" * levels + "]" * levels,
    "mappings in a line": lambda levels: "{a: " * levels + "1" + "}" * levels,
    "lists below each other": lambda levels: "- " * levels + "x",
    "lists behind a byte order mark": lambda levels: "\ufeff" + "- " * levels + "x",
    "lists behind another line break": lambda levels: "# old\r" + "- " * levels + "x",
    "mappings below each other": lambda levels: "\n".join(f"{' ' * level}a:" for level in range(levels)),
}


def test_a_key_that_conf_takes_from_the_environment_is_never_composed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(KEY_NAME, KEY)
    with pytest.raises(ConfigurationError, match=r"^report\.study holds the API key \(NIXTLA_API_KEY\)") as refused:
        compose(ROOT / "conf", [FROM_A_VARIABLE])
    assert not [form for form in NEVER_SEEN if form in str(refused.value)]


def test_no_stage_begins_with_params_that_hold_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """DVC keeps no experiment of a stage that failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEY_NAME, f" {KEY}\n")
    Path("params.yaml").write_text(yaml.safe_dump({"forecaster": {"command": ["python", "ask.py", f"--key={KEY}"]}}))
    read_document.cache_clear()
    with pytest.raises(ConfigurationError, match=r"^forecaster\.command\.2 holds the API key"):
        read_document()


@pytest.mark.parametrize("key", ["", "test", "nixak-another-one"])
def test_params_without_the_key_are_read(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(KEY_NAME, key)
    require_no_key({"report": {"study": "test of a key"}, "api": {"per_day": 100, "tariff": None}})


@pytest.mark.parametrize("name", NESTED)
def test_a_text_of_too_many_levels_is_an_error_and_no_crash(name: str):
    """The compiled parser ends the whole process beyond some ten thousand levels."""
    assert parse_yaml(NESTED[name](100)) == yaml.safe_load(NESTED[name](100))
    for levels in (101, 100_000 if name != "mappings below each other" else 300):
        for parse in (parse_yaml, parse_dvc_yaml):
            with pytest.raises(yaml.YAMLError, match="nested more than 100 levels deep"):
                parse(NESTED[name](levels))


def test_a_value_that_many_others_name_is_looked_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(KEY_NAME, KEY)
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 80))
    require_no_key(parse_yaml(text))  # 2^80 values, written out
