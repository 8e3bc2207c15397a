"""Results come by key, each as soon as all before it are done, so that whoever adds them up need not keep them."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from stages.engine import engine


def test_a_result_waits_for_those_before_it_and_for_no_other(monkeypatch: pytest.MonkeyPatch):
    done = []

    def in_another_order(named, partitions):
        for key in "BADC":
            done.append(key)
            yield named(key, partitions[key])

    monkeypatch.setattr(engine, "chosen_engine", lambda _: in_another_order)
    seen = [(key, n, "".join(done)) for key, n in engine.each(len_of, dict.fromkeys("DCBA", "xy"), "counting")]
    assert seen == [("A", 2, "BA"), ("B", 2, "BA"), ("C", 2, "BADC"), ("D", 2, "BADC")]


def test_without_a_choice_many_partitions_have_a_few_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("ENGINE", raising=False)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 3)
    assert engine.chosen_engine(16) is engine._loop
    assert engine.chosen_engine(17).keywords == {"processes": 3}
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 64)
    assert engine.chosen_engine(500).keywords == {"processes": 4}
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 1)
    assert engine.chosen_engine(500) is engine._loop


def test_a_process_that_may_use_one_core_works_in_a_loop(tmp_path: Path):
    code = "import os\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    code += "from stages.engine import engine\nprint(engine.chosen_engine(500) is engine._loop)"
    environment = {name: value for name, value in os.environ.items() if name != "ENGINE"} | {"DVC_ROOT": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert said.stdout == "True\n"


def len_of(_: str, text: str) -> int:
    return len(text)
