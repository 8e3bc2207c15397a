"""Gate, grid and all features of 50 symbols x 250 days against idiomatic pandas: the same outputs, equal within 1e-9.

The bars are dirty: gaps, impossible bars, rows twice, rows that contradict each other, spikes, stale runs, a split, an
hour in another unit, wicks, a copied session.
Then the two stages themselves, from files to files, on 3 and on 50 symbols: how the time grows, and the most memory.
Run: python -m tests.benchmarks.bench_features
"""

import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import repeat
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import yaml

from stages.features.catalogue import FEATURES, features_of
from stages.features.context import SharedTables, lagged_returns
from stages.quality.gate import Checked, check_symbol
from stages.sessions.calendar import trading_calendar
from tests.architecture.dependencies import ROOT
from tests.benchmarks.features_in_pandas import context_in_pandas, events_in_pandas, features_in_pandas
from tests.benchmarks.gate_in_pandas import BARS, check_in_pandas, grid_in_pandas
from tests.features.made_bars import events_of, features_params
from tests.quality.deliveries import QUALITY, delivery, dialect

CALENDAR = trading_calendar(date(2024, 1, 2), date(2024, 12, 27))  # 250 sessions, three of them half days
FEW, MANY, BATCH = 3, 50, 10
CORES = 2
SPLIT = int(CALENDAR["n_bars"][:180].sum())  # the first row of a session
LENGTH = timedelta(minutes=389)
PARAMS = features_params(names=list(FEATURES), required=[])
EVENTS = events_of(CALENDAR)
PRICES = ["open", "high", "low", "close"]
STEPS = ["session", "copied_from", "mean_volume", "n_gaps", "n_without_volume"]  # of the gate, no output
NOT_TOLD = [*STEPS, "HLT1"]  # no halt is listed here
LEAST_RATIO, MOST_GIGABYTES = 15, 1.0


def names(count: int) -> list[str]:
    return [f"S{number:02}" for number in range(count)]


def dirty(seed: int) -> pl.DataFrame:
    """A year of a symbol with faults of every kind at random places."""
    rng = np.random.default_rng(seed)
    frame = delivery(CALENDAR, seed)
    lost = rng.random(frame.height) < 0.004
    for start in rng.integers(0, frame.height, 6):
        lost[start : start + rng.integers(2, 40)] = True
    stuck, spike, hour, split = (pl.int_range(pl.len()).is_between(a, b) for a, b in (
        (40_000, 40_034), (60_000, 60_000), (65_000, 65_059), (SPLIT, 200_000)))  # fmt: skip
    frame = frame.with_columns(
        *(pl.when(stuck).then(pl.lit(99.5)).when(split).then(pl.col(name) / 2)
          .when(hour).then(pl.col(name) * 7).otherwise(name).alias(name) for name in PRICES)
    ).with_columns(pl.when(spike).then(pl.col(name) * 1.05).otherwise(name).alias(name) for name in PRICES)  # fmt: skip
    frame = frame.with_columns(pl.col(PRICES).round(2)).filter(pl.Series(~lost))
    source, target = CALENDAR["open_utc"][99], CALENDAR["open_utc"][102]
    copied = frame.filter(pl.col("ts").is_between(source, source + LENGTH))
    kept = frame.filter(~pl.col("ts").is_between(target, target + LENGTH))
    frame = pl.concat([kept, copied.with_columns(pl.col("ts") + (target - source))]).sort("ts")
    wrong = {"close": 0.0, "high": 1e-3, "volume": -1.0, "low": 1e-2}
    frame = frame.with_columns(
        pl.when(pl.Series(rng.random(frame.height) < 2e-4)).then(value).otherwise(name).alias(name)
        for name, value in wrong.items()
    )
    twice, torn = frame.sample(n=60, seed=seed), frame.sample(n=2, seed=seed).with_columns(pl.col("close") + 0.01)
    return pl.concat([frame, twice, torn])


