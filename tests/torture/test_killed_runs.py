"""Kills of a whole run: every stage, alone and below DVC, at random moments and while it writes. Then DVC goes on.

Whatever stands under the name of an output is whole after each kill; afterwards hashes, files and lock are those of an
undisturbed run. `make torture TIMES=500` asks for so many kills.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import yaml

from stages.io.content import content_hash
from tests.pipeline.clone import Clone
from tests.support.crowd import tell
from tests.support.programs import run_module

pytestmark = pytest.mark.torture

KILLS = int(os.environ.get("KILLS") or 15)  # every stage once
BELOW_DVC = 7  # every so many kills, and then DVC goes on
LONGEST_SEC = 3.0


@pytest.fixture(scope="module")
def sound(smoke_run: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the smoke preset ran undisturbed, committed with its lock. Each test leaves it so."""
    return smoke_run.copy_to(tmp_path_factory.mktemp("sound") / "repo")


def test_kill_nine_in_every_stage_and_dvc_goes_on_to_the_same_hashes(sound: Clone):
    moments, counts = random.Random(20261128), Counter()
    lock = yaml.safe_load(sound.text("dvc.lock"))["stages"]
    outs = {name: {one["path"]: one["md5"] for one in stage["outs"]} for name, stage in lock.items()}
    files, names = files_of(sound), list(lock)
    for number in range(KILLS):
        stage, below_dvc = names[number % len(names)], number % BELOW_DVC == BELOW_DVC - 1
        counts["kills"] += killed(sound, stage, moments, below_dvc)
        counts["below DVC"] += below_dvc
        counts["leftovers seen"] += len(set(files_of(sound)) - set(files))
        torn = {path for path, md5 in outs[stage].items() if (sound.path / path).exists()
                and content_hash(sound.path / path) != md5}  # fmt: skip
        assert torn == set(), (number, stage, below_dvc)
        if below_dvc or number == KILLS - 1:
            counts["told"] += healed(sound)
    tell("kill -9 of a run", runs=KILLS, **counts)
    assert counts["kills"] > KILLS / 2
    assert sound.sh("git status --porcelain") == "", "the committed hashes, and nothing beside them"
    found = {path: content_hash(sound.path / path) for stage in outs.values() for path in stage}
    assert found == {path: md5 for stage in outs.values() for path, md5 in stage.items()}
    assert files_of(sound) == files
    assert "up to date" in sound.sh("dvc status")
    assert sound.sh("python -m stages doctor").count("\nok ") + 1 == 10


def test_a_disk_that_is_full_or_read_only_is_one_sentence_in_every_stage(sound: Clone):
    """The folder of each stage in turn is such a disk; every other one is full, the others read-only."""
    if os.getuid():
        pytest.skip("only root may mount a disk")
    for number, stage in enumerate(yaml.safe_load(sound.text("dvc.lock"))["stages"]):
        folder, is_full = sound.path / "artifacts" / stage, number % 2 == 0
        options = "size=16k" if is_full else "ro"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
        try:
            if is_full:
                (folder / "filler").write_bytes(b"x" * 16_384)
            done = run_module(sound.path, f"stages.{stage}")
            left = {one.name for one in folder.iterdir()} - {"filler"}
        finally:
            subprocess.run(["umount", folder], check=True)
        told = "the disk is full: make room" if is_full else "the file system is read-only: make it writable"
        sentence = rf"error (10 min: )?\S*artifacts/{stage}/\S+ could not be written: {told}[^\n]*\n"
        assert re.fullmatch(sentence, done.stdout + done.stderr), done
        assert done.returncode == 5
        assert left == set(), stage
    assert sound.sh("git status --porcelain") == ""


def killed(clone: Clone, stage: str, moments: random.Random, below_dvc: bool) -> bool:
    """Start the stage, kill it with all its children at some moment or while it writes; whether it still ran."""
    typed = ["-m", "dvc", "repro", "-q", "-f", "-s", stage] if below_dvc else ["-m", f"stages.{stage}"]
    environment = {name: text for name, text in os.environ.items() if name != "DVC_ROOT"}
    running = subprocess.Popen(
        [sys.executable, *typed], cwd=clone.path, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline, folder = time.monotonic() + moments.uniform(0.3, LONGEST_SEC), clone.path / "artifacts" / stage
    at_a_write, after_sec = moments.random() < 0.5, moments.uniform(0.0, 0.02)
    while running.poll() is None and time.monotonic() < deadline:
        if at_a_write and any(folder.glob(".*")):
            time.sleep(after_sec)
            break
        time.sleep(0.001)
    was_running = running.poll() is None
    if was_running:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    return was_running


def healed(clone: Clone) -> bool:
    """What a person does: run again, and type what the sentence says, if there is one; whether there was."""
    said = clone.sh("python -m stages prepare", code=None)
    remedy = re.search(r"`((?:rm|git checkout) [^`]+)`", said)
    if remedy:
        clone.sh(f"{remedy[1]} && python -m stages prepare")
    clone.sh("dvc repro -q")
    return remedy is not None


def files_of(clone: Clone) -> list[str]:
    """Every file and folder below artifacts/."""
    return sorted(one.relative_to(clone.path).as_posix() for one in (clone.path / "artifacts").rglob("*"))
