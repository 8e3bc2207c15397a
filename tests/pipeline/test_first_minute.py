"""The first minute: a page by `make demo`, on every Python that the project supports and this machine has."""

import os
import re
import shutil
import subprocess

import pytest

IMPORT_ALL = """
import importlib, pkgutil, stages
found = [one.name for one in pkgutil.walk_packages(stages.__path__, "stages.") if not one.name.endswith("__main__")]
for name in found:
    importlib.import_module(name)
print("imported", len(found))
"""
LAST = "demo: verdict INCONCLUSIVE, page artifacts/page/demo.html"


def interpreter(name):
    """Its path, if it runs: a shim may stand for a version that is not installed."""
    path = shutil.which(name)
    works = path and subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    return path if works and works.returncode == 0 else None


@pytest.mark.journey  # installs every package, and runs fifteen stages
@pytest.mark.parametrize("name", ["python3.11", "python3.12", "python3.13", "python3.14"])
def test_a_new_machine_with_this_python_installs_gives_a_page_and_nothing_else_and_imports_everything(fresh, name):
    path = interpreter(name)
    if path is None:
        pytest.skip(f"there is no {name} with venv here")
    (fresh.path / ".venv").unlink()
    reached = {key: value for key, value in os.environ.items() if re.match(r"(?i)(PIP|UV|SSL)_|.*_proxy$", key)}
    said = fresh.sh(f"make demo PYTHON={path}", **reached).splitlines()
    assert said[-1] == LAST
    assert [line for line in said if "seconds=" in line and len(line) > 80] == []
    assert "<title>" in fresh.text("artifacts/page/demo.html")
    assert fresh.sh("git status --porcelain") == ""
    assert not (fresh.path / "artifacts/report").exists()
    assert not (fresh.path / ".dvc/cache").exists(), "nor is a trial logged"

    (fresh.path / "everything.py").write_text(IMPORT_ALL)
    assert "imported" in fresh.sh(".venv/bin/python everything.py", PYTHONPATH=".")
