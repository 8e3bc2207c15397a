"""The client for TimeGPT through Nixtla's SDK: the only module that knows nixtla, pandas and the API key.

The SDK is restricted: one attempt a call (retries happen above it, each with its own reservation); metadata set from
params, so that no hidden request leaves; a hook that stops every request without a fresh reservation; responses limited
in bytes and time, and checked before the SDK builds a table. The SDK gets an artificial gapless minute clock that ends
at the snapshot. It would send the start of that clock as `start_datetime`, which is removed unless the question's clock
is artificial. Answers are read by step.

*Units*: bp. *Time*: stamps are UTC; the last row's is the snapshot.
*Errors*: `RequestFailed`, never with the API key in its text; `ConfigurationError` (exit 5) without key, address or
certificates.
*Source*: nixtla 0.9.0, `nixtla_client.py` and `_payloads.py`.
"""

import json
import logging
import os
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from math import ceil
from typing import Any

import httpx
import numpy as np
import pandas as pd
import zstandard
from nixtla import NixtlaClient
from numpy.typing import NDArray

from stages.engine.engine import require_driver
from stages.errors import ConfigurationError
from stages.forecasting.backend import Asked
from stages.io.terminal import print_to_stderr
from stages.paid.client import ModelFacts, Response, read_key, scrubbed, scrubbed_values, secrets_of
from stages.paid.deadline import Deadline
from stages.paid.failures import failure_of
from stages.paid.reservations import Reservation
from stages.paid.responses import (
    UnreadableAnswer,
    clock_complaint,
    counted_tokens,
    pause_sec,
    require_lists,
    whole_number,
)
from stages.params.forecaster import ForecasterParams
from stages.questions.question import ARTIFICIAL

FREQ = "min"
MAX_RESPONSE_BYTES = 50_000_000
CONNECT_SEC = 10.0
START = "start_datetime"

logging.getLogger().setLevel(logging.WARNING)  # importing nixtla sets the root logger to INFO
logging.getLogger("nixtla").setLevel(logging.CRITICAL)  # it would print response bodies, which may echo the key


class TimeGPT:
    """The client, one object a run. Not thread-safe."""

    sdk = f"nixtla {version('nixtla')}"

    def __init__(self, forecaster: ForecasterParams, timeout_sec: float) -> None:
        require_driver("the service")
        if not forecaster.base_url:
            raise ConfigurationError("forecaster.base_url is null: set the service's address in conf/forecaster.")
        key = read_key()
        self._secrets = secrets_of(key, forecaster.base_url)
        self._client = _ReservingClient(key, forecaster.base_url, timeout_sec)
        if forecaster.input_size is not None and forecaster.model_horizon is not None:
            facts = (forecaster.input_size, forecaster.model_horizon)
            self._client._model_params[(forecaster.model, FREQ)] = facts  # the SDK offers no other way

    def model_facts(self, model: str, reservation: Reservation) -> ModelFacts:
        """One GET for the model's input size and horizon."""
        with self._on(reservation):
            self._client._model_params.pop((model, FREQ), None)
            input_size, horizon = self._client._get_model_params(model, FREQ)
            return ModelFacts(whole_number("input_size", input_size), whole_number("horizon", horizon))

    def forecast(self, asked: Sequence[Asked], reservation: Reservation) -> Response:
        """One POST for all questions, which must agree in model, horizon, levels and exogenous columns."""
        first = asked[0].question
        history, future = frames_of(asked)
        options: dict[str, Any] = dict(first.options)
        with self._on(reservation, lambda body: require_lists(body, asked), tells_start=first.clock == ARTIFICIAL):
            table = self._client.forecast(
                df=history,
                X_df=future,
                h=first.horizon_min,
                freq=FREQ,
                model=first.model,
                quantiles=[level / 100 for level in first.levels],
                hist_exog_list=list(first.hist_exog) or None,
                **options,
            )
            return _read(table, asked, self._client.tokens)

    def models(self, reservation: Reservation) -> list[str]:
        """One GET for the names of the models that the key may use."""
        with self._on(reservation):
            return [scrubbed(str(name), self._secrets) for name in self._client.list_models()]

    def usage(self, reservation: Reservation) -> dict[str, Any]:
        """One GET for the requests that the service counted, by minute and month."""
        with self._on(reservation):
            usage = scrubbed_values(self._client.usage(), self._secrets)
            if not isinstance(usage, dict):
                raise UnreadableAnswer("its usage is not an object")
            return usage

    @contextmanager
    def _on(
        self, reservation: Reservation, inspect: Callable[[Any], None] | None = None, *, tells_start: bool = False
    ) -> Iterator[None]:
        client = self._client
        client.reservation, client.inspect, client.tells_start = reservation, inspect, tells_start
        try:
            yield
        except Exception as error:
            sent, reply, pause = reservation.used, client.reply, client.pause_sec
            failure = failure_of(error, sent=sent, secrets=self._secrets, reply=reply, pause_sec=pause)
            failure.tokens = client.tokens if sent else {}
            raise failure from None
        finally:
            client.reservation = None


