"""The rooms of the house: who may import whom, what is pure, how large a file may grow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.dependencies import ROOT

STAGES = ROOT / "stages"
MODULES = sorted(path for path in STAGES.rglob("*.py"))
WORLDLY = {"outside", "commands"}
PURE = [path for path in MODULES if path.parent != STAGES and path.relative_to(STAGES).parts[0] not in WORLDLY]
WORLD = {"os", "io", "pathlib", "socket", "subprocess", "tempfile", "shutil", "time", "httpx", "requests", "fsspec",
         "gcsfs", "dvc", "dvc_data", "hydra", "omegaconf", "nixtla", "sys", "threading", "multiprocessing"}  # fmt: skip
VAGUE = {"utils", "util", "common", "helpers", "core", "base", "misc"}
MAX_LINES = 300
MAX_SCRIPT_LINES = 80


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_follow_the_layers():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", PURE, ids=name)
def test_a_noun_touches_no_part_of_the_world(path):
    assert not {module.split(".")[0] for module in imported(path)} & WORLD


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_has_a_docstring_a_plain_name_and_a_readable_length(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert path.stem not in VAGUE
    assert len(path.read_text().splitlines()) <= (MAX_SCRIPT_LINES if path.parent == STAGES else MAX_LINES)
    if path.name == "__init__.py":
        assert len(tree.body) == 1, "an __init__.py holds a docstring and no code"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_is_pickled_and_yaml_is_loaded_safely(path):
    text = path.read_text()
    assert not imported(path) & {"pickle", "joblib", "cloudpickle", "dill"}
    assert "yaml.load(" not in text.replace("YAML().load(", "").replace("_yaml.load(", "")
