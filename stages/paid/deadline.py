"""A deadline for a complete exchange with the service: connecting, sending, waiting and reading.

httpx limits each read and write separately, so a service that sends one byte a minute would hold a run for ever. Here
every read and write gets what is left of `api.timeout_sec`, counted from the moment the request leaves.

*Units*: seconds. *Errors*: httpcore's timeouts, which httpx raises as its own.
*Source*: httpcore 1.0, `NetworkBackend` and `NetworkStream`.
"""

import math
from time import monotonic
from typing import Any

import httpcore
import httpx

BYTES_AT_ONCE = 65_536  # so that a slow receiver is noticed between two pieces


class Deadline(httpcore.NetworkBackend):
    """The network of this machine until `seconds` after `start`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = math.inf
        self._network = httpcore.SyncBackend()

    def start(self) -> None:
        """Start the clock: the request leaves now."""
        self._end = monotonic() + self._seconds

    def limit(self, client: httpx.Client) -> httpx.Client:
        """The client, bound to the deadline on every route, including proxies from the environment."""
        for transport in (client._transport, *client._mounts.values()):
            if isinstance(transport, httpx.HTTPTransport):
                transport._pool._network_backend = self  # httpx offers no other way
        return client

    def left(self, timeout: float | None, late: type[Exception]) -> float:
        """Seconds that remain, at most `timeout`; `late` when none do."""
        left = self._end - monotonic()
        if left <= 0:
            raise late("the time is up")
        return left if timeout is None else min(left, timeout)

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any
    ) -> httpcore.NetworkStream:
        """A connection bound to the deadline."""
        timeout = self.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._network.connect_tcp(host, port, timeout, *args, **kwargs), self)


class _Stream(httpcore.NetworkStream):
    """One connection."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), BYTES_AT_ONCE):
            piece = buffer[start : start + BYTES_AT_ONCE]
            self._stream.write(piece, self._deadline.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_Stream":
        timeout = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
