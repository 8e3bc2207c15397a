"""Everything a report may look at: the outputs of one run, as their stages wrote them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.reporting.origin import SYNTHETIC, is_local, makers, origin
from stages.reporting.words import count
from stages.tables.trades import PORTFOLIO

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run. `config` holds every declared section of params, `hashes` the md5 of each file behind the page.

    *Time*: bars and forecasts are the search span's; of the holdout the record holds only what `evaluate` released.
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
    forecasts: pl.DataFrame
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

    @property
    def symbols(self) -> list[str]:
        """The universe in its stated order, which fixes every colour."""
        return list(self.config["universe"]["symbols"])

    @property
    def is_synthetic(self) -> bool:
        """Whether the bars were made up."""
        return bool(self.config["source"]["kind"] == SYNTHETIC)

    @property
    def trials(self) -> int:
        """How many variants were tried for this result: this run's grid and those logged before it."""
        return int(self.ranking["trials"][0])

    @property
    def sharpe_title(self) -> str:
        """How a column of Sharpe ratios is headed: with what is needed to read them."""
        return f"Sharpe ± standard error ({count(self.trials, 'trial')})"

    @property
    def book(self) -> Document:
        """The key figures of the whole book on the search span."""
        return self.portfolio.filter(pl.col("symbol") == PORTFOLIO, pl.col("span") == "search").row(0, named=True)

    @property
    def is_local(self) -> bool:
        """Whether every forecast was made on this machine."""
        return is_local(makers(self.forecasts))

    @property
    def label(self) -> str:
        """Who forecast what, for the head of the page and every figure."""
        source = self.config["source"]
        return origin(makers(self.forecasts), source["kind"], source["name"])
