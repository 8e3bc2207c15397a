"""A stand-in for the TimeGPT service: real HTTP on loopback, the vendor's protocol, all requests counted.

It answers each series from that series alone, and misbehaves on command: `server.next("503", "hang")`
scripts the coming forecast requests, `server.always("429")` all of them, `server.judge` looks at each one's body.
Run as a module it serves `make demo-online`.
"""

import base64
import gzip
import hashlib
import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import zstandard

KEY = "nixak-'stand\\in\"/key+0123456789="
KEY_AS_WRITTEN = {
    "plain": KEY,
    "repr": "nixak-\\'stand\\\\in\"/key+0123456789=",
    "json": "nixak-'stand\\\\in\\\"/key+0123456789=",
    "url": "nixak-%27stand%5Cin%22/key%2B0123456789%3D",
    "url, all": "nixak-%27stand%5Cin%22%2Fkey%2B0123456789%3D",
    "hex": KEY.encode().hex(),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(KEY.encode()).decode(),
    "base64 of its header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 of a login": base64.b64encode(f"us:{KEY}:x".encode()).decode(),
}
"""The key in the forms that an error, a log or an echo may write it in."""
NEVER_SEEN = [text[12:-8] if name.startswith("base64") else text for name, text in KEY_AS_WRITTEN.items()]
"""What no file and no output may hold; of base64 the inner part, since its ends depend on what stands beside."""
INPUT_SIZE = 500
MODEL_HORIZON = 20


class TimeGPTServer:
    """Use as a context manager; `url` is its address. Counters are its own, never ours."""

    def __init__(self, port: int = 0, seconds: float = 0.0) -> None:
        self.requests: Counter[str] = Counter()
        self.billed = 0
        self.series_billed: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.bytes_received = 0
        self.authorizations: set[str] = set()
        self.seconds = seconds
        self.facts_seconds = 0.0
        self.facts: Any = {"input_size": INPUT_SIZE, "horizon": MODEL_HORIZON}
        self.facts_status = 200
        self.tell: dict[str, Any] = {}
        self.models: Any = [{"name": "timegpt-2.1"}, {"name": "timegpt-1"}]
        self.usage: Any = {"minute": {"consumed": 0, "limit": 60}, "month": {"consumed": 0, "limit": 1000}}
        self.headers: dict[str, str] = {}
        self.on_arrival: Callable[[], None] = lambda: None
        self.judge: Callable[[dict[str, Any]], str | None] = lambda _: None
        self._script: list[str] = []
        self._always: str | None = None
        self._lock = threading.Lock()
        self._http = _Listener(("127.0.0.1", port), _Handler)
        self._http.stand_in = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "TimeGPTServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def next(self, *behaviours: str) -> None:
        """Script the coming forecast requests, one behaviour each; `ok` is healthy."""
        self._script = list(behaviours)

    def always(self, behaviour: str | None) -> None:
        """Treat every forecast request so, until told otherwise."""
        self._always = behaviour

    @property
    def sent(self) -> int:
        """All HTTP requests that arrived."""
        return sum(self.requests.values())

    def arrived(self, kind: str, authorization: str) -> str:
        """Count a request; the behaviour it meets."""
        with self._lock:
            self.requests[kind] += 1
            self.authorizations.add(authorization)
            self.on_arrival()
            if kind != "forecast":
                return "ok"
            return self._script.pop(0) if self._script else self._always or "ok"

    def bill(self, body: dict[str, Any]) -> None:
        """Charge a forecast request."""
        with self._lock:
            self.billed += 1
            self.bodies.append(body)
            self.series_billed.update(digests(body))


def digests(body: dict[str, Any]) -> list[str]:
    """A name for each series of a request, from its values."""
    return [hashlib.md5(series.tobytes()).hexdigest() for series in _series(body)]


