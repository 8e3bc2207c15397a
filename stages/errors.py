"""The ways a run ends early, each with its exit code.

    PipelineError
    ├── DataContractError   2   a table or source breaks its contract
    ├── GateNotMet          3   the verdict is not PASS
    ├── BudgetStop          4   the next request would not be allowed, or an answer is missing offline
    └── ConfigurationError  5   params or the environment ask for something impossible

A message says what happened with the value, the rule by its params name, and what to do.
"""

from typing import ClassVar


class PipelineError(Exception):
    """A user's problem told in one sentence; shown without a traceback."""

    exit_code: ClassVar[int] = 1


class DataContractError(PipelineError):
    """A table or a source breaks its contract."""

    exit_code = 2


class GateNotMet(PipelineError):
    """A required gate does not say PASS."""

    exit_code = 3


class BudgetStop(PipelineError):
    """A request was stopped before it was sent, or an answer is missing offline."""

    exit_code = 4


class ConfigurationError(PipelineError):
    """Params or the environment ask for something impossible."""

    exit_code = 5
