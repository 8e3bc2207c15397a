"""What each stage of dvc.yaml really depends on, read from the code; `make deps` writes it into dvc.yaml.

A room stands for its files: DVC writes the whole of dvc.lock after every stage, so a short list is time in every run.
"""

import ast
import io
from functools import cache
from pathlib import Path

import grimp
import yaml
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


@cache
def load_dvc_yaml() -> dict:
    """dvc.yaml."""
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())


@cache
def import_graph() -> grimp.ImportGraph:
    """Every import between modules of `stages`, those inside functions included."""
    return grimp.build_graph("stages", cache_dir=None)


def code_files(stage: str) -> set[str]:
    """The script and every module it imports, directly or not; packages' docstrings are no code."""
    modules = import_graph().find_upstream_modules(f"stages.{stage}") | {f"stages.{stage}"}
    files = (module.replace(".", "/") + ".py" for module in modules)
    return {file for file in files if (ROOT / file).exists()}


def code_deps(stage: str) -> list[str]:
    """`code_files`, every room as its folder."""
    return sorted({"/".join(Path(file).parts[:2]) for file in code_files(stage)})


def artifact_paths(stage: str) -> set[str]:
    """Every `artifacts/...` path that the script names as a constant."""
    tree = ast.parse((ROOT / f"stages/{stage}.py").read_text())
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in strings if text.startswith("artifacts/") and " " not in text}


def declared(stage: dict, kind: str) -> list[str]:
    """The paths under `deps`, `outs`, `metrics` or `plots`, options dropped."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in stage.get(kind, [])]


def main() -> None:
    """Rewrite the code part of every `deps`; data dependencies stay as they are and come last."""
    round_trip = YAML()
    round_trip.width = 120
    round_trip.indent(mapping=2, sequence=4, offset=2)
    document = round_trip.load((ROOT / "dvc.yaml").read_text())
    for name, stage in document["stages"].items():
        data = [path for path in declared(stage, "deps") if not path.startswith("stages/")]
        stage["deps"] = code_deps(name) + data
    buffer = io.StringIO()
    round_trip.dump(document, buffer)
    (ROOT / "dvc.yaml").write_text(buffer.getvalue())


if __name__ == "__main__":
    main()
