"""What a user typed after a command's name: what cannot be read ends it in one sentence, as any wrong value does.

*Errors*: `ConfigurationError` (exit 5).
"""

import argparse
import re
from collections.abc import Callable
from typing import NoReturn

from stages.errors import ConfigurationError


class Arguments(argparse.ArgumentParser):
    """A parser whose errors are a user's problem like every other, and not exit code 2, which means bad data."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where to look."""
        raise ConfigurationError(f"{self.prog}: {message}: `make help` shows what it takes.")


def key(text: str) -> str:
    """The key of a question, for `type` of an argument: never a path or a pattern."""
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a key (32 hexadecimal digits)")
    return text


def whole_number(least: int) -> Callable[[str], int]:
    """A reader of whole numbers of at least so much, for `type` of an argument."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return read
