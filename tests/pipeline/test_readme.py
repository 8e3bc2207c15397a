"""The README as a reader follows it: every command, in order, in a clone after `make run`."""

import pytest

from tests.docs.blocks import ROOT, blocks


@pytest.mark.journey
def test_the_readme_can_be_typed_from_top_to_bottom(clone):
    typed = 0
    for block in blocks(ROOT / "README.md"):
        if block.note.startswith("not run"):
            continue
        code = None if block.note.startswith("fails") else 0
        for command in block.commands:
            if not command.startswith("source "):
                clone.sh(command, code=code)
                typed += 1
    assert typed >= 8
