"""What a failed request means for the ledger, how long to wait before the next try, and what the user should do.

The table follows the service's documented status codes. Every request that reached the service counts; only one that
never left is refunded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
from nixtla.nixtla_client import ApiError

from stages.errors import BudgetStop, ConfigurationError, DataContractError, PipelineError
from stages.paid.client import RequestFailed, scrubbed
from stages.paid.responses import UnreadableAnswer

QUOTA_CODES = re.compile(r"\bA2[01]\b")
TOO_SHORT = re.compile(r"too short|at least \d+ (?:observations|values|rows)", re.IGNORECASE)
ABOUT_SERIES = {400, 422, 500}  # others may say that a key or a pause is too short
LONGEST_TEXT = 300
LONGEST_EVIDENCE = 1_000_000
PAUSE_SEC = 10.0  # after a 429 without Retry-After: what the SDK itself waits between two attempts


@dataclass(frozen=True)
class Refusal:
    """How one status code is treated."""

    state: str
    error: type[PipelineError]
    remedy: str
    again: int = 0
    never: bool = False
    smaller: bool = False


BAD_KEY = Refusal(
    "refused",
    ConfigurationError,
    "check NIXTLA_API_KEY and its permissions (`make models` lists the models, forecaster.model names one)",
)
NO_CREDIT = Refusal("refused", BudgetStop, "the account's quota or credit is used up: see the vendor's dashboard")
UNKNOWN_THERE = Refusal(
    "refused",
    ConfigurationError,
    "the service refuses the question itself (an unknown forecaster.model? `make models` lists those of your key)",
    never=True,
)
OUR_FAULT = replace(UNKNOWN_THERE, smaller=True)  # caused by one question of many, or by their number
SERIES_TOO_SHORT = replace(
    OUR_FAULT,
    remedy="a series is too short for the model: raise requests.history_days, and set forecaster.min_rows to the "
    "minimum of the service",
)
ELSEWHERE = Refusal(
    "refused",
    ConfigurationError,
    "the service redirects to another address, and no request follows: correct forecaster.base_url",
)
PERHAPS_BILLED = Refusal("unknown", BudgetStop, "run again later; what was answered is kept", again=99)

BY_STATUS = {
    **dict.fromkeys((301, 302, 303, 307, 308), ELSEWHERE),
    401: BAD_KEY,
    402: NO_CREDIT,
    403: BAD_KEY,
    400: OUR_FAULT,
    404: UNKNOWN_THERE,
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
NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)  # a proxy that opens no way to the service
UNKNOWN_STATUS = Refusal("unknown", BudgetStop, "see the service's documentation")


def failure_of(
    error: Exception, *, sent: bool, secrets: Sequence[str], reply: str = "", pause_sec: float | None = None
) -> RequestFailed:
    """The failure that ends a request. `sent`: whether it left; `reply` and `pause_sec`: from the response."""
    text = _short(scrubbed(str(error) or type(error).__name__, secrets))
    if isinstance(error, PipelineError):
        return RequestFailed("unknown" if sent else "refunded", error)
    if isinstance(error, NOT_REACHED):
        sentence = (
            f"the forecast service cannot be reached ({text}): nothing was sent or counted; check forecaster.base_url "
            "and, where HTTPS_PROXY is set, the proxy"
        )
        return RequestFailed("refunded", ConfigurationError(sentence + _clock_hint(text)))
    if not sent:
        sentence = f"the SDK refused the request before it was sent ({text}): nothing was counted."
        return RequestFailed("refunded", ConfigurationError(sentence))
    if isinstance(error, ApiError) and error.status_code != 200:
        return _of_status(error, text, pause_sec)
    if isinstance(error, httpx.TimeoutException):
        sentence = (
            f"no answer came within api.timeout_sec ({type(error).__name__}), so the request counts: raise "
            "api.timeout_sec and run again."
        )
        return RequestFailed("unknown", BudgetStop(sentence), late=True)
    if isinstance(error, httpx.TransportError):
        sentence = (
            f"no answer came ({type(error).__name__}: {text}); the request may have been billed, so it counts. Run "
            "again."
        )
        return RequestFailed("unknown", BudgetStop(sentence), again=99)
    kind = "" if isinstance(error, UnreadableAnswer) else f"{type(error).__name__}: "
    sentence = (
        f"the service's response is not an answer ({kind}{text}); it counts as paid and is kept in quarantine/. Run "
        "again."
    )
    evidence = scrubbed(reply, secrets)[:LONGEST_EVIDENCE] or text  # the whole: no key is cut in two
    return RequestFailed("unknown", DataContractError(sentence), evidence=evidence)


def _of_status(error: ApiError, text: str, pause_sec: float | None) -> RequestFailed:
    status = int(error.status_code or 0)
    refusal = BY_STATUS.get(status, UNKNOWN_STATUS)
    if status == 429 and QUOTA_CODES.search(str(error.body)):
        refusal = NO_CREDIT
    elif status in ABOUT_SERIES and TOO_SHORT.search(str(error.body)):
        refusal = SERIES_TOO_SHORT
    return RequestFailed(
        refusal.state,
        refusal.error(f"the forecast service says {status}: {refusal.remedy} ({text})."),
        again=refusal.again,
        wait_sec=pause_sec or (PAUSE_SEC if status == 429 else 0.0),
        never=refusal.never,
        smaller=refusal.smaller,
    )


def _clock_hint(text: str) -> str:
    """A hint at this machine's clock if a certificate seems expired, else a full stop."""
    if not re.search(r"certificate (?:has expired|is not yet valid)", text):
        return "."
    return f", or this machine's clock, which says {datetime.now(UTC):%Y-%m-%d}."


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
