"""What a kill or a bad disk leaves: under its name a file or a folder is whole, as before or as after, or not there."""

import errno
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from stages.errors import ConfigurationError, DataContractError
from stages.io.atomic import atomic_write, remove_leftovers, replaced_directory
from stages.io.files import write_bytes, write_csv, write_json, write_table_parts
from stages.io.parquet import write_frame
from stages.io.questions import write_questions
from stages.tables.contract import Table
from tests.questions.test_question import QUESTION

FRAME = pl.DataFrame({"a": range(50_000)}).select(pl.col("a"), (pl.col("a") * 7919 % 10_007).alias("b").sqrt())
WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": lambda path: write_bytes(b"x" * 500_000, path),
    "json": lambda path: write_json(list(range(100_000)), path),
    "csv": lambda path: write_csv(FRAME, path),
    "parquet": lambda path: write_frame(FRAME, path),
    "parquet in parts": lambda path: write_table_parts(_Any, [FRAME], path),
    "questions": lambda path: write_questions((QUESTION.canonical() for _ in range(6_001)), path),
}


class _Any(Table):
    """A contract that every frame keeps."""

    @classmethod
    def columns(cls):
        return {name: pl_column(dtype) for name, dtype in FRAME.schema.items()}

    @classmethod
    def of(cls, frame):
        return frame


def pl_column(dtype):
    return type("Column", (), {"dtype": dtype})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs"]
    if subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_sentence_and_what_stood_there_stands(small_disk: Path, name: str):
    path = small_disk / "out"
    if name == "questions":
        path.mkdir()
        (path / "before").touch()
    else:
        path.write_text("before")
    with pytest.raises(ConfigurationError, match=rf"^{path} could not be written: the disk is full: make room"):
        WRITERS[name](path)
    assert [one.name for one in small_disk.iterdir()] == ["out"]
    assert [one.name for one in path.iterdir()] == ["before"] if path.is_dir() else path.read_text() == "before"


def test_a_disk_that_may_not_be_written_is_one_sentence(small_disk: Path):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for write in WRITERS.values():
        with pytest.raises(ConfigurationError, match=r"out could not be written: the file system is read-only"):
            write(small_disk / "out")


def test_what_cannot_be_read_while_writing_is_not_blamed_on_the_file_that_is_written(tmp_path: Path):
    with pytest.raises(PermissionError), atomic_write(tmp_path / "out/made"):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "input"))
    with pytest.raises(DataContractError), atomic_write(tmp_path / "out/made"):
        raise DataContractError("input is not readable (Permission denied (os error 13))")


def write_and_die(path: Path, in_folder: bool) -> None:
    """Be killed half way through a file, or through a folder."""
    path.parent.mkdir(exist_ok=True)
    if in_folder:
        with replaced_directory(path) as new, atomic_write(new / "one") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def killed(path: Path, in_folder: bool) -> None:
    process = multiprocessing.get_context("fork").Process(target=write_and_die, args=(path, in_folder))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("in_folder", [False, True])
def test_a_kill_leaves_nothing_under_the_name_and_the_next_write_removes_what_it_left(tmp_path: Path, in_folder: bool):
    path = tmp_path / "out"
    for _ in range(2):
        killed(path, in_folder)
        assert not path.exists()
        assert len(list(tmp_path.iterdir())) == 1, "what it left has one name, however often it is killed"
    if in_folder:
        with replaced_directory(path) as new:
            (new / "one").write_text("whole")
        assert [(one.name, one.read_text()) for one in path.iterdir()] == [("one", "whole")]
    else:
        write_bytes(b"whole", path)
        assert path.read_text() == "whole"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("at", ["before", "between", "after"])
def test_a_folder_is_exchanged_whole_wherever_the_kill_falls(tmp_path: Path, at: str, monkeypatch: pytest.MonkeyPatch):
    """The old folder moves away, the new one takes its name: a kill at either step leaves one of them, or none."""
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    moves, rename = [], Path.rename

    def dying(self: Path, target: Path) -> Path:
        moves.append(target)
        if (len(moves), at) in {(1, "before"), (2, "between")}:
            os._exit(9)
        moved = rename(self, target)
        if (len(moves), at) == (2, "after"):
            os._exit(9)
        return moved

    child = os.fork()
    if not child:
        monkeypatch.setattr(Path, "rename", dying)
        with replaced_directory(path) as new:
            (new / "new").touch()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [one.name for one in path.iterdir()] if path.exists() else None
    assert left == {"before": ["old"], "between": None, "after": ["new"]}[at]
    with replaced_directory(path) as new:
        (new / "next").touch()
    assert [one.relative_to(tmp_path).as_posix() for one in sorted(tmp_path.rglob("*"))] == ["out", "out/next"]


def test_a_block_that_fails_leaves_a_folder_as_it_was(tmp_path: Path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(FileNotFoundError), replaced_directory(path) as new:
        (new / "absent/half").touch()
    assert [one.relative_to(tmp_path).as_posix() for one in sorted(tmp_path.rglob("*"))] == ["out", "out/old"]


def write_often(path: Path, letter: str) -> None:
    for _ in range(60):
        with atomic_write(path) as temporary, temporary.open("w") as file:
            for _ in range(40):
                file.write(letter * 100)
                file.flush()


def test_two_writers_of_one_file_never_mix(tmp_path: Path):
    """An engine may run a partition twice."""
    path, fork = tmp_path / "out", multiprocessing.get_context("fork")
    writers = [fork.Process(target=write_often, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen | {path.read_text()} <= {"a" * 4000, "b" * 4000}
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_what_killed_runs_left_is_removed_and_what_is_being_written_stays(tmp_path: Path):
    for number, in_folder in enumerate((False, True)):
        killed(tmp_path / f"stage/killed{number}", in_folder)
    (tmp_path / "stage/.out.old").mkdir()
    (tmp_path / "stage/.hidden").touch()
    with replaced_directory(tmp_path / "stage/out") as new, atomic_write(tmp_path / "one") as temporary:
        (new / "half").touch()
        remove_leftovers(tmp_path)
        assert (new / "half").exists()
        assert temporary.exists()
        left = {one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*")}
    assert left == {"stage", "stage/.hidden", "stage/.out.new", "stage/.out.new/half", ".one.tmp"}
