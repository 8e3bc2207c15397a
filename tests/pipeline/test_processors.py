"""The same bytes on other processors and with other numbers of threads: every stage of the smoke preset, anew.

A processor is put in place of this one by switching off what it may do: vector instructions of numpy, of the C library
and of OpenBLAS, and the target that numba compiles for.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from stages.configuration.compose import compose
from tests.architecture.dependencies import ROOT, load_dvc_yaml
from tests.support.large_market import folder_of_stages

RUN = "import sys, runpy\nfor name in sys.argv[1:]: runpy.run_module(f'stages.{name}', run_name='__main__')"
THREADS = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
PLAIN = {
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name]),
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-FMA,-FMA4,-AVX512F,-AVX512VL,-ERMS",
    "OPENBLAS_CORETYPE": "Nehalem",
}


def hashes(folder: Path, settings: dict[str, str], threads: int) -> dict[str, str]:
    """Every file that the stages write there, by its path."""
    folder_of_stages(folder, compose(ROOT / "conf", ["preset=smoke"]))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(folder.parent / f"compiled{threads}")}
    environment |= settings | dict.fromkeys(THREADS, str(threads))
    done = subprocess.run(
        [sys.executable, "-c", RUN, *load_dvc_yaml()["stages"]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files = sorted(path for path in (folder / "artifacts").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.journey
def test_every_stage_writes_the_same_bytes_on_a_plain_processor_and_with_any_number_of_threads(tmp_path: Path):
    here = hashes(tmp_path / "here", {}, threads=8)
    assert len(here) > 50
    assert hashes(tmp_path / "plain", PLAIN, threads=1) == here
