"""How much better than persistence free forecasts are on real minute bars, and what an answer takes.

AAPL 2024 and SPY 2011 at eight snapshots a day, 40 sessions back where bars reach, from the eleventh session on
(`preset=aapl_eight`), before calibration. Skill is 1 less the quotient of mean pinball losses: in bp, and in units of
the candidates' mean width at each question, as the mix counts losses. The bars lie beside the repository; without them
there is nothing to print.

Run: make bench-free
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from stages.calibration.mix import QUESTION, free_mix
from stages.calibration.past import with_outcomes
from stages.configuration.compose import compose
from stages.features.catalogue import build_features
from stages.features.context import Context
from stages.forecasting.free import FreeSettings, Known, PerSymbol
from stages.params.forecaster import LocalParams
from stages.params.section import parse
from stages.params.study import Study
from stages.quality.cross_symbol import check_symbols
from stages.questions.market import Market
from stages.questions.schedule import plan_questions
from stages.runs.replayed_study import dialect_of
from stages.sessions.calendar import trading_calendar
from stages.tables.forecasts import FREE, FREE_MIX, LEVELS, QUANTILES
from tests.architecture.dependencies import ROOT

BARS = ROOT.parent / "shared/data/stocks/1m"
SPY = (
    "universe.symbols=[SPY]", "universe.whitelist=[SPY]", "universe.first_session='2011-01-03'",
    "universe.last_session='2011-03-31'", "source.aliases={}", "source.bar_label=end",
    "quality.min_sessions_share=0.5", "requests.max_lookback_ratio=10", "+costs.half_spread_ticks.SPY=1.0",
    "+costs.tick_size.SPY=0.01",
)  # fmt: skip
MARKETS: dict[str, tuple[str, ...]] = {"AAPL": (), "SPY": SPY}  # of SPY, February is missing
TIMED = "forecaster.fhs_paths=1000"  # as the default study has it
PERSISTENCE = f"{FREE}persistence"
UNITS = ("bp", "widths")
Skills = dict[str, list[float]]  # by model, in percent, one a horizon


@dataclass(frozen=True)
class Asked:
    """A market of real bars, and when it is asked."""

    symbol: str
    study: Study
    task: PerSymbol
    tables: tuple[pl.DataFrame, pl.DataFrame, Known]

    @classmethod
    def of(cls, symbol: str, *overrides: str) -> "Asked":
        """The preset for one of the markets."""
        study = Study.parse(compose(ROOT / "conf", ["preset=aapl_eight", *MARKETS[symbol], *overrides]))
        calendar = trading_calendar(study.universe.first_session, study.universe.last_session)
        delivered = pl.concat(pl.read_parquet(file) for file in sorted((BARS / symbol).glob("*/*.parquet")))
        checked = check_symbols({symbol: delivered}, dialect_of(study), calendar, study.quality)[symbol]
        usable = tuple(checked.days.filter(pl.col("verdict") != "fail")["session"].sort())
        features = build_features({symbol: checked.bars}, {symbol: usable}, calendar, study.features, Context())
        market = Market({symbol: checked.bars}, features, {symbol: usable}, calendar, {symbol: checked.halts})
        schedule, _ = plan_questions(market, (symbol,), study.requests, study.forecaster.model_spec, study.quality)
        settings = FreeSettings(study.worth, parse(LocalParams, study.document()), study.requests, study.quality)
        known = Known(usable, checked.halts, schedule)
        return cls(symbol, study, PerSymbol.of(settings, calendar, schedule), (checked.bars, features[symbol], known))

    def free(self) -> pl.DataFrame:
        """Every candidate with its outcomes; `warm_up` marks what is before the first asked session."""
        quantiles, _ = self.task(self.symbol, *self.tables)
        bars, _, known = self.tables
        free = with_outcomes(quantiles, {self.symbol: bars}, {self.symbol: known.usable})
        first = known.schedule.filter(status="ok")["session"].min()
        return free.with_columns(warm_up=pl.col("session") < first)

    def seconds(self) -> Iterator[tuple[str, float]]:
        """By candidate, what an answer takes, its question included."""
        for name in self.task.settings.free.candidates:
            free = self.task.settings.free.model_copy(update={"candidates": (name,)})
            task = replace(self.task, settings=replace(self.task.settings, free=free))
            started = time.perf_counter()
            _, planned = task(self.symbol, *self.tables)
            yield name, (time.perf_counter() - started) / planned.snapshots.height


def skills(free: pl.DataFrame, eta: float) -> dict[str, Skills]:
    """By unit, of every candidate and of the mix: the mean loss below that of persistence, void rows left out."""
    mixed, _ = free_mix(free, "", eta)
    both = pl.concat([free.select(mixed.columns), mixed]).filter(~pl.col("warm_up"), ~pl.col("void"))
    levels = np.array(LEVELS) / 100
    error = both["y_bp"].to_numpy()[:, None] - both.select(QUANTILES).to_numpy()
    loss = np.maximum(levels * error, (levels - 1) * error).mean(axis=1)
    width = (pl.col("q95") - pl.col("q05")).filter(pl.col("model") != FREE_MIX)  # candidates alone, as the mix has it
    rows = both.with_columns(bp=pl.Series(loss)).with_columns(widths=pl.col("bp") / width.mean().over(QUESTION))
    mean = rows.group_by("model", "horizon_min").agg(pl.col(UNITS).mean()).sort("model", "horizon_min")
    least = mean.filter(model=PERSISTENCE)
    return {
        unit: {
            model: (100 * (1 - one[unit] / least[unit])).to_list()
            for (model,), one in mean.partition_by("model", as_dict=True, maintain_order=True).items()
        }
        for unit in UNITS
    }


def main() -> None:
    """A line a market, unit and model."""
    if not BARS.exists():
        print(f"there are no real bars in {BARS.relative_to(ROOT.parent)}")
        return
    for symbol in MARKETS:
        asked = Asked.of(symbol)
        free, eta = asked.free(), asked.study.worth.eta
        cold = free.filter(~pl.col("warm_up"))
        days, horizons = cold["session"].n_unique(), "/".join(map(str, asked.study.requests.horizons_min))
        warm = free.filter("warm_up")["session"].n_unique()
        found, without = skills(free, eta), skills(cold, eta)
        for unit in UNITS:
            print(f"{symbol}, {days} days: skill over persistence in %, losses in {unit}, at {horizons} min")
            told = found[unit] | {f"{FREE_MIX}, no warm-up": without[unit][FREE_MIX]}
            for model, values in told.items():
                name = model.removeprefix(FREE) + (f", {warm} days of warm-up" if model == FREE_MIX else "")
                print(f"  {name:<30}" + "".join(f"{value:7.2f}" for value in values))
        took = ", ".join(f"{name} {1e3 * one:.1f}" for name, one in Asked.of(symbol, TIMED).seconds())
        print(f"  ms an answer: {took}")


if __name__ == "__main__":
    main()
