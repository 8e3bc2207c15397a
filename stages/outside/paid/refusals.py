"""What went wrong with a request, what it means for the ledger, and what the user should do.

The table follows the service's documented status codes. Whatever reached the service counts; only what never left is
refunded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from nixtla.nixtla_client import ApiError

from stages.errors import BudgetStop, ConfigurationError, DataContractError, PipelineError
from stages.outside.paid.seller import CallFailed

QUOTA_CODES = re.compile(r"\bA2[01]\b")
LONGEST_TEXT = 300


class UnreadableAnswer(Exception):
    """A response that arrived and is not an answer."""


@dataclass(frozen=True)
class Refusal:
    """How one status code is treated."""

    state: str
    error: type[PipelineError]
    remedy: str
    again: int = 0
    never: bool = False


BAD_KEY = Refusal(
    "refused",
    ConfigurationError,
    "check NIXTLA_API_KEY and what it may use (`make models` lists the models, forecaster.model names one)",
)
NO_CREDIT = Refusal("refused", BudgetStop, "the account's quota or credit is used up: see the vendor's dashboard")
OUR_FAULT = Refusal(
    "refused",
    ConfigurationError,
    "the service refuses the question itself (an unknown forecaster.model? `make models` lists those of your key), "
    "so it is not asked again until `make release KEY=`",
    never=True,
)
PERHAPS_BILLED = Refusal("unknown", BudgetStop, "run again later; what was answered is kept", again=99)

BY_STATUS = {
    401: BAD_KEY,
    402: NO_CREDIT,
    403: BAD_KEY,
    400: OUR_FAULT,
    404: OUR_FAULT,
    413: OUR_FAULT,
    422: OUR_FAULT,
    429: Refusal("refused", BudgetStop, "the service asks for fewer requests: raise api.cooldown_sec", again=99),
    500: Refusal("unknown", BudgetStop, "the service failed: run again later", again=1),
    408: PERHAPS_BILLED,
    409: PERHAPS_BILLED,
    502: PERHAPS_BILLED,
    503: PERHAPS_BILLED,
    504: PERHAPS_BILLED,
}
UNKNOWN_STATUS = Refusal("unknown", BudgetStop, "see the service's documentation")


def failure_of(error: Exception, *, sent: bool, secrets: Sequence[str]) -> CallFailed:
    """The failure a call ends with; `sent` tells whether the request left."""
    text = _scrubbed(str(error) or type(error).__name__, secrets)
    if isinstance(error, PipelineError):
        return CallFailed("unknown" if sent else "refunded", error)
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        told = f"the forecast service cannot be reached ({text}): nothing was sent or counted; see forecaster.base_url."
        return CallFailed("refunded", ConfigurationError(told))
    if not sent:
        told = f"the SDK refused the request before it was sent ({text}): nothing was counted."
        return CallFailed("refunded", ConfigurationError(told))
    if isinstance(error, ApiError) and error.status_code != 200:
        return _of_status(error, text)
    if isinstance(error, httpx.TransportError):
        told = f"no answer came ({type(error).__name__}: {text}); it may have been billed, so it counts. Run again."
        return CallFailed("unknown", BudgetStop(told), again=99)
    told = f"the service's response is not an answer ({type(error).__name__}: {text}); it counts as paid. Run again."
    return CallFailed("unknown", DataContractError(told), evidence=text)


def _of_status(error: ApiError, text: str) -> CallFailed:
    status = int(error.status_code or 0)
    refusal = BY_STATUS.get(status, UNKNOWN_STATUS)
    if status == 429 and QUOTA_CODES.search(str(error.body)):
        refusal = NO_CREDIT
    return CallFailed(
        refusal.state,
        refusal.error(f"the forecast service says {status}: {refusal.remedy} ({text})."),
        again=refusal.again,
        wait_sec=float(error.retry_after or 0),
        never=refusal.never,
    )


def _scrubbed(text: str, secrets: Sequence[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
