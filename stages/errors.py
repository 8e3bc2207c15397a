"""The errors that end a run early, each with its exit code.

    PipelineError
    ├── DataContractError   2     a table or source breaks its contract
    ├── GateNotMet          3     the verdict is not PASS
    ├── BudgetStop          4     the next request would not be allowed, or an answer is missing offline
    ├── ConfigurationError  5     params or the environment ask for something impossible
    └── Interrupted         130   Ctrl-C between two requests; 143 for SIGTERM, 129 for SIGHUP

A message says what happened with the value, the rule by its params name, and what to do. An error in work on one of
many symbols or months names it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIGINT


class PipelineError(Exception):
    """A user error in one sentence, shown without a traceback."""

    exit_code: int = 1


class DataContractError(PipelineError):
    """A table or a source breaks its contract."""

    exit_code = 2


class GateNotMet(PipelineError):
    """A required gate is not PASS."""

    exit_code = 3


class BudgetStop(PipelineError):
    """A request was stopped before it was sent, or an answer is missing offline."""

    exit_code = 4


class ConfigurationError(PipelineError):
    """Params or the environment ask for something impossible."""

    exit_code = 5


class Interrupted(PipelineError):
    """A signal ended the run with nothing in flight. The exit code is the shell's: 128 plus the signal's number."""

    def __init__(self, message: str, signum: int = SIGINT) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum


@contextmanager
def at_work_on(place: str) -> Iterator[None]:
    """Errors in the block name the place, `AAPL` or `AAPL 2024-03`: user errors in the sentence, bugs in a note."""
    try:
        yield
    except PipelineError as error:
        if not re.search(rf"(?<!\w){re.escape(place)}(?!\w)", str(error)):  # as a word: A, F and T are symbols too
            error.args = (f"{place}: {error}",)
        raise
    except Exception as error:
        error.add_note(f"This happened while working on {place}.")
        raise


def shorten(names: Sequence[str], most: int = 12) -> str:
    """`A, B, C`; of more than `most` names, the first ones and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def count(many: int, one: str, more: str | None = None) -> str:
    """`1 trade`, `2 trades`."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"
