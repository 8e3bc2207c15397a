"""What lies in artifacts/ is evidence for params.yaml only if dvc.lock says that it was made so and is as it was made.

The lock is written out here, with md5 sums by `md5sum`; the run has two stages, of which the second reads the first.
"""

from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from stages.errors import ConfigurationError
from stages.runs.evidence import findings, parse_run, read_run, require_evidence, require_fetched
from tests.architecture.dependencies import ROOT

A, B, EMPTY = "60b725f10c9c85c70d97880dfe8191b3", "3b5d5c3712955042212316173ccf37be", "d41d8cd98f00b204e9800998ecf8427e"
LISTING = f'[{{"md5": "{B}", "relpath": "B.csv"}}]'  # as DVC writes a folder's; its md5 is FOLDER
FOLDER = "6c3737b4409cbf48e2b35be1a91ea4a8.dir"
PARAMS = {
    "source": {"name": "one", "zone": None},
    "requests": {"snapshots_et": ["09:45", "10:30"]},
    "rules": {"s_stop": 1.0, "k_sigma": 0.5},
    "api": {"mode": "offline"},
}
LOCK = f"""schema: '2.0'
stages:
  bars:
    deps:
    - {{path: conf/list.json, md5: {EMPTY}}}
    - {{path: stages/bars.py, md5: {A}}}
    params:
      params.yaml:
        source:
          name: one
          zone:
        requests.snapshots_et:
        - 09:45
        - 10:30
    outs:
    - {{path: artifacts/bars/all, md5: {FOLDER}}}
  judge:
    deps:
    - {{path: artifacts/bars/all/B.csv, md5: {B}}}
    - {{path: artifacts/bars/all, md5: {FOLDER}}}
    params:
      params.yaml:
        rules: {{s_stop: 1.0, k_sigma: 0.5}}
    outs:
    - {{path: artifacts/judge/gates.json, md5: {A}}}
  report:
    deps:
    - {{path: artifacts/judge/gates.json, md5: {A}}}
    outs:
    - {{path: artifacts/report/index.html, md5: {A}}}
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that is as its lock says, but for the report, which is gone."""
    monkeypatch.chdir(tmp_path)
    files = {"conf/list.json": "", "stages/bars.py": "a\n", "artifacts/bars/all/B.csv": "b\n",
             "artifacts/judge/gates.json": "a\n", "dvc.lock": LOCK, ".dvc/config": ""}  # fmt: skip
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
    return tmp_path


def state(**changes: object) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS | changes))


def refused(*stages: str) -> str:
    with pytest.raises(ConfigurationError) as told:
        require_evidence(*stages)
    assert "`make run`" in str(told.value)
    return str(told.value)


def test_a_run_that_is_as_its_lock_says_is_evidence_and_nothing_is_reported(ran, capsys):
    require_evidence("judge")
    state(api={"mode": "online"})
    require_evidence("judge")  # no stage depends on `api`
    assert capsys.readouterr().err == ""


def test_a_report_that_is_missing_matters_to_whom_reads_it(ran):
    assert "artifacts/report/index.html is missing" in refused("report")


def test_other_params_are_named_with_both_values(ran):
    state(rules={"s_stop": 1.5, "k_sigma": 0.5})
    assert "rules.s_stop = 1.5 (artifacts: 1.0): `make run`" in refused("judge")
    require_evidence("bars")


def test_params_of_the_stages_before_count_and_a_key_of_its_own_as_well(ran):
    state(source={"name": "one", "zone": "UTC"}, requests={"snapshots_et": ["09:45"]})
    told = refused("judge")
    assert "source.zone = UTC (artifacts: null)" in told
    assert "requests.snapshots_et = ['09:45'] (artifacts: ['09:45', '10:30'])" in told


def test_what_the_first_stage_only_validates_makes_no_file_of_another_study(ran):
    lock = (ran / "dvc.lock").read_text().replace("\n  bars:", "\n  list_source:")
    also = "rules: {s_stop: 9.0}\n        requests.snapshots_et:"
    (ran / "dvc.lock").write_text(lock.replace("requests.snapshots_et:", also))
    require_evidence("list_source")
    state(source={"name": "two", "zone": None})
    assert "source.name = two (artifacts: one)" in refused("list_source")


def test_a_key_that_only_one_side_has_is_another_param(ran):
    state(source={"name": "one"}, rules=PARAMS["rules"] | {"s_take": 1.0})
    told = refused("judge")
    assert "source.zone = (absent) (artifacts: null)" in told
    assert "rules.s_take = 1.0 (artifacts: (absent))" in told


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("artifacts/judge/gates.json", "A\n", "artifacts/judge/gates.json"),
        ("artifacts/bars/all/B.csv", "c\n", "artifacts/bars/all"),
        ("artifacts/bars/all/C.csv", "", "artifacts/bars/all"),
    ],
)
def test_a_file_that_was_changed_or_added_after_the_run_is_named(ran, path, text, named):
    Path(path).write_text(text)
    assert f"changed after the run that dvc.lock records: {named}: `make run`" in refused("judge")


def test_a_stage_that_never_ran_is_named(ran):
    assert "dvc.lock records no run of sweep" in refused("sweep")


def test_a_listing_of_conf_that_is_another_now_refuses_and_other_code_is_reported_in_one_line(ran, capsys):
    Path("stages/bars.py").write_text("# quicker\n")
    require_evidence("judge")
    assert capsys.readouterr().err == (
        "artifacts/ was made by other code than the code here: stages/bars.py. `make run` makes it again.\n"
    )
    Path("conf/list.json").write_text("{}")
    assert "artifacts/ was made from another conf/list.json" in refused("judge")


