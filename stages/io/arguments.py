"""Command-line arguments: a wrong value ends a command in one sentence, like every other user error.

*Errors*: `ConfigurationError` (exit 5).
"""

import argparse
import re
from collections.abc import Callable, Iterable
from typing import NoReturn

from stages.errors import ConfigurationError

KEY_DIGITS = 32


class Arguments(argparse.ArgumentParser):
    """An argument parser that raises `ConfigurationError` instead of exiting with 2, which means bad data."""

    def error(self, message: str) -> NoReturn:
        """Name the wrong argument and where to look."""
        raise ConfigurationError(f"{self.prog}: {message}: `make help` lists the commands and their arguments.")


def key_digits(least: int) -> Callable[[str], str]:
    """A reader of a question's key, or of at least `least` of its first digits.

    Keys become parts of paths, so others are refused.
    """

    def read(text: str) -> str:
        if not re.fullmatch(f"[0-9a-f]{{{least},{KEY_DIGITS}}}", text):
            wanted = f"{KEY_DIGITS} hexadecimal digits" if least == KEY_DIGITS else "hexadecimal digits of a key"
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return text

    return read


def words(texts: Iterable[str]) -> list[str]:
    """The words of some texts: a make variable with several values arrives as one text."""
    return [word for text in texts for word in text.split()]


def whole_number(least: int) -> Callable[[str], int]:
    """A reader of whole numbers of at least `least`, for `type` of an argument."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return read
