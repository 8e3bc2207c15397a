"""The record of one run: every stage output that a report may use."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from stages.errors import count, shorten
from stages.reporting.elements import evenly
from stages.tables.forecasts import SYNTHETIC, is_local, makers, origin
from stages.tables.scores import ALL_DAY
from stages.tables.trades import PORTFOLIO

Document = Mapping[str, Any]
SHOWN_BY_SNAPSHOT = ("rmae", "coverage_50")
SHOWN_OF_CELLS = ("rmae",)  # of `metrics.json`: other figures of a cell are not read


PASSED = {"verdict": "pass"}


def exceptions_alone(found: dict[str, Any]) -> dict[str, Any]:
    """The shared `PASSED` for a day of the data report that passed; any other object unchanged."""
    return PASSED if {"session", "verdict"} <= found.keys() and found["verdict"] == "pass" else found


def shown_alone(found: dict[str, Any]) -> dict[str, Any]:
    """A cell of `metrics.json` with only the figures in `SHOWN_OF_CELLS`; any other object unchanged."""
    if {"symbol", "metrics"} <= found.keys():
        found["metrics"] = {name: found["metrics"][name] for name in SHOWN_OF_CELLS}
        for name in ("dm", "pit", "ties"):
            found.pop(name, None)
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One run. `config` holds every declared section of params, `hashes` the md5 of each file behind the page.

    Bars and forecasts are read on access, one symbol at a time. Forecasts and cells are those of the stated calibration
    method, cells only the figures in `SHOWN_BY_SNAPSHOT`. The earliest runs have no free forecasts, no verdict of
    worth, no table of cells, no benchmark and no curve without the symbol gate.
    *Time*: bars and forecasts are those of the search span; of the holdout only what `evaluate` released.
    """

    config: Document
    hashes: Mapping[str, str]
    manifest: Document
    quality: Document
    features: Document
    answers: Document
    metrics: Document
    forecast_gates: Document
    coverage: pl.DataFrame
    bars: Mapping[str, pl.DataFrame]
    forecasts: Mapping[str, pl.DataFrame]
    ranking: pl.DataFrame
    proposal: Document
    walk_forward: pl.DataFrame
    trades: pl.DataFrame
    daily: pl.DataFrame
    signals: pl.DataFrame
    gates: Document
    oos: Document
    oos_daily: pl.DataFrame
    portfolio: pl.DataFrame
    cost_curve: pl.DataFrame
    delay: pl.DataFrame
    cells: pl.DataFrame | None = None
    benchmark: pl.DataFrame | None = None
    ungated: pl.DataFrame | None = None
    worth: Document | None = None
    worth_days: pl.DataFrame | None = None

    @property
    def symbols(self) -> list[str]:
        """The universe in its stated order, which determines every colour."""
        return list(self.config["universe"]["symbols"])

    @cached_property
    def shown(self) -> list[str]:
        """The symbols shown individually, in the stated order: all, or `report.shown_symbols` of many.

        They are picked evenly from the lowest calibrated rMAE at the rule's horizon to the highest.
        """
        return self._picked(self.symbols, {})

    @cached_property
    def shown_traders(self) -> list[str]:
        """As many symbols of the whitelist, by their rMAE at the horizon that each trades; `shown` may lack them."""
        return self._picked(self.config["universe"]["whitelist"], self.config["rules"]["horizon_min_by_symbol"])

    def _picked(self, symbols: Collection[str], own_horizons_min: Mapping[str, int]) -> list[str]:
        horizon, error = self.config["rules"]["horizon_min"], dict.fromkeys(self.symbols, float("inf"))
        for entry in self.scores("cells"):
            value = entry["metrics"]["rmae"]["calibrated"]["value"]
            if entry["horizon_min"] == own_horizons_min.get(entry["symbol"], horizon) and value is not None:
                error[entry["symbol"]] = value
        ranked = sorted(symbols, key=lambda symbol: (error[symbol], self.symbols.index(symbol)))
        picked = evenly(ranked, self.config["report"]["shown_symbols"])
        return [symbol for symbol in self.symbols if symbol in picked]

    @property
    def selection(self) -> tuple[str, ...]:
        """A note if not every symbol is shown."""
        return _note(count(len(self.symbols), "symbol"), len(self.symbols), len(self.shown))

    @property
    def selection_of_traders(self) -> tuple[str, ...]:
        """A note if not every symbol of the whitelist is shown."""
        many = len(self.config["universe"]["whitelist"])
        return _note(f"{count(many, 'symbol')} on universe.whitelist", many, len(self.shown_traders))

    def scores(self, scope: str) -> Iterator[Document]:
        """The entries of `metrics.json` for the stated history and calibration method."""
        wanted = (self.config["rules"]["history_days"], self.config["calibration"]["method"])
        return (entry for entry in self.metrics[scope] if (entry["history_days"], entry["method"]) == wanted)

    def by_snapshot(self, metric: str, horizon_min: int) -> Iterator[Document]:
        """The figure of each shown symbol at each clock time, `raw` and `calibrated`, for the stated history."""
        if self.cells is None:
            return iter(())
        kind = {"history_days": self.config["rules"]["history_days"], "horizon_min": horizon_min, "metric": metric}
        found = self.cells.filter(pl.col("snapshot_et") != ALL_DAY, pl.col("symbol").is_in(self.shown), **kind)
        key = ["symbol", "snapshot_et", "n"]
        return found.pivot("version", index=key, values="value").sort(key).iter_rows(named=True)

    @property
    def is_synthetic(self) -> bool:
        """Whether the bars are artificial."""
        return bool(self.config["source"]["kind"] == SYNTHETIC)

    @property
    def trials(self) -> int:
        """How many variants were tried for this result: this run's grid and those logged before."""
        return int(self.ranking["trials"][0])

    @property
    def sharpe_title(self) -> str:
        """The title of a column of Sharpe ratios, with the number of trials."""
        return f"Sharpe ± standard error ({count(self.trials, 'trial')})"

    @property
    def book(self) -> Document:
        """The key figures of the whole book on the search span."""
        return self.portfolio.filter(pl.col("symbol") == PORTFOLIO, pl.col("span") == "search").row(0, named=True)

    @property
    def open_part(self) -> str:
        """` in 2025-02`, where only some months of the holdout are open."""
        months = shorten(list(self.oos.get("months", {})))
        return f" in {months}" if months and self.oos["status"] == "SEALED" else ""

    @cached_property
    def answered(self) -> pl.DataFrame:
        """Forecasts `asked` and sessions by source, model and symbol; `key` is that of one question, null if none."""
        snapshots = pl.struct("snapshot_utc", "history_days").n_unique().alias("asked")
        found = [pl.col("key").max(), snapshots, pl.col("session").n_unique()]
        return pl.concat(rows.group_by("source", "model", "symbol").agg(found) for rows in self.forecasts.values())

    @property
    def is_local(self) -> bool:
        """Whether every forecast was made on this machine."""
        return is_local(makers(self.answered))

    @property
    def label(self) -> str:
        """Who made the forecasts, for the head of the page and every figure."""
        source = self.config["source"]
        return origin(makers(self.answered), source["kind"], source["name"])


def _note(all_of_them: str, many: int, shown: int) -> tuple[str, ...]:
    """How the shown symbols were picked; empty if all are shown."""
    if shown == many:
        return ()
    return (
        f"Of {all_of_them}, {shown} are shown one by one, evenly from the lowest rMAE to the highest "
        "(report.shown_symbols); the files behind this page hold all.",
    )