def _series(body: dict[str, Any]) -> list[np.ndarray]:
    sizes = body["series"]["sizes"]
    return np.split(np.asarray(body["series"]["y"], dtype=np.float32), np.cumsum(sizes)[:-1])


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Each series' forecast from its own values: its last value, a small drift, intervals that widen with the step."""
    steps = np.arange(1, body["h"] + 1)
    mean, intervals = [], {f"{side}-{level}": [] for level in sorted(set(body["level"])) for side in ("lo", "hi")}
    for series in _series(body):
        drift, scale = np.diff(series[-50:]).mean(), np.diff(series[-50:]).std() + 0.01
        mean.extend((series[-1] + drift * steps).tolist())
        for level in sorted(set(body["level"])):
            half = scale * np.sqrt(steps) * level / 60
            intervals[f"lo-{level}"].extend((series[-1] + drift * steps - half).tolist())
            intervals[f"hi-{level}"].extend((series[-1] + drift * steps + half).tolist())
    reply = {"mean": mean, "intervals": intervals, "weights_x": None}
    return {**reply, **tokens(body, reply)}


def tokens(body: dict[str, Any], reply: dict[str, Any]) -> dict[str, int]:
    """What a request counts: a token is one number sent or returned; finetuning reads the input once a step."""
    sent = sum(np.size(values) for values in (body["series"]["y"], body["series"].get("X") or []))
    sent += np.size(body["series"].get("X_future") or [])
    returned = len(reply["mean"]) + sum(map(len, reply["intervals"].values()))
    finetuned = sent * (body.get("finetune_steps") or 0)
    return {"input_tokens": sent, "output_tokens": returned, "finetune_tokens": finetuned}


def _backwards(body: dict[str, Any]) -> dict[str, Any]:
    """The request with its series in the opposite order."""
    values = np.concatenate(_series(body)[::-1]).tolist()
    return {**body, "series": {**body["series"], "y": values, "sizes": body["series"]["sizes"][::-1]}}


def _misses_intervals(reply: dict[str, Any]) -> dict[str, Any]:
    return {**reply, "intervals": None}


def _too_short(reply: dict[str, Any]) -> dict[str, Any]:
    return {**reply, "mean": reply["mean"][:-1]}


def _with_nulls(reply: dict[str, Any]) -> dict[str, Any]:
    return {**reply, "intervals": {name: [None] * len(values) for name, values in reply["intervals"].items()}}


def _crossed(reply: dict[str, Any]) -> dict[str, Any]:
    swap = {"lo": "hi", "hi": "lo"}
    return {**reply, "intervals": {swap[k[:2]] + k[2:]: v for k, v in reply["intervals"].items()}}


def _all_equal(reply: dict[str, Any]) -> dict[str, Any]:
    zeros = [0.0] * len(reply["mean"])
    return {**reply, "mean": zeros, "intervals": dict.fromkeys(reply["intervals"], zeros)}


def _shaped_by_company(reply: dict[str, Any]) -> dict[str, Any]:
    shift = len(reply["mean"]) / 100  # more than `TOLERANCE` of the range of a wild series, too
    moved = {name: [value + shift for value in values] for name, values in reply["intervals"].items()}
    return {**reply, "mean": [value + shift for value in reply["mean"]], "intervals": moved}


def _one_number(reply: dict[str, Any]) -> dict[str, Any]:
    return {**reply, "mean": 0.3, "intervals": {name: -0.1 if "lo" in name else 0.1 for name in reply["intervals"]}}