def usable_of(checked: Checked) -> tuple[date, ...]:
    return tuple(checked.days.filter(pl.col("verdict") != "fail")["session"].sort())


def our_gate(symbol: str, delivered: pl.DataFrame) -> Checked:
    return check_symbol(symbol, delivered, dialect(), CALENDAR, QUALITY)


def our_features(symbol: str, checked: Checked, lagged: pl.DataFrame) -> pl.DataFrame:
    shared = SharedTables(CALENDAR, {"": lagged}, EVENTS)
    return features_of(symbol, checked.bars, usable_of(checked), PARAMS, shared)[0]


class InPandas:
    """The same in pandas; the first symbol leads."""

    def __init__(self) -> None:
        self.calendar = CALENDAR.to_pandas().assign(session=pd.to_datetime(CALENDAR["session"].to_pandas()))
        self.grid = grid_in_pandas(self.calendar)
        self.events = EVENTS.to_pandas()
        self.leader: pd.DataFrame | None = None

    def gate(self, delivered: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Bars and sessions."""
        return check_in_pandas(delivered, self.grid, self.calendar, QUALITY)

    def features(self, symbol: str, bars: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
        self.leader = bars if self.leader is None else self.leader
        usable = list(days.index[days["verdict"] != "fail"])
        parts = [
            features_in_pandas(bars, usable, self.calendar, PARAMS),
            context_in_pandas(bars, self.leader, PARAMS),
            events_in_pandas(bars, self.events, symbol),
        ]
        return pd.concat(parts, axis=1)


def difference(
    checked: Checked, features: pl.DataFrame, other: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> float:
    """The largest difference of a number, relative above 1; anything else must be the same."""
    bars, days, theirs = other
    pairs = [(checked.bars[name], bars[name]) for name in BARS if name != "session"]
    pairs += [(checked.days[name], days[name]) for name in checked.days.columns if name not in NOT_TOLD]
    pairs += [(features[name], theirs[name]) for name in PARAMS.names]
    worst = 0.0
    for one, two in pairs:
        if not one.dtype.is_numeric():
            values = one.fill_null("") if one.dtype == pl.String else one
            assert (values.to_pandas().to_numpy() == two.to_numpy()).all(), one.name
            continue
        values, reference = one.to_numpy().astype(float), two.to_numpy(float)
        assert (np.isnan(values) == np.isnan(reference)).all(), one.name
        worst = max(worst, float(np.nanmax(np.abs(values - reference) / np.maximum(1, np.abs(reference)), initial=0)))
    return worst


class Clock:
    """The seconds of one part in all batches: by the wall, and of all processors."""

    def __init__(self) -> None:
        self.wall, self.cpu = 0.0, 0.0

    def __call__(self, work: Callable[..., Any], *given: Iterable[Any], each: Callable[..., Any] = map) -> list[Any]:
        """What the work makes of each of the given."""
        wall, cpu = perf_counter(), process_time()
        done = list(each(work, *given))
        self.wall, self.cpu = self.wall + perf_counter() - wall, self.cpu + process_time() - cpu
        return done

    def beside(self, pandas: "Clock") -> str:
        """Both, and their ratios."""
        told = f"pandas {pandas.wall:.1f} s  ours {self.wall:.1f} s  ratio {pandas.wall / self.wall:.1f}"
        return f"{told}; processor time {pandas.cpu:.1f} s, {self.cpu:.1f} s, ratio {pandas.cpu / self.cpu:.1f}"


def against_pandas() -> None:
    """Every symbol both ways; prints rows, largest difference, faults found and the ratios of the times.

    Ours works on as many symbols at a time as there are cores, since none needs another; pandas uses one core.
    Processor time counts what either uses on all cores.
    """
    in_pandas, found, worst, rows = InPandas(), Counter[str](), 0.0, 0
    gate, features, their_gate, their_features = Clock(), Clock(), Clock(), Clock()
    first, *_ = names(MANY)
    lagged = lagged_returns(our_gate(first, dirty(0)).bars, PARAMS)
    for batch in batched(list(enumerate(names(MANY))), BATCH):
        symbols, delivered = [symbol for _, symbol in batch], [dirty(seed) for seed, _ in batch]
        as_pandas = [frame.to_pandas() for frame in delivered]
        with ThreadPoolExecutor(CORES) as pool:
            ours = gate(our_gate, symbols, delivered, each=pool.map)
            built = features(our_features, symbols, ours, repeat(lagged), each=pool.map)
        theirs = their_gate(in_pandas.gate, as_pandas)
        others = their_features(in_pandas.features, symbols, *zip(*theirs, strict=True))
        for checked, frame, (bars, days), other in zip(ours, built, theirs, others, strict=True):
            worst, rows = max(worst, difference(checked, frame, (bars, days, other))), rows + frame.height
            found.update(checked.days["reason"].drop_nulls())
    assert worst < 1e-9, worst
    print(f"{rows:,} rows, {len(BARS)} columns of bars, {len(PARAMS.names)} features, largest difference {worst:.1e}")
    print(f"sessions dropped by both: {dict(sorted(found.items()))}")
    print(f"gate: {gate.beside(their_gate)}")
    print(f"features: {features.beside(their_features)} (at least {LEAST_RATIO} wanted)")


def batched(items: list[tuple[int, str]], size: int) -> list[list[tuple[int, str]]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def lay_out(folder: Path, count: int) -> None:
    """What `check_data` reads, for so many symbols."""
    symbols = names(count)
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["universe"] |= {"symbols": symbols, "whitelist": symbols, "context_symbol": symbols[0]}
    document["features"] |= {"names": list(FEATURES), "required": []}
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    (folder / "conf").symlink_to(ROOT / "conf")
    (folder / ".dvc").mkdir()
    fetched = folder / "artifacts/fetch_bars"
    (fetched / "bars").mkdir(parents=True)
    (folder / "artifacts/list_source").mkdir()
    (folder / "artifacts/list_source/manifest.json").write_text('{"source": "made", "uri_template": null}')
    CALENDAR.write_parquet(fetched / "calendar.parquet")
    for seed, symbol in enumerate(symbols):
        dirty(seed).write_parquet(fetched / f"bars/{symbol}.parquet")


def run_stages() -> None:
    """In a process of its own: both stages from files to files; prints seconds and the most memory in GB."""
    from stages import build_features, check_data

    start = perf_counter()
    check_data.main()
    build_features.main()
    seconds = perf_counter() - start
    status = Path("/proc/self/status").read_text()  # getrusage would count the process that started this one
    print(seconds, int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9)


def stages_at(count: int) -> tuple[float, float]:
    """Seconds and gigabytes of both stages for so many symbols."""
    with tempfile.TemporaryDirectory() as name:
        lay_out(Path(name), count)
        command = [sys.executable, "-m", "tests.benchmarks.bench_features", "stages"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        told = subprocess.run(command, cwd=name, env=environment, check=True, capture_output=True, text=True).stdout
    seconds, gigabytes = told.split()[-2:]
    return float(seconds), float(gigabytes)


def main() -> None:
    """Print every figure."""
    against_pandas()
    (shorten, _), (many, peak) = stages_at(FEW), stages_at(MANY)
    exponent = math.log(many / shorten) / math.log(MANY / FEW)
    print(f"check_data and build_features, files to files: {FEW} symbols {shorten:.1f} s, {MANY} symbols {many:.1f} s")
    print(f"time grows with exponent {exponent:.2f}, peak memory {peak:.2f} GB (less than {MOST_GIGABYTES} wanted)")


if __name__ == "__main__":
    run_stages() if sys.argv[1:] == ["stages"] else main()
