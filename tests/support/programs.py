"""What `python -m` runs, run in this process: a new one would spend its first second on imports."""

import runpy
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import fsspec
import pytest

from stages.io import settings, workspace


@dataclass(frozen=True)
class Done:
    """How a program ended, and what a terminal would show."""

    returncode: int
    stdout: str
    stderr: str


def run_module(folder: Path, module: str, *arguments: str, **environment: str) -> Done:
    """`python -m module argument ...`, typed in a folder; what a process reads once is read anew.

    *Errors*: whatever would end a process with a traceback is raised.
    """
    said, complained, code = StringIO(), StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
        patch.chdir(folder)
        patch.delenv("DVC_ROOT", raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", [module, *arguments])
        forget()
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            forget()
    return Done(code, said.getvalue(), complained.getvalue())


def forget() -> None:
    """Params, DVC's configuration and the login of buckets, which a process reads once."""
    settings.read_document.cache_clear()
    workspace._dvc_config.cache_clear()
    if "gcsfs" in sys.modules:
        fsspec.config.conf.clear()
        fsspec.config.set_conf_env(fsspec.config.conf)
        fsspec.get_filesystem_class("gs").clear_instance_cache()
