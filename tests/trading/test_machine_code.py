"""Numba keeps compiled code on disk. However a crash or a bad disk leaves it, a run compiles anew and ends well."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.dependencies import ROOT

MODULE = "from stages.trading.kernels import compiled\n\n\n@compiled\ndef double(x):\n    return 2 * x\n"


def is_read_from_disk(folder: Path) -> bool:
    """Call the function as a new process would; its result is right, and whether its code was on the disk."""
    spec = importlib.util.spec_from_file_location("double", folder / "double.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.double(21) == 42
    return bool(module.double.stats.cache_hits)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small compiled function that ran once, and numba's files of it."""
    (tmp_path / "double.py").write_text(MODULE)
    assert not is_read_from_disk(tmp_path)
    assert is_read_from_disk(tmp_path)
    return tmp_path


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


def test_where_no_folder_may_be_written_each_process_compiles(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "__pycache__").rename(folder / "away")
    (folder / "__pycache__").touch()  # a file: even root cannot write into it
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/proc/none")
    assert [is_read_from_disk(folder) for _ in range(2)] == [False, False]


LATER = """
import json, sys
import double
from stages.trading.kernels import compiled

def told(function, value):
    found = function(value)
    print(json.dumps([found, len(function.stats.cache_hits), "numba.typed.typeddict" in sys.modules]))

told(double.double, 21)
told(compiled(lambda x: 3 * x), 14)
"""


def test_code_on_disk_is_read_without_the_compiler_which_still_compiles_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
