"""The paid path: 3,000 warm reads, an online call over a bare SDK call, `make plan` and a cached `forecast` of 3,000.

Reads and commands in CPU seconds, commands also as a user waits for them; the call's overhead in wall time against the
same loopback server, medians; bytes of a request as the server receives them.
Run: python -m tests.benchmarks.bench_paid
"""

import json
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from nixtla import NixtlaClient

from stages.forecasting.backend import Asked
from stages.io.object_store import LocalStore
from stages.io.questions import read_questions
from stages.paid.answer_store import AnswerStore
from stages.paid.records import path_of, record_of
from stages.paid.timegpt import frames_of
from stages.questions.question import Question
from tests.paid.demo_online import compose_in
from tests.pipeline.clone import Clone, clone_working_tree
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer

QUESTIONS = 3_000
CALLS = 15
A_YEAR = ["universe.first_session=2024-01-02", "universe.last_session=2025-02-28"]  # and 40 sessions before it
MOST_READ_SECONDS, MOST_PLAN_SECONDS, MOST_STAGE_SECONDS, MOST_OVERHEAD_SECONDS = 1.0, 4.0, 3.0, 0.025


def seconds(function: Callable[[], object], clock: Callable[[], float] = process_time) -> float:
    """What one run takes."""
    start = clock()
    function()
    return clock() - start


def answered(store: LocalStore, question: Question) -> None:
    """Keep a made-up answer, without waiting for the disk."""
    values = [[float(level + step) for step in range(question.horizon_min)] for level in range(len(question.levels))]
    facts = {"sdk": "", "call": "", "series_in_call": 1, "company": 1, "input_tokens": 1, "paid_utc": ""}
    record = record_of(question, values_bp=values, mean_bp=values[2], **facts)
    store.create(path_of(record.key), record.encode(), durable=False)


def reads(folder: Path) -> None:
    """A store of 3,000 answers, read and checked whole."""
    local = LocalStore(folder / "store")
    wanted = [asked(f"S{number}", 0).question for number in range(QUESTIONS)]
    for one in wanted:
        answered(local, one)
    store, keys = AnswerStore(local, None), [one.key for one in wanted]
    flat = seconds(lambda: [json.loads((local.root / path_of(key)).read_bytes()) for key in keys])
    read = seconds(lambda: [record.answer() for record in store.get(keys).values()])
    told = f"{QUESTIONS:,} warm reads {read:.2f} s (at most {MOST_READ_SECONDS} wanted)"
    print(f"{told}, {read / flat:.1f} times reading and parsing alone")


def commands(folder: Path) -> None:
    """A year of the synthetic market: the price with nothing paid, the stage with everything paid."""
    clone = clone_working_tree(folder / "repository")
    compose_in(clone.path, [*A_YEAR, "forecaster=timegpt"])
    clone.sh("dvc repro -q build_requests")
    questions = read_questions(clone.path / "artifacts/build_requests/requests")
    start, _ = cost_of(clone, "python -c 'import numpy, polars, pydantic'")
    plan = cost_of(clone, "python -m stages plan")
    for question in questions:
        answered(LocalStore(clone.path / ".dvc/cache/forecasts"), question)
    stage = cost_of(clone, "python -m stages.forecast")
    for what, cost, most in (("make plan", plan, MOST_PLAN_SECONDS), ("cached forecast", stage, MOST_STAGE_SECONDS)):
        told = f"{what} of {len(questions):,} questions {cost[0]:.2f} s of CPU, {cost[1]:.2f} s waited"
        print(f"{told} (at most {most} wanted), {cost[0] / start:.1f} times an interpreter with its libraries")


def cost_of(clone: Clone, command: str) -> tuple[float, float]:
    """CPU seconds of a command, and what its user waits."""
    before = getrusage(RUSAGE_CHILDREN)
    waited = seconds(lambda: clone.sh(command), perf_counter)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, waited


def bytes_sent(folder: Path) -> None:
    """One question of 40 days with the SDK's cutting, and with one exogenous column, which switches it off."""
    rows = 40 * 390 + 60
    with TimeGPTServer() as server:
        contexts = ContextFactory(folder / "bytes", server.url)
        cut = 3 * INPUT_SIZE + MODEL_HORIZON
        contexts.backend().answer([asked("AAA", rows=cut)])
        plain = server.bytes_received
        window = replace(asked("BBB", rows=rows).window(), hist_exog=np.linspace(0, 1, rows)[:, None])
        question = replace(asked("BBB", rows=rows).question, hist_exog=("ret_1m",), features_sha256="x")
        contexts.backend().answer([Asked(question, lambda: window)])
    told = f"cut to {cut:,} rows {plain / 1e3:.0f} kB, with one exogenous column {rows:,} rows"
    print(f"a question of 40 days: {told} {(server.bytes_received - plain) / 1e3:.0f} kB")


def overhead(folder: Path) -> None:
    """The same three-symbol request, bare and with lock, reservation, checks, three kept answers and settlement."""
    with TimeGPTServer() as server:
        client = NixtlaClient(api_key=KEY, base_url=server.url, max_retries=1)
        client._model_params[("timegpt-2.1", "min")] = (INPUT_SIZE, MODEL_HORIZON)
        backend = ContextFactory(folder / "cache", server.url).backend()
        batches = [questions(["AAA", "BBB", "CCC"], range(n, n + 1)) for n in range(2 * CALLS + 2)]
        frames = [frames_of(batch)[0] for batch in batches]

        def bare(history: pd.DataFrame) -> None:
            client.forecast(history, h=20, freq="min", model="timegpt-2.1", quantiles=[0.05, 0.25, 0.5, 0.75, 0.95])

        bare(frames[0])
        backend.answer(batches[1])
        alone = [seconds(lambda f=f: bare(f), perf_counter) for f in frames[2::2]]
        ours = [seconds(lambda b=b: backend.answer(b), perf_counter) for b in batches[3::2]]
    extra = statistics.median(ours) - statistics.median(alone)
    told = f"bare {1000 * statistics.median(alone):.1f} ms  online {1000 * statistics.median(ours):.1f} ms"
    print(f"{told}  overhead {1000 * extra:.1f} ms (at most {1000 * MOST_OVERHEAD_SECONDS:.0f} wanted)")


def main() -> None:
    """Print all."""
    os.environ["NIXTLA_API_KEY"] = KEY
    with tempfile.TemporaryDirectory() as name:
        reads(Path(name))
        overhead(Path(name))
        bytes_sent(Path(name))
        commands(Path(name))


if __name__ == "__main__":
    main()
