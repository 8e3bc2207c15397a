"""Numba keeps compiled code on disk. However a crash or a bad disk leaves it, a run compiles anew and ends well."""

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import pytest
from numba import int64
from numba.core.caching import IndexDataCacheFile

from stages.trading import machine_code
from tests.architecture.dependencies import ROOT

MODULE = "from stages.trading.machine_code import compiled\n\n\n@compiled\ndef double(x):\n    return 2 * x\n"


def is_read_from_disk(folder: Path, value: float = 21) -> bool:
    """Call the function as a new process would; its result is right, and whether its code was on the disk."""
    spec = importlib.util.spec_from_file_location("double", folder / "double.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.double(value) == 2 * value
    return bool(module.double.stats.cache_hits)


@pytest.fixture(autouse=True)
def no_folder_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of the tests says."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, still empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    """A small compiled function that ran once, so that its machine code is in the user's folder."""
    (tmp_path / "double.py").write_text(MODULE)
    assert not is_read_from_disk(tmp_path)
    assert is_read_from_disk(tmp_path)
    return tmp_path


@pytest.mark.journey  # processes compile
def test_a_copy_of_the_file_is_not_compiled_again_and_an_edited_one_is(folder: Path):
    for name, text, read in (("clone", MODULE, True), ("edited", f"{MODULE}# edited\n", False)):
        (folder / name).mkdir()
        (folder / name / "double.py").write_text(text)
        assert is_read_from_disk(folder / name) is read
    assert not list(folder.rglob("__pycache__/*.nbc"))


def test_machines_of_another_kind_that_share_a_home_have_a_folder_of_their_own(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(machine_code, "get_host_cpu_name", lambda: "another")
    assert not is_read_from_disk(folder)
    assert len(list(home.rglob("*.nbi"))) == 2


def test_other_options_of_the_compiler_compile_anew(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Numba's cache goes by the file of the function alone, and options stand in another one."""
    monkeypatch.setitem(machine_code.OPTIONS, "fastmath", True)
    assert not is_read_from_disk(folder)
    monkeypatch.delitem(machine_code.OPTIONS, "fastmath")
    assert is_read_from_disk(folder)


def test_code_that_was_saved_for_other_types_is_compiled_anew(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """As where two processes save at the same time: the code is found, but that of another signature."""
    found = machine_code.MachineCode._load_overload
    monkeypatch.setattr(
        machine_code.MachineCode, "_load_overload", lambda self, _, target: found(self, (int64,), target)
    )
    assert is_read_from_disk(folder)
    assert not is_read_from_disk(folder, 1.5)


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "torn",
    [lambda whole: b"", lambda whole: b"\0" * len(whole), lambda whole: whole[: len(whole) // 2]],
    ids=["empty", "zeros", "half"],
)
def test_a_torn_file_is_compiled_anew_and_then_read_again(folder: Path, suffix: str, torn: Callable[[bytes], bytes]):
    (file,) = folder.rglob(f"*.{suffix}")
    file.write_bytes(torn(file.read_bytes()))
    assert not is_read_from_disk(folder)
    assert is_read_from_disk(folder)


def test_a_torn_index_on_a_full_disk_ends_no_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (index,) = folder.rglob("*.nbi")
    index.write_bytes(b"")
    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", full)
    assert not is_read_from_disk(folder)


def test_where_no_folder_may_be_written_each_process_compiles(folder: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    (folder / "__pycache__").touch()  # a file: even root cannot write into it
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/proc/none")
    assert [is_read_from_disk(folder) for _ in range(2)] == [False, False]


def test_a_user_without_a_home_keeps_code_beside_its_source_and_not_where_a_run_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "double.py").write_text(MODULE)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    assert [is_read_from_disk(tmp_path) for _ in range(2)] == [False, True]
    assert not list(Path().iterdir())


LATER = """
import json, sys
import double
from stages.trading.machine_code import compiled

def told(function, value):
    found = function(value)
    print(json.dumps([found, len(function.stats.cache_hits), "numba.typed.typeddict" in sys.modules]))

told(double.double, 21)
told(compiled(lambda x: 3 * x), 14)
"""


@pytest.mark.journey  # processes compile
def test_code_on_disk_is_read_without_the_compiler_which_still_compiles_what_is_new(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each line: the result, how often the code was on the disk, whether parts of numba's compiler are loaded."""
    (tmp_path / "double.py").write_text(MODULE)
    (tmp_path / "later.py").write_text(LATER)
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("double").double(21) == 42  # now its code is on the disk
    monkeypatch.delitem(sys.modules, "double")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "later.py"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [[42, 1, False], [42, 0, True]]