def test_a_stage_whose_input_was_made_anew_after_it_ran_is_no_evidence(ran):
    """As after a run that ended between the two: all is as the lock lists it, only the stages do not fit each other."""
    again = LOCK.replace(f"all/B.csv, md5: {B}", f"all/B.csv, md5: {A}")
    Path("dvc.lock").write_text(again)
    assert "artifacts/ was made from another artifacts/bars/all/B.csv" in refused("judge")
    Path("dvc.lock").write_text(LOCK.replace(f"all, md5: {FOLDER}}}\n    params", f"all, md5: {A}.dir}}\n    params"))
    assert "artifacts/ was made from another artifacts/bars/all:" in refused("judge")


def test_an_input_that_two_stages_read_in_different_states_is_named_once(ran):
    """As after a run that ended between the two stages that read it."""
    for number, name in enumerate(("conf/list.json", "stages/bars.py")):
        lock = yaml.safe_load(LOCK)
        for md5, stage in ((A, "bars"), (B, "judge")):
            lock["stages"][stage]["deps"].append({"path": name, "md5": md5[::-1]})
        found = findings(parse_run(yaml.safe_dump(PARAMS), yaml.safe_dump(lock)), ["judge"])
        assert (found.stale, found.code)[number] == [name]


@pytest.mark.parametrize("lock", ["", "schema: '2.0'\n", "stages: {a: [", "nonsense"])
def test_an_empty_or_torn_lock_is_reported_with_the_way_back(ran, lock):
    Path("dvc.lock").write_text(lock)
    assert "dvc.lock is empty, incomplete or in the middle of a merge" in refused("judge")
    assert "`git checkout HEAD -- dvc.lock`" in refused("judge")


@pytest.mark.parametrize("name", ["dvc.lock", "params.yaml"])
def test_without_lock_or_params_nothing_ran(ran, name):
    Path(name).unlink()
    assert f"{name} is missing, so nothing ran here" in refused("judge")


def test_where_dvcs_own_copy_changed_too_the_sentence_says_what_to_remove(ran):
    """DVC believes a copy by its name, so that `make run` alone would bring the change back."""
    copy = Path(".dvc/cache/files/md5") / A[:2] / A[2:]
    copy.parent.mkdir(parents=True)
    copy.write_text("A\n")
    Path("artifacts/judge/gates.json").write_text("A\n")
    assert f"`rm -rf {copy.resolve()} artifacts/judge/gates.json`, then `make run`" in refused("judge")
    copy.write_text("a\n")
    assert "rm -rf" not in refused("judge")


def test_a_changed_copy_of_a_file_within_a_folder_is_found_as_well(ran):
    cache = Path(".dvc/cache/files/md5")
    listing, copy = cache / FOLDER[:2] / FOLDER[2:], cache / B[:2] / B[2:]
    for path, text in ((listing, LISTING), (copy, "c\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    Path("artifacts/bars/all/B.csv").write_text("c\n")
    assert f"`rm -rf {copy.resolve()} artifacts/bars/all`" in refused("judge")


def test_a_run_that_was_fetched_is_held_against_its_own_lock_and_params(ran):
    files = [Path("artifacts/judge/gates.json"), Path("artifacts/bars/all/B.csv")]
    require_fetched("wide", files, ran)
    Path("stages/bars.py").unlink()  # of a fetched run only its files lie there
    require_fetched("wide", files, ran)

    (ran / files[1]).write_text("c\n")
    with pytest.raises(ConfigurationError, match=r"run 'wide': .*changed after .*: artifacts/bars/all/B\.csv: run it"):
        require_fetched("wide", files, ran)
    state(rules={"s_stop": 2.0, "k_sigma": 0.5})
    with pytest.raises(ConfigurationError, match=r"run 'wide': artifacts/ was made with other params .*s_stop = 2\.0"):
        require_fetched("wide", files[:1], ran)


def test_the_stages_behind_a_reader_are_those_whose_files_it_was_made_from(ran):
    run = read_run()
    assert run.up_to(["judge"]) == ["bars", "judge"]
    assert run.up_to(["bars"]) == ["bars"]
    assert not findings(run, ["bars"]).complaint


def test_a_lock_is_read_as_by_the_library_with_which_dvc_writes_it():
    """In YAML 1.2 `09:45`, `on` and `1_0:30` are text, and `1e-05` is a number."""
    values = ["09:45", "1:30", "on", "no", "Yes", "1e-05", "0.5", "-3", "5.", ".inf", "null", "~", "true", "2024-09-03"]
    params = "".join(f"        k{n}: {value}\n" for n, value in enumerate([*values, "'12'"]))
    lock = f"stages:\n  one:\n    cmd: x\n    params:\n      params.yaml:\n{params}"
    for text in (lock, (ROOT / "dvc.lock").read_text()):
        assert parse_run("", text).stages == YAML(typ="safe").load(text)["stages"]


@pytest.mark.torture  # a lock cut off at every place
def test_a_lock_cut_off_anywhere_is_refused_or_read_and_no_traceback(ran):
    """What can be read of it names fewer stages or inputs, which then count as never made."""
    text = yaml.safe_dump(yaml.safe_load(LOCK))
    for size in range(len(text)):
        Path("dvc.lock").write_text(text[:size])
        try:
            read = read_run()
        except ConfigurationError:
            continue
        findings(read, read.stages)
