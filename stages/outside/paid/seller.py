"""What the buyer knows of whoever sells forecasts: one HTTP request a call, and how a call may fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stages.errors import ConfigurationError, PipelineError
from stages.forecasting.backend import Asked
from stages.outside.paid.seats import Seat


@dataclass(frozen=True)
class ModelFacts:
    """What the service says of a model: it decides how much history is really sent."""

    input_size: int
    horizon: int


@dataclass(frozen=True)
class Bought:
    """The answers of one request, in the order of the questions. *Shapes*: values (questions, levels, horizon)."""

    values_bp: NDArray[np.float64]
    mean_bp: NDArray[np.float64]
    tokens: Mapping[str, int | None]  # as the service counts them, by the names of `units.TOKENS`


class CallFailed(Exception):
    """A call without an answer. `state` is for the ledger: refunded, refused or unknown.

    `again` says how many more attempts make sense at most, `wait_sec` how long to wait first; `error` is what the user
    hears when there is none. `never` marks a question that, asked alone, must not be asked again; `smaller` says that
    fewer questions may be taken; `late` marks questions whose answer did not come in time.
    """

    def __init__(  # noqa: PLR0913  # a record of one event
        self,
        state: str,
        error: PipelineError,
        *,
        again: int = 0,
        wait_sec: float = 0.0,
        never: bool = False,
        late: bool = False,
        smaller: bool = False,
        evidence: str = "",
    ) -> None:
        super().__init__(str(error))
        self.state = state
        self.error = error
        self.again = again
        self.wait_sec = wait_sec
        self.never = never
        self.late = late
        self.smaller = smaller
        self.evidence = evidence


class FactsUntold(ConfigurationError):
    """The service does not say a model's numbers."""


class Seller(Protocol):
    """Sells answers; each method sends exactly one HTTP request, on the seat it is given."""

    sdk: str

    def model_facts(self, model: str, seat: Seat) -> ModelFacts:
        """Ask for a model's metadata."""
        ...

    def models(self, seat: Seat) -> list[str]:
        """Ask for the names of the models that the key may use."""
        ...

    def usage(self, seat: Seat) -> dict[str, Any]:
        """Ask what the service counted of the key's requests."""
        ...

    def forecast(self, asked: Sequence[Asked], seat: Seat) -> Bought:
        """Ask all questions in one request."""
        ...
