"""Numba keeps compiled code on disk. However a crash or a bad disk leaves it, a run compiles anew and ends well."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

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
