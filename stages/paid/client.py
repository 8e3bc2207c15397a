"""The interface of a forecast service: one HTTP request a call, how it may fail, and the API key.

The API key is read once, refused when it cannot be one, and removed from every text that a user or a file may see.

*Errors*: `ConfigurationError` (exit 5) when the key is not set or holds spaces, line breaks or signs outside ASCII. The
message holds no part of it.
"""

import base64
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, quote_plus, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from stages.errors import ConfigurationError, PipelineError
from stages.forecasting.backend import Asked
from stages.paid.reservations import Reservation
from stages.params.api import KEY_NAME

ONE_PRINTABLE_WORD = re.compile(r"[!-~]+")
HIDDEN = "***"
SHORTEST_FORM = 8  # characters: a shorter piece of base64 also occurs in harmless text


def read_key() -> str:
    """The key from the environment, without surrounding space."""
    key = os.environ.get(KEY_NAME, "").strip()
    if not key:
        raise ConfigurationError(
            f"{KEY_NAME} is not set: api.mode online needs the API key in the environment; export it, or set "
            "api=offline."
        )
    if not ONE_PRINTABLE_WORD.fullmatch(key):
        raise ConfigurationError(
            f"{KEY_NAME} is not one word of printable ASCII (it holds a space, a line break or another character that "
            "no key has), so it was not used: export the key alone, on one line."
        )
    return key


def secrets_of(key: str, base_url: str) -> tuple[str, ...]:
    """What must stay hidden: the key, the address as written, and the credentials in it."""
    url = urlsplit(base_url)
    login = [value for value in (url.username, url.password) if value]
    return (key, base_url, *login, *map(unquote, login))


def scrubbed(text: str, secrets: Collection[str]) -> str:
    """The text without the secrets, in whatever form an error or an echo holds them."""
    written = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST_FORM}
    forms = sorted(written | set(filter(None, secrets)), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, forms)), HIDDEN, text, flags=re.IGNORECASE) if forms else text


def scrubbed_values(document: Any, secrets: Collection[str]) -> Any:
    """A document with all its texts and names scrubbed."""
    if isinstance(document, dict):
        return {scrubbed(name, secrets): scrubbed_values(value, secrets) for name, value in document.items()}
    if isinstance(document, list):
        return [scrubbed_values(value, secrets) for value in document]
    return scrubbed(document, secrets) if isinstance(document, str) else document


def _forms(secret: str) -> Iterator[str]:
    """The text itself, and as it appears in a repr, a JSON string (within a JSON string), an address, hex or base64."""
    escaped = json.dumps(secret)[1:-1]
    yield from (secret, repr(secret)[1:-1], escaped, json.dumps(escaped)[1:-1], repr(escaped)[1:-1])
    yield from (secret.replace("'", "\\'"), quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield secret.encode().hex()
    for shift in range(3):  # its offset within a group of three bytes, as in `Bearer KEY` or `user:KEY`
        coded = base64.b64encode(bytes(shift) + secret.encode()).decode().rstrip("=")
        inner = coded[-(-shift * 8 // 6) : (shift + len(secret.encode())) * 8 // 6]  # the secret's bits only
        yield from (inner, inner.replace("+", "-").replace("/", "_"))


@dataclass(frozen=True)
class ModelFacts:
    """The service's facts about a model, which decide how many rows of history the SDK sends."""

    input_size: int
    horizon: int


@dataclass(frozen=True)
class Response:
    """The answers of one request, in the order of the questions. *Shapes*: values (questions, levels, horizon)."""

    values_bp: NDArray[np.float64]
    mean_bp: NDArray[np.float64]
    tokens: Mapping[str, int | None]  # as the service counts them, by the names of `units.TOKENS`


class RequestFailed(Exception):
    """A request without an answer. `state` is for the ledger: refunded, refused or unknown.

    `again`: how many more attempts make sense at most; `wait_sec`: how long to wait before the next; `error`: what the
    user sees when none is left. `never`: a question that was asked alone must not be asked again. `smaller`: a smaller
    request may be accepted. `late`: the answer did not come in time. `tokens`: what the service counted all the same.
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
        tokens: Mapping[str, int | None] | None = None,
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
        self.tokens = tokens or {}


class FactsMissing(ConfigurationError):
    """The service does not give the numbers of a model."""


class Client(Protocol):
    """A forecast service. Each method sends exactly one HTTP request, under the reservation it is given."""

    sdk: str

    def model_facts(self, model: str, reservation: Reservation) -> ModelFacts:
        """Ask for a model's metadata."""
        ...

    def models(self, reservation: Reservation) -> list[str]:
        """Ask for the names of the models that the key may use."""
        ...

    def usage(self, reservation: Reservation) -> dict[str, Any]:
        """Ask what the service counted for the key's requests."""
        ...

    def forecast(self, asked: Sequence[Asked], reservation: Reservation) -> Response:
        """Ask all questions in one request."""
        ...
