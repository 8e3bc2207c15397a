"""A cluster whose connections are encrypted, and closed to whoever has no certificate of its authority."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stages.engine.cluster import TLS
from tests.support.cluster import DASK, QUIET, ROOT, SCHEDULER, WORKER
from tests.support.gcs_server import free_port

pytestmark = pytest.mark.journey  # a scheduler, a worker and three drivers are started
DRIVER = """
from pathlib import Path
from stages.engine import engine
from stages.io.terminal import run
from tests.support import partition_work
run(lambda: print(engine.run(partition_work.squared_where, {"A": 1, "B": 2}, "squaring")))
"""


def authority(folder: Path) -> dict[str, str]:
    """A certificate authority and one certificate of it, as the page shows; what to export for them."""
    folder.mkdir()
    for command in (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=cluster-ca -keyout ca.key -out ca.pem",
        "openssl req -newkey rsa:2048 -nodes -subj /CN=cluster -keyout cluster.key -out cluster.csr",
        "openssl x509 -req -days 30 -in cluster.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out cluster.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    files = {f"{who}__{what}": f"cluster.{end}" for who in ("SCHEDULER", "WORKER", "CLIENT")
             for what, end in (("CERT", "pem"), ("KEY", "key"))}  # fmt: skip
    return {f"{TLS}{name}": str(folder / file) for name, file in ({"CA_FILE": "ca.pem"} | files).items()}


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Its address, and what who may use it exports."""
    exported, port = authority(tmp_path / "ours"), free_port()
    address = f"tls://127.0.0.1:{port}"
    commands = [
        [DASK, "scheduler", "--protocol", "tls", "--port", str(port), *SCHEDULER],
        [DASK, "worker", address, "--protocol", "tls", *WORKER, "--local-directory", tmp_path],
    ]
    running = [
        subprocess.Popen(one, cwd=ROOT, env={**os.environ, **QUIET, **exported, "PYTHONPATH": str(ROOT)},
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for one in commands
    ]  # fmt: skip
    yield f"dask+{address}", exported
    for process in running[::-1]:
        process.kill()
        process.wait()


def driven(engine: str, exported: dict[str, str]) -> tuple[int, str]:
    """Exit code and words of a run on the cluster."""
    environment = {**os.environ, **exported, "ENGINE": engine, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_only_who_has_a_certificate_of_the_cluster_s_authority_runs_code_on_it(closed, tmp_path: Path):
    engine, exported = closed
    code, said = driven(engine, exported)
    assert (code, "'A'" in said) == (0, True), said
    strangers = [(engine, {}), (engine, authority(tmp_path / "others")), (engine.replace("dask+tls", "dask"), {})]
    with ThreadPoolExecutor() as together:  # two of them knock until their patience ends
        (code, said), *others = together.map(driven, *zip(*strangers, strict=True))
    assert code == 5
    assert "needs a certificate: export DASK_DISTRIBUTED__COMM__TLS__CA_FILE" in said
    assert [code for code, _ in others] == [5, 5]
