"""`make errors`: every sentence with which a command may end, read from the code, as docs/ERRORS.md.

A value stands as `…`. A test says when the page is out of date.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from stages.errors import PipelineError
from stages.io.object_store import StoreRefused

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/ERRORS.md"
RAISED = (*PipelineError.__subclasses__(), StoreRefused)
CODES = {error.__name__: error.exit_code for error in RAISED}
HEADS = {2: "Data", 3: "Gates", 4: "Budget and answers", 5: "Configuration and environment", 130: "Signals"}
SHORTEST = 12
PREFACE = """# Errors

Every sentence with which a command may end, by exit code; `…` is a value. Each says what to do; if one does not, files
do not belong together, and `dvc repro` makes them again. The [runbook](RUNBOOK.md) says more
where one sentence is not enough. Written by `make errors`.
"""


def page() -> str:
    """The whole page."""
    found = sorted(set(sentences()))
    parts = [PREFACE]
    for code, head in HEADS.items():
        rows = [f"| {said} | `{room}` |" for exit_code, room, said in found if exit_code == code]
        parts.append("\n".join([f"## {code}: {head}", "", "| sentence | from |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def sentences() -> Iterator[tuple[int, str, str]]:
    """Exit code, module and sentence of each error that is raised with words of its own."""
    for path in sorted((ROOT / "stages").rglob("*.py")):
        room = path.relative_to(ROOT / "stages").with_suffix("").as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if name in CODES and node.args and (said := _said(node.args[0])):
                yield CODES[name], room, said


def _said(node: ast.expr) -> str:
    """The sentence with its values left out; empty where the words come from elsewhere."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    words = [part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "…" for part in parts]
    told = " ".join("".join(words).split()).replace("|", "\\|")
    return told if len(told.replace("…", "").strip(" :.")) >= SHORTEST else ""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
