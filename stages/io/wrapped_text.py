r"""Lines for a terminal or a log: wrapped between words, and without control characters.

The name of a file or of a column, or a service's reply, may hold any character. One that would move the cursor, rename
the window or change the direction of reading is escaped, as `\x1b`.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and cursor moves
UNSHOWN = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
ACTS = re.compile(UNSHOWN)
COLOUR_OR_ACT = re.compile(rf"(\x1b\[[0-9;]*m)|{UNSHOWN}")


def harmless(text: object) -> str:
    """The text with control characters escaped, including colours; line feeds and tabs stay."""
    return ACTS.sub(_escaped, str(text))


def beneath(stream: TextIO) -> TextIO:
    """The wrapped stream itself, for code that must move the cursor."""
    return stream.beneath if isinstance(stream, _Lines) else stream


def width() -> int:
    """The terminal's columns; without a terminal `COLUMNS`, or 80."""
    return shutil.get_terminal_size().columns


def broken(line: str, columns: int, indent: str, column: int = 0) -> str:
    """A line that begins at `column`, wrapped between words; unchanged if it has colours or cursor moves."""
    if column + len(line) <= columns or "\x1b" in line:
        return line
    first = " " * column
    return textwrap.fill(
        line, columns, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    ).removeprefix(first)


def _escaped(sign: re.Match[str]) -> str:
    return ascii(sign[0])[1:-1]


class _Lines:
    """A stream that escapes control characters except colours, and at a terminal wraps lines between words."""

    def __init__(self, stream: TextIO) -> None:
        self.beneath = stream
        self._breaks = stream.isatty()
        self._begun = ""
        self._column = 0  # of the terminal, at which an unfinished line continues

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)

    def write(self, text: str) -> int:
        """Pass every whole line on."""
        shown = COLOUR_OR_ACT.sub(lambda sign: sign[1] or _escaped(sign), text)
        if not self._breaks:
            self.beneath.write(shown)
            return len(text)
        *whole, self._begun = f"{self._begun}{shown}".split("\n")
        for line in whole:
            indent = " " * (len(line) - len(line.lstrip()) + 4)
            self.beneath.write(f"{broken(line, width(), indent, self._column)}\n")
            self._column = 0
        return len(text)

    def flush(self) -> None:
        """Pass on an unfinished line too."""
        if self._begun:  # without buffering (PYTHONUNBUFFERED), even an empty text fails on a full disk
            self.beneath.write(self._begun)
        self._column += len(ESCAPES.sub("", self._begun))
        self._begun = ""
        self.beneath.flush()


@contextmanager
def fitted() -> Iterator[None]:
    """Escape control characters in the block's output; at a terminal, wrap long lines and indent their rest."""
    with ExitStack() as ends:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            shown = cast(TextIO, _Lines(stream))
            ends.enter_context(redirect(shown))
            ends.callback(shown.flush)
        yield
