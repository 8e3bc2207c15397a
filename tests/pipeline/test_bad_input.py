"""A user's mistake ends with one sentence naming value, rule and remedy, its exit code, and earlier results intact."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import md5
from pathlib import Path

import polars as pl
import pytest

from tests.pipeline.clone import Clone
from tests.support.programs import run_module

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("bad input")]

LOCAL = """# @package _global_
defaults:
  - smoke
  - override /source: parquet
source:
  name: local
  uri_template: "../bars/{symbol}.parquet"
report:
  study: local bars
"""
HOLIDAY = pl.datetime(2024, 11, 28, 15, 0, time_zone="UTC", time_unit="us")  # Thanksgiving


@pytest.fixture(scope="module")
def study(default_run: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Five sessions of local parquet files that run through the gate."""
    clone = default_run.copy_to(tmp_path_factory.mktemp("bad") / "repo")
    (clone.path.parent / "bars").mkdir()
    for path in (clone.path / "artifacts/fetch_bars/bars").glob("*.parquet"):
        bars = pl.read_parquet(path).filter(
            pl.col("ts").dt.date().is_between(pl.date(2024, 11, 25), pl.date(2024, 12, 3))
        )
        bars.write_parquet(clone.path.parent / "bars" / path.name)
    (clone.path / "conf/preset/local.yaml").write_text(LOCAL)
    for command in ("use local", "refresh"):
        assert run_module(clone.path, "stages", *command.split()).returncode == 0
    clone.sh("dvc repro check_data")
    clone.sh("git add -A && git commit -q -m 'local bars'")
    return clone


@pytest.fixture
def mistaken(study: Clone) -> Iterator[Clone]:
    """The study, put right again afterwards."""
    bars = {path: path.read_bytes() for path in (study.path.parent / "bars").iterdir()}
    before = results(study)
    yield study
    assert results(study) == before
    study.sh("git checkout -q .")
    for path, content in bars.items():
        path.write_bytes(content)


def results(clone: Clone) -> dict[str, str]:
    files = (path for path in (clone.path / "artifacts").rglob("*") if path.is_file())
    return {str(path): md5(path.read_bytes()).hexdigest() for path in files}


def deliver(clone: Clone, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """The vendor's next delivery of STRONG, accepted by `make refresh`, and fetched."""
    path = clone.path.parent / "bars/STRONG.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    for module in ("stages refresh", "stages.list_source", "stages.fetch_bars"):
        ends(clone, module, 0)


def ends(clone: Clone, command: str, code: int, *said: str) -> None:
    told = run_module(clone.path, *command.split())
    assert (told.returncode, [words for words in said if words not in told.stderr]) == (code, []), told


def set_in_conf(clone: Clone, text: str) -> None:
    """Words that a user adds to the standing preset."""
    path: Path = clone.path / "conf/preset/local.yaml"
    path.write_text(path.read_text() + text)


PARAMS = {
    "misspelt": ("rules:\n  k_sigm: 1.0\n", "rules.k_sigm", "make params"),
    "out of range": ("rules:\n  s_stop: -1.0\n", "rules.s_stop = -1.0", "greater than"),
    "an unquoted clock time": ("rules:\n  time_stop_et: 15:55\n", "rules.time_stop_et = 955", "quote clock times"),
    "a horizon past the close": (
        'requests:\n  snapshots_et: ["15:50"]\n', "requests.snapshots_et '15:50'", "after the close",
    ),
    "a whitelist symbol that is not fetched": (
        "universe:\n  whitelist: [STRONG, NVDA]\n", "universe.whitelist", "NVDA",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", PARAMS)
def test_params_that_cannot_be_meant_are_refused_before_anything_runs(mistaken, mistake):
    text, *said = PARAMS[mistake]
    set_in_conf(mistaken, text)
    ends(mistaken, "stages params", 5, *said)


DELIVERIES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], tuple[str, ...]]] = {
    "a missing column": (lambda bars: bars.drop("volume"), ("STRONG", "volume", "source.aliases")),
    "times without a zone": (
        lambda bars: bars.with_columns(pl.col("ts").dt.replace_time_zone(None)), ("STRONG", "source.zone"),
    ),
    "end labels declared as start": (
        lambda bars: bars.with_columns(pl.col("ts") + timedelta(minutes=1)), ("STRONG", "source.bar_label"),
    ),
    "rows on a holiday": (
        lambda bars: pl.concat([bars, bars.head(1).with_columns(ts=HOLIDAY)]), ("STRONG", "2024-11-28"),
    ),
    "no rows at all": (lambda bars: bars.clear(), ("STRONG",)),
}  # fmt: skip


