"""The paid path: 3,000 warm reads of the store, the price of 3,000 questions, an online call over a bare SDK call.

Reads and price in CPU seconds; the call's overhead in wall time against the same loopback server, medians.
Run: python -m tests.benchmarks.bench_paid
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import pandas as pd
import polars as pl
from nixtla import NixtlaClient

from stages.outside.paid.answers import AnswerStore, record_of
from stages.outside.paid.pricing import price
from stages.outside.paid.timegpt import frames_of
from stages.outside.places import Folder
from tests.outside.shops import ShopKeeper, asked, questions
from tests.outside.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer

QUESTIONS = 3_000
CALLS = 15
MOST_READ_SECONDS, MOST_PRICE_SECONDS, MOST_OVERHEAD_SECONDS = 1.0, 4.0, 0.025


def seconds(function: Callable[[], object], clock: Callable[[], float] = process_time) -> float:
    """What one run takes."""
    start = clock()
    function()
    return clock() - start


def reads_and_price(folder: Path) -> None:
    """A store of 3,000 answers, read whole and priced."""
    store = AnswerStore(Folder(folder / "store"), None)
    wanted = [asked(f"S{number}", 0).question for number in range(QUESTIONS)]
    for one in wanted:
        values = [[float(level + step) for step in range(20)] for level in range(5)]
        facts = {"sdk": "", "call": "", "series_in_call": 1, "company": 1, "input_tokens": 1, "paid_utc": ""}
        store.keep(record_of(one, values_bp=values, mean_bp=values[2], **facts))
    keys = [one.key for one in wanted]
    schedule = pl.DataFrame({"key": keys}).with_columns(status=pl.lit("ok"), session=pl.lit("2024-09-03"))
    read = seconds(lambda: [record.answer() for record in store.get(keys).values()])
    priced = seconds(lambda: price(wanted, schedule, store))
    print(f"{QUESTIONS:,} warm reads {read:.2f} s (at most {MOST_READ_SECONDS} wanted)")
    print(
        f"price of {QUESTIONS:,} questions {priced:.2f} s (the whole `make plan`: at most {MOST_PRICE_SECONDS} wanted)"
    )


def overhead(folder: Path) -> None:
    """The same three-symbol request, bare and with claim, seat, checks, three kept answers and settlement."""
    with TimeGPTServer() as server:
        client = NixtlaClient(api_key=KEY, base_url=server.url, max_retries=1)
        client._model_params[("timegpt-2.1", "min")] = (INPUT_SIZE, MODEL_HORIZON)
        backend = ShopKeeper(folder / "shop", server.url).backend()
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
    """Print all three."""
    os.environ["NIXTLA_API_KEY"] = KEY
    with tempfile.TemporaryDirectory() as name:
        reads_and_price(Path(name))
        overhead(Path(name))


if __name__ == "__main__":
    main()
