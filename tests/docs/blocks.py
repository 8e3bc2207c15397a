"""The commands that the docs tell a reader to type."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"(?:<!-- (?P<note>[^>]*?) -->\n)?```sh\n(?P<body>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced `sh` block; `note` is the HTML comment above it, if any: `not run: why`, `fails: why`, `by whom`."""

    page: Path
    note: str
    commands: tuple[str, ...]


def typed(block: Block) -> list[str]:
    """The commands of a block that a test can type; those of a block that `fails` are wrapped so that they must."""
    if block.note.startswith("not run"):
        return []
    form = "! {{ {}; }}" if block.note.startswith("fails") else "{}"
    return [form.format(command) for command in block.commands]


def blocks(page: Path) -> list[Block]:
    """Every `sh` block of a page, comments stripped."""
    found = []
    for match in FENCE.finditer(page.read_text()):
        lines = (line.split("  #")[0].strip() for line in match["body"].replace("\\\n", " ").splitlines())
        commands = tuple(line for line in lines if line and not line.startswith("#"))
        found.append(Block(page, match["note"] or "", commands))
    return found


def page_commands(page: Path) -> list[str]:
    """What a test can type of a page, in its order."""
    return [command for block in blocks(page) for command in typed(block)]