@pytest.mark.parametrize("mistake", DELIVERIES)
def test_bars_that_break_the_contract_stop_the_gate(study, mistake):
    """The gate writes its report and leaves the sound bars of the last run as they were."""
    change, said = DELIVERIES[mistake]
    path = study.path.parent / "bars/STRONG.parquet"
    sound = path.read_bytes()
    deliver(study, change)
    before = results(study)
    ends(study, "stages.check_data", 2, *said)
    after = results(study)
    path.write_bytes(sound)
    study.sh("git checkout -q . && dvc checkout -q --force")
    assert {name for name in before if before[name] != after.get(name)} <= {
        str(study.path / "artifacts/check_data/dq_report.json")
    }


def test_a_symbol_without_a_file_is_named_with_what_the_listing_knows(mistaken):
    set_in_conf(mistaken, "universe:\n  symbols: [STRONG, WEAK, NVDA]\n  whitelist: [STRONG]\n")
    ends(mistaken, "stages params", 0)
    ends(mistaken, "stages.list_source", 2, "'NVDA'", "conf/manifests/local.json", "source.uri_template")
    ends(mistaken, "stages refresh", 2, "NVDA")


def test_an_empty_file_is_named(mistaken):
    (mistaken.path.parent / "bars/WEAK.parquet").write_bytes(b"")
    ends(mistaken, "stages.fetch_bars", 2, "WEAK.parquet", "empty (0 bytes)", "make refresh")


def test_an_unaccepted_revision_is_refused(mistaken):
    path = mistaken.path.parent / "bars/WEAK.parquet"
    pl.read_parquet(path).with_columns(pl.col("close") * 1.001).write_parquet(path)
    ends(mistaken, "stages.fetch_bars", 2, "WEAK.parquet", "not the listed file", "make refresh")


def test_an_override_that_does_not_exist_is_refused_by_the_experiment(mistaken):
    told = mistaken.sh("dvc exp run -S rules.k_sigm=1", code=None)
    assert "k_sigm" in told
    assert "Traceback" not in told


def test_an_override_with_an_impossible_value_ends_in_the_first_stage(mistaken):
    told = mistaken.sh("dvc exp run -S rules.k_sigma=abc", code=255)
    assert "rules.k_sigma = 'abc'" in told
    assert [line for line in told.splitlines() if line.startswith("Running stage")] == ["Running stage 'list_source':"]
    mistaken.sh("git checkout -q params.yaml && dvc checkout -q")  # DVC takes a stage's outs away before it runs


def test_make_writes_no_params_of_a_run_that_is_impossible(mistaken):
    before = mistaken.text("params.yaml")
    assert "rules.k_sigma = 'abc'" in mistaken.sh("make run PRESET=smoke HOW='-S rules.k_sigma=abc'", code=2)
    (mistaken.path / "conf/sweeps/typo.txt").write_text("-S rules.k_sigma=0.5,abc")
    assert "rules.k_sigma=abc" in mistaken.sh("make experiments NAME=typo", code=2)
    (mistaken.path / "conf/sweeps/typo.txt").unlink()
    assert mistaken.text("params.yaml") == before
