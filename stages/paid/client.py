"""What the buyer knows of a forecast service: one HTTP request a call, how it may fail, and the API key.

The API key: read once, refused when it cannot be one, and taken out of every text that a user or a file may see.

*Errors*: `ConfigurationError` (exit 5) when it is not set or holds spaces, line breaks or signs outside ASCII; no part
of it stands in the sentence.

What the buyer knows of whoever sells forecasts: one HTTP request a call, and how a call may fail.
"""

import base64
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from stages.errors import ConfigurationError, PipelineError
from stages.forecasting.backend import Asked
from stages.paid.reservations import Reservation

KEY_NAME = "NIXTLA_API_KEY"
ONE_PRINTABLE_WORD = re.compile(r"[!-~]+")
HIDDEN = "***"
SHORTEST_FORM = 8  # characters: a shorter piece of base64 stands in honest words too


def read_key() -> str:
    """The key from the environment, without the space around it."""
    key = os.environ.get(KEY_NAME, "").strip()
    if not key:
        raise ConfigurationError(f"{KEY_NAME} is not set: api.mode online needs the API key in the environment.")
    if not ONE_PRINTABLE_WORD.fullmatch(key):
        raise ConfigurationError(
            f"{KEY_NAME} is not one word of printable ASCII (it holds a space, a line break or another sign that no "
            "key has), so it was not used: export the key alone, on one line."
        )
    return key


def secrets_of(key: str, base_url: str) -> tuple[str, ...]:
    """What must stay hidden: the key, the address as written, and the credentials and query values in it."""
    url = urlsplit(base_url)
    named = [url.username, url.password, *(value for _, value in parse_qsl(url.query) if len(value) >= SHORTEST_FORM)]
    return (key, base_url, *(form for value in named if value for form in (value, unquote(value))))


def scrubbed(text: str, secrets: Collection[str]) -> str:
    """The text without the secrets, however an error or an echo may have written them."""
    written = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST_FORM}
    forms = sorted(written | set(filter(None, secrets)), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, forms)), HIDDEN, text, flags=re.IGNORECASE) if forms else text


def _forms(secret: str) -> Iterator[str]:
    """As it is, within a repr, a JSON string (of a JSON string), an address, hexadecimal or base64 text."""
    escaped = json.dumps(secret)[1:-1]
    yield from (secret, repr(secret)[1:-1], escaped, json.dumps(escaped)[1:-1], repr(escaped)[1:-1])
    yield from (secret.replace("'", "\\'"), quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield secret.encode().hex()
    for shift in range(3):  # where it begins within a group of three bytes, as in `Bearer KEY` or `user:KEY`
        coded = base64.b64encode(bytes(shift) + secret.encode()).decode().rstrip("=")
        whole = coded[-(-shift * 8 // 6) : (shift + len(secret.encode())) * 8 // 6]  # signs of the secret's bits alone
        yield from (whole, whole.replace("+", "-").replace("/", "_"))


@dataclass(frozen=True)
class ModelFacts:
    """What the service says of a model: it decides how much history is really sent."""

    input_size: int
    horizon: int


@dataclass(frozen=True)
class Response:
    """The answers of one request, in the order of the questions. *Shapes*: values (questions, levels, horizon)."""

    values_bp: NDArray[np.float64]
    mean_bp: NDArray[np.float64]
    tokens: Mapping[str, int | None]  # as the service counts them, by the names of `units.TOKENS`


class RequestFailed(Exception):
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


class FactsMissing(ConfigurationError):
    """The service does not say a model's numbers."""


class Client(Protocol):
    """Sells answers; each method sends exactly one HTTP request, on the reservation it is given."""

    sdk: str

    def model_facts(self, model: str, reservation: Reservation) -> ModelFacts:
        """Ask for a model's metadata."""
        ...

    def models(self, reservation: Reservation) -> list[str]:
        """Ask for the names of the models that the key may use."""
        ...

    def usage(self, reservation: Reservation) -> dict[str, Any]:
        """Ask what the service counted of the key's requests."""
        ...

    def forecast(self, asked: Sequence[Asked], reservation: Reservation) -> Response:
        """Ask all questions in one request."""
        ...
