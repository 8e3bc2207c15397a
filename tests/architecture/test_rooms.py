"""The rooms of the house: who may import whom, what is pure, how large a file may grow."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import yaml

from stages.io import settings
from tests.architecture.dependencies import ROOT

STAGES = ROOT / "stages"
MODULES = sorted(path for path in STAGES.rglob("*.py"))
WORLDLY = {"io", "engine", "fetching", "paid", "configuration", "runs", "commands"}
PURE = [path for path in MODULES if path.parent != STAGES and path.relative_to(STAGES).parts[0] not in WORLDLY]
WORLD = {"os", "io", "pathlib", "socket", "subprocess", "tempfile", "shutil", "time", "httpx", "requests", "fsspec",
         "gcsfs", "dvc", "dvc_data", "hydra", "omegaconf", "nixtla", "sys", "threading", "multiprocessing"}  # fmt: skip
VAGUE = {"utils", "util", "common", "helpers", "core", "base", "misc"}
MAX_LINES = 300
MAX_SCRIPT_LINES = 80


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
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


def test_a_noun_touches_no_part_of_the_world():
    touched = {name(path): {module.split(".")[0] for module in imported(path)} & WORLD for path in PURE}
    touched = {path: found for path, found in touched.items() if found}
    assert touched == {}, f"read it in a stage or a room of {sorted(WORLDLY)}, and hand it to the pure function"


def test_one_file_alone_calls_dvc_as_a_library():
    dvc = {"dvc", "dvc_data", "dvc_gs", "dvc_objects", "scmrepo"}
    callers = [name(path) for path in MODULES if {module.split(".")[0] for module in imported(path)} & dvc]
    assert callers == ["stages/io/dvc_internals.py"], "call DVC as a library only there"


def test_a_module_has_a_docstring_and_a_plain_name():
    assert [name(path) for path in MODULES if not ast.get_docstring(tree_of(path))] == [], "without a docstring"
    assert [name(path) for path in MODULES if path.stem in VAGUE] == [], "name a module after its topic"


def test_a_module_has_a_readable_length_and_an_init_no_code():
    lines = {path: len(path.read_text().splitlines()) for path in MODULES}
    most = {path: MAX_SCRIPT_LINES if path.parent == STAGES else MAX_LINES for path in MODULES}
    long = {name(path): lines[path] for path in MODULES if lines[path] > most[path]}
    assert long == {}, f"a stage has at most {MAX_SCRIPT_LINES} lines, a module {MAX_LINES}: split it by topic"
    inits = [path for path in MODULES if path.name == "__init__.py" and path.parent != STAGES]  # that one has threads
    assert [name(path) for path in inits if len(tree_of(path).body) > 1] == []


def test_nothing_is_pickled_and_yaml_is_loaded_safely():
    assert [name(path) for path in MODULES if imported(path) & {"pickle", "joblib", "cloudpickle", "dill"}] == []
    safe = re.compile(r"yaml\.load\(text, (COMPILED|_Yaml12|yaml\.BaseLoader)\)")
    compiled = {settings.COMPILED, settings._Yaml12.__mro__[1]}
    assert compiled <= {yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)}
    assert [name(path) for path in MODULES if "yaml.load(" in safe.sub("", path.read_text())] == []