class _ReservingClient(NixtlaClient):
    """The SDK's client, which sends only under a reservation, and waits and reads within limits.

    `inspect` gets the body of a successful response before the SDK does; `reply` and `pause_sec` are of the latest
    response.
    """

    def __init__(self, key: str, base_url: str, timeout_sec: float) -> None:
        super().__init__(api_key=key, base_url=base_url, timeout=ceil(timeout_sec), max_retries=1, retry_interval=0)
        self.reservation: Reservation | None = None
        self.inspect: Callable[[Any], None] | None = None
        self.reply = ""
        self.pause_sec: float | None = None
        self.tells_start = False
        self.tokens: dict[str, int | None] = {}
        self._timeout_sec = timeout_sec
        self._deadline = Deadline(timeout_sec)
        self._warned_of_clock = False
        self._tls = _certificates()  # made once: reading them takes longer than a request

    def _make_client(self, **kwargs: Any) -> httpx.Client:
        timeout = httpx.Timeout(self._timeout_sec, connect=min(CONNECT_SEC, self._timeout_sec))
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [self._leaving], "response": [self._arriving]}
        client = httpx.Client(**{**kwargs, "timeout": timeout}, verify=self._tls, event_hooks=hooks)
        return self._deadline.limit(client)

    def _encode_payload(self, payload: dict[str, Any], *args: Any, **kwargs: Any) -> tuple[bytes, dict[str, str]]:
        """The request body, without the start of the clock unless `tells_start`."""
        if not self.tells_start:
            payload.get("series", {}).pop(START, None)
        content: tuple[bytes, dict[str, str]] = super()._encode_payload(payload, *args, **kwargs)
        return content

    def _leaving(self, request: httpx.Request) -> None:
        if self.reservation is None:
            raise RuntimeError(f"a {request.method} tried to leave without a reservation")
        if request.method == "POST" and self.tells_start != (START.encode() in _plain(request)):
            state = "is not" if self.tells_start else "is"
            raise RuntimeError(f"{START} {state} in the request, against requests.clock")
        self.reservation.use()
        self._deadline.start()
        self.reply, self.pause_sec, self.tokens = "", None, {}

    def _arriving(self, response: httpx.Response) -> None:
        now = datetime.now(UTC)
        self.pause_sec = pause_sec(response.headers, now)
        if not self._warned_of_clock and (complaint := clock_complaint(response.headers, now)):
            print_to_stderr(complaint)
            self._warned_of_clock = True
        response._content = _bounded(response)  # what `read` would keep; httpx offers no other way
        self.reply = response.content.decode("utf-8", "replace")  # whatever character set the service names
        try:
            body = json.loads(response.content)
        except ValueError:
            return
        self.tokens = counted_tokens(body)
        if self.inspect is not None and response.is_success and response.request.method == "POST":
            self.inspect(body)


def _certificates() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        named = [f"{name} {os.environ[name]}" for name in ("SSL_CERT_FILE", "SSLKEYLOGFILE") if name in os.environ]
        raise ConfigurationError(
            f"TLS cannot be set up with {' or '.join(named)} ({error}): correct it, or unset it; without "
            "SSL_CERT_FILE, the certificates of Python's package certifi are used."
        ) from None


def _plain(request: httpx.Request) -> bytes:
    """The body as JSON text."""
    body = request.content
    return zstandard.decompress(body) if request.headers.get("content-encoding") == "zstd" else body


def _bounded(response: httpx.Response) -> bytes:
    """The body, unpacked. *Errors*: `UnreadableAnswer` as soon as it is too long."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise UnreadableAnswer(f"the response is longer than {MAX_RESPONSE_BYTES // 1_000_000} MB")
    return bytes(body)


def frames_of(asked: Sequence[Asked]) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """History and known future of all questions. Ids are numbers, since no symbol name is sent."""
    history, future = [], []
    for number, one in enumerate(asked):
        question, window = one.question, one.window()
        end = pd.Timestamp(question.snapshot_utc).tz_localize(None)
        names = [*question.hist_exog, *question.futr_exog]
        rows = pd.DataFrame(window.hist_exog, columns=names)
        rows.insert(0, "unique_id", f"{number:06d}")
        rows.insert(1, "ds", pd.date_range(end=end, periods=window.rows, freq=FREQ))
        rows.insert(2, "y", window.y_bp)
        history.append(rows)
        if question.futr_exog:
            known = pd.DataFrame(window.futr_exog, columns=list(question.futr_exog))
            known.insert(0, "unique_id", f"{number:06d}")
            known.insert(1, "ds", pd.date_range(start=end, periods=question.horizon_min + 1, freq=FREQ)[1:])
            future.append(known)
    return pd.concat(history, ignore_index=True), pd.concat(future, ignore_index=True) if future else None


def _read(table: pd.DataFrame, asked: Sequence[Asked], tokens: Mapping[str, int | None]) -> Response:
    """The SDK's table by question, level and step. The ids must be those that were sent, in their order."""
    question = asked[0].question
    horizon = question.horizon_min
    expected = np.repeat([f"{number:06d}" for number in range(len(asked))], horizon)
    if list(table["unique_id"]) != list(expected):
        raise UnreadableAnswer(f"{len(table)} rows came back for {len(asked)} questions of {horizon} steps")
    columns = [_by_question(table, f"TimeGPT-q-{level}", horizon) for level in question.levels]
    return Response(np.stack(columns, axis=1), _by_question(table, "TimeGPT", horizon), tokens)


def _by_question(table: pd.DataFrame, column: str, horizon: int) -> NDArray[np.float64]:
    if column not in table:
        raise UnreadableAnswer(f"the answer has no {column}")
    return np.asarray(table[column], dtype=np.float64).reshape(-1, horizon)
