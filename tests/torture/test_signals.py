"""Ctrl-C and SIGTERM at random instants, and a real stage below a real DVC. Counts come from the service.

Unlike a kill, a signal costs nothing: what was in flight is kept. Only a second one may.
"""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from stages.io.object_store import LocalStore
from tests.paid.demo_online import RUN_ALL, UP_TO_QUESTIONS, clone_to, compose_in, python_in
from tests.support.contexts import ContextFactory
from tests.support.crowd import at_length, counted, ledger_watched, start_stage, tell, until
from tests.support.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer

pytestmark = pytest.mark.torture


@pytest.mark.parametrize("scope", ["machine", "remote"])
def test_signals_at_random_instants_lose_nothing_and_pay_nothing_twice(
    scope: str, tmp_path: Path, server: TimeGPTServer
):
    """Signals, each within 30 ms after some request arrived: in flight, while storing, claiming or waiting."""
    contexts = ContextFactory(
        tmp_path / "a", server.url, LocalStore(tmp_path / "remote") if scope == "remote" else None
    )
    server.seconds, moments, codes = 0.004, random.Random(4), Counter()
    told, snapshots = tmp_path / "told", 100
    with ledger_watched(contexts if scope == "machine" else OnRemote(contexts), server) as wrong:
        while sum(codes[code] for code in (129, 130, 143)) < at_length(80):
            reached = server.sent + moments.randint(0, 2)
            buyer = start_stage(contexts, ["AAA", "BBB"], range(snapshots), told, scope=scope, cooldown_sec=0.002)
            until(lambda buyer=buyer, reached=reached: server.sent > reached or buyer.exitcode is not None)
            buyer.join(moments.uniform(0.0, 0.03))
            if buyer.exitcode is None:
                os.kill(buyer.pid, moments.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
            buyer.join(60)
            codes[buyer.exitcode] += 1
            assert "Traceback" not in told.read_text()
            snapshots += 50 if buyer.exitcode == 0 else 0
    tell(
        f"signals, api.scope {scope}", ends=dict(codes), paid=server.billed, stored=contexts.context().store.size() // 2
    )
    assert set(codes) <= {0, 129, 130, 143}
    assert wrong == []
    assert max(server.series_billed.values()) == 1
    assert server.sent == counted(OnRemote(contexts) if scope == "remote" else contexts)


class OnRemote:
    """The context factory whose ledger lies on the remote."""

    def __init__(self, contexts: ContextFactory) -> None:
        self.contexts = contexts

    def context(self) -> object:
        return self.contexts.context(scope="remote")


def test_two_signals_cost_at_most_what_was_in_flight(contexts: ContextFactory, server: TimeGPTServer, tmp_path: Path):
    server.seconds, moments, killed, codes = 0.02, random.Random(9), 0, Counter()
    told = tmp_path / "told"
    with ledger_watched(contexts, server) as wrong:
        while killed < at_length(40):
            reached = server.sent
            buyer = start_stage(contexts, ["AAA"], range(400), told)
            until(lambda buyer=buyer, reached=reached: server.sent > reached)
            for _ in range(2):
                buyer.join(moments.uniform(0.0, 0.01))
                if buyer.exitcode is None:
                    os.kill(buyer.pid, signal.SIGINT)
            buyer.join(60)
            codes[buyer.exitcode] += 1
            killed += 1
            assert "Traceback" not in told.read_text()
    tell("two signals", ends=dict(codes), paid=server.billed, stored=contexts.context().store.size())
    assert set(codes) <= {130, -signal.SIGINT}
    assert wrong == []
    assert server.billed <= contexts.context().store.size() + codes[-signal.SIGINT]


@pytest.mark.parametrize("below", ["python", "dvc"])
def test_ctrl_c_reaches_a_stage_and_its_dvc_and_the_answer_is_kept(below: str, server: TimeGPTServer, tmp_path: Path):
    """A terminal sends Ctrl-C to the whole group: DVC waits for the stage, which keeps what was in flight."""
    folder = tmp_path / "repository"
    clone_to(folder)
    known = [f"forecaster.input_size={INPUT_SIZE}", f"forecaster.model_horizon={MODEL_HORIZON}", "api.cooldown_sec=0"]
    slice_ = ["preset=smoke", "forecaster=timegpt", f"forecaster.base_url={server.url}", "forecaster.min_rows=100"]
    compose_in(folder, [*slice_, *known, "api.mode=online"])
    python_in(folder, "-c", RUN_ALL, *UP_TO_QUESTIONS).check_returncode()
    server.seconds = 0.5
    command = [
        sys.executable,
        "-m",
        *(["stages.forecast"] if below == "python" else ["dvc", "repro", "-s", "forecast"]),
    ]
    environment = {**os.environ, "NIXTLA_API_KEY": KEY, "PYTHONPATH": "."}
    environment.pop("DVC_ROOT", None)
    running = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        process_group=0, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    until(lambda: server.requests["forecast"] == 2, 120)
    os.killpg(running.pid, signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    tell(f"Ctrl-C below {below}", exit=running.returncode, requests=server.sent)
    assert running.returncode == (130 if below == "python" else 255)
    assert "SIGINT ended this run" in output
    assert "Traceback" not in output
    assert server.requests["forecast"] == 2
    server.seconds = 0
    assert python_in(folder, "-m", "stages.forecast").returncode == 0
    assert max(server.series_billed.values()) == 1