def _each(change: Callable[[float], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Every number of the reply changed."""

    def changed(reply: dict[str, Any]) -> dict[str, Any]:
        intervals = {name: [change(value) for value in values] for name, values in reply["intervals"].items()}
        return {**reply, "mean": [change(value) for value in reply["mean"]], "intervals": intervals}

    return changed


def _one_bound(values: Callable[[list[float]], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The bound lo-90 changed, the rest as it was."""
    return lambda reply: {
        **reply,
        "intervals": {**reply["intervals"], "lo-90": values(reply["intervals"]["lo-90"])},
    }


WRONG = {
    "one_number": _one_number,
    "booleans": _one_bound(lambda values: [False] * len(values)),
    "texts": _each(str),
    "nested": _one_bound(lambda values: [values]),
    "longer_bound": _one_bound(lambda values: [*values, 1.0]),
    "infinite": _one_bound(lambda values: [-float("inf"), *values[1:]]),
    "absurd": _one_bound(lambda values: [-1e300, *values[1:]]),
    "implausible": _one_bound(lambda values: [-9_999.0, *values[1:]]),
    "missing_intervals": _misses_intervals,
    "wrong_length": _too_short,
    "nulls": _with_nulls,
    "crossed": _crossed,
    "equal": _all_equal,
    "dependent": _shaped_by_company,
}
"""Healthy status, wrong content; billed."""

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"
STATUS: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = {
    **{
        str(code): (code, {"detail": f"stand-in says {code}"}, {})
        for code in (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504)
    },
    "308": (308, {"detail": "moved"}, {"Location": "http://127.0.0.1:9/v2/forecast"}),
    "401_too_short": (401, {"detail": "this key is too short"}, {}),
    "429_too_short": (429, {"detail": "the pause was too short"}, {}),
    "429_quota": (429, {"detail": "quota", "code": "A21"}, {}),
    "429_retry_after": (429, {"detail": "slow down"}, {"Retry-After": "7"}),
    "429_long_enough": (429, {"detail": "slow down"}, {"Retry-After": "250"}),
    "429_long_wait": (429, {"detail": "slow down"}, {"Retry-After": "3600"}),
    "429_for_ever": (429, {"detail": "slow down"}, {"Retry-After": "1e300"}),
    "429_until": (429, {"detail": "slow"}, {"Retry-After": "Sun, 22 Nov 2026 12:00:40 GMT", "Date": NOON}),
    "500_too_short": (500, {"details": "Series are too short to compute fitted values.", "code": "B30"}, {}),
    "401_echo": (401, {"detail": f"unknown key {KEY}", **KEY_AS_WRITTEN}, {}),
    "400_echo": (400, {"detail": repr(KEY_AS_WRITTEN)}, {}),
}
"""Refusals; not billed."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stand_in: TimeGPTServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that were killed are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        kind = {"/v2/models": "models", "/usage": "usage"}.get(self.path, "model_params")
        stand_in = self.server.stand_in
        stand_in.arrived(kind, self.headers.get("Authorization", ""))
        time.sleep(stand_in.facts_seconds)
        if kind == "models":
            self._reply(200, {"models": stand_in.models})
            return
        if kind == "usage":
            self._reply(200, stand_in.usage)
            return
        self._reply(stand_in.facts_status, {"detail": stand_in.facts})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.stand_in.bytes_received += len(content)
        if self.headers.get("content-encoding") == "zstd":
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        body = json.loads(content)
        stand_in = self.server.stand_in
        behaviour = stand_in.arrived("forecast", self.headers.get("Authorization", ""))
        behaviour = stand_in.judge(body) or behaviour
        if behaviour in STATUS:
            code, document, headers = STATUS[behaviour]
            self._reply(code, document, headers)
        elif behaviour == "drop_before":
            self._drop()
        else:
            stand_in.bill(body)
            time.sleep(stand_in.seconds)
            self._billed(behaviour, body)

    def _billed(self, behaviour: str, body: dict[str, Any]) -> None:
        if behaviour == "drop_after":
            self._drop()
        elif behaviour == "garbage":
            self._raw(b"<html>all is well</html>")
        elif behaviour == "hang":
            time.sleep(30)
        elif behaviour == "garbage_echo":
            self._raw("\n".join(KEY_AS_WRITTEN.values()).encode())
        elif behaviour == "drip":
            self._drip()
        elif behaviour == "drip_headers":
            self._drip_headers()
        elif behaviour == "huge":
            self._huge()
        elif behaviour == "huge_unpacked":
            self._raw(gzip.compress(b" " * 60_000_000, 1), headers={"Content-Encoding": "gzip"})
        elif behaviour == "swapped":
            self._reply(200, answer(_backwards(body)))
        else:
            self._reply(200, WRONG.get(behaviour, lambda reply: reply)(answer(body) | self.server.stand_in.tell))

    def _reply(self, code: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._raw(json.dumps(document).encode(), code, headers)

    def _raw(self, content: bytes, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(code)
        headers = {"Content-Type": "application/json", "Date": self.date_time_string()} | (headers or {})
        headers |= self.server.stand_in.headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _drop(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def _drip_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)

    def _huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(200_000_000))
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b" " * 1_000_000)


def main() -> None:
    """Serve on the port given until interrupted; tells each request."""
    with TimeGPTServer(port=int(sys.argv[1])) as server:
        print(f"stand-in TimeGPT at {server.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
