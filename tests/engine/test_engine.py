"""Engines: the same records whoever works, failures that name the partition, no child without its driver."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stages.engine import cluster as cluster_engine
from stages.engine import engine
from stages.errors import ConfigurationError, DataContractError
from stages.params.forecaster import ForecasterParams
from tests.support import partition_work as work
from tests.support.cluster import ROOT, Cluster, cluster, until
from tests.support.contexts import FORECASTER
from tests.support.timegpt_server import TimeGPTServer

pytestmark = [pytest.mark.xdist_group("cluster"), pytest.mark.journey]  # a scheduler and workers are started
NUMBERS = {"C": 3, "A": 1, "B": 2}
PATIENT = """
from pathlib import Path
from stages.engine import engine
from tests.support import partition_work
if __name__ == "__main__":
    engine.run(partition_work.patient, {key: Path({notes!r}) for key in "AB"}, "waiting")
"""


@pytest.fixture(params=["loop", "local:2", "dask"])
def any_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, two_workers: Cluster) -> str:
    monkeypatch.setenv("ENGINE", two_workers.engine if request.param == "dask" else request.param)
    return str(request.param)


def test_records_come_back_by_key_sorted_and_others_than_the_driver_work_but_for_the_loop(any_engine: str):
    found = engine.run(work.squared_where, NUMBERS, "squaring")
    assert [(key, square) for key, (square, _) in found.items()] == [("A", 1), ("B", 4), ("C", 9)]
    assert ({process for _, process in found.values()} == {os.getpid()}) is (any_engine == "loop")
    assert engine.run(work.squared_where, {}, "squaring") == {}


def test_a_user_s_problem_names_its_partition_and_keeps_its_exit_code(any_engine: str):
    with pytest.raises(DataContractError, match=r"^C: the file of 2024-03 is empty\.$"):
        engine.run(work.told, NUMBERS, "failing")


def test_a_bug_keeps_its_traceback_and_names_its_partition(any_engine: str):
    with pytest.raises(ZeroDivisionError) as caught:
        engine.run(work.told, {"MSFT": 4}, "failing")
    assert "This happened while working on MSFT." in caught.value.__notes__


def test_only_the_driver_buys(any_engine: str, server: TimeGPTServer):
    """Neither through the backend nor past it."""
    forecaster = ForecasterParams(**{**FORECASTER, "base_url": server.url})
    refused = engine.run(work.buying_both_ways, {"AAPL": forecaster}, "buying")["AAPL"]
    for told, what in zip(refused, ("the paid backend", "the service"), strict=True):
        assert f"partition AAPL tried to open {what}: only the driver may buy" in told
    assert server.sent == 0


def test_the_untracked_file_chooses_and_the_environment_overrules_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("ENGINE", raising=False)
    (tmp_path / ".engine").write_text("local:2\n")
    assert engine.chosen_engine(1).keywords == {"processes": 2}
    monkeypatch.setenv("ENGINE", "dask://10.0.0.5:8786")
    assert engine.chosen_engine(1).keywords == {"address": "tcp://10.0.0.5:8786"}


@pytest.mark.parametrize("choice", ["local", "local:0", "local:two", "ray", "dask://host"])
def test_an_engine_that_does_not_exist_is_refused_by_name(choice: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE", choice)
    with pytest.raises(ConfigurationError, match=f"is '{choice}': set it to loop, local:2, dask://host:8786 or"):
        engine.run(work.squared_where, NUMBERS, "squaring")


def test_the_base_install_says_how_to_get_dask(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE", "dask://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        ConfigurationError, match=r"not installed: run `uv pip install -r pyproject.toml --extra cluster`"
    ):
        engine.run(work.squared_where, NUMBERS, "squaring")


def test_a_scheduler_that_is_not_there_is_reported_in_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE", "dask://127.0.0.1:1")
    monkeypatch.setattr(cluster_engine, "CONNECT_SEC", 0.5)
    with pytest.raises(ConfigurationError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1: start one"):
        engine.run(work.squared_where, NUMBERS, "squaring")


def test_a_cluster_without_workers_or_with_one_of_other_code_is_reported_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(ROOT / "stages", tmp_path / "later/stages", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "later/stages/errors.py").open("a") as file:
        file.write("# of another commit\n")
    lacks = {
        tmp_path: r"without the stages' code \(No module named 'stages'\)",
        tmp_path / "later": "with other code than this run",
    }
    with cluster(tmp_path, workers=0) as running:
        monkeypatch.setenv("ENGINE", running.engine)
        with monkeypatch.context() as patch:
            patch.setattr(cluster_engine, "WORKERS_SEC", 0.1)
            with pytest.raises(
                ConfigurationError,
                match=r"has no workers: start one in this repository with `PYTHONPATH=\. dask worker tcp://",
            ):
                engine.run(work.squared_where, NUMBERS, "squaring")
        for code, lack in lacks.items():
            running.start_worker(code)
            told = rf"^the worker at tcp://127\.0\.0\.1:\d+ runs {lack}: restart it"
            with pytest.raises(ConfigurationError, match=told):
                engine.run(work.squared_where, NUMBERS, "squaring")
            running.kill(running.workers[-1])


def test_a_machine_that_could_not_read_a_task_is_named_with_its_versions():
    packages = {"python": "3.11.7.final.0", "dask": "2026.8.0", "distributed": "2026.8.0", "cloudpickle": "3.1.2"}
    same, patched = {"packages": packages}, {"packages": packages | {"python": "3.11.9.final.0"}}
    told = {"client": same, "scheduler": patched, "workers": {"tcp://10.0.0.7:4000": same}}
    cluster_engine.validate_versions(told, "tcp://10.0.0.5:8786")

    older = {"packages": packages | {"python": "3.12.1.final.0", "distributed": "2025.1.0"}}
    with pytest.raises(
        ConfigurationError, match=r"^the worker at tcp://10\.0\.0\.7:4000 runs python 3\.12, distributed"
    ):
        cluster_engine.validate_versions(told | {"workers": {"tcp://10.0.0.7:4000": older}}, "tcp://10.0.0.5:8786")
    with pytest.raises(ConfigurationError, match=r"^the scheduler at tcp://10\.0\.0\.5:8786 runs python 3\.12"):
        cluster_engine.validate_versions(told | {"scheduler": older}, "tcp://10.0.0.5:8786")


def begun(notes: Path) -> dict[str, int]:
    """Partition -> process, of those at work."""
    return {name: int(pid) for name, pid in (path.name.split("-") for path in notes.glob("*-*"))}


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_children_die_with_a_killed_driver(tmp_path: Path):
    script = tmp_path / "driver.py"
    script.write_text(PATIENT.replace("{notes!r}", repr(str(tmp_path))))
    environment = {**os.environ, "ENGINE": "local:2", "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen([sys.executable, script], cwd=ROOT, env=environment)
    until(lambda: len(begun(tmp_path)) == 2)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    until(lambda: not any(alive(pid) for pid in begun(tmp_path).values()))


def test_a_killed_child_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE", "local:2")

    def kill_one() -> None:
        until(lambda: len(begun(tmp_path)) == 2)
        os.kill(begun(tmp_path)["A"], signal.SIGKILL)

    threading.Thread(target=kill_one, daemon=True).start()
    with pytest.raises(ConfigurationError, match=r"a process of ENGINE local:2 ended before its partition did"):
        engine.run(work.patient, dict.fromkeys("AB", tmp_path), "waiting")
