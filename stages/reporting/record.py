"""Everything a report may look at: the outputs of one run, as their stages wrote them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.reporting.words import origin

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
    answers: Document
    span: Document
    metrics: Document
    forecast_gates: Document
    reliability: pl.DataFrame
    coverage: pl.DataFrame
    bars: Mapping[str, pl.DataFrame]
    forecasts: pl.DataFrame
    ranking: pl.DataFrame
    proposal: Document
    trades: pl.DataFrame
    daily: pl.DataFrame
    signals: pl.DataFrame
    gates: Document
    oos: Document
    portfolio: pl.DataFrame
    cost_curve: pl.DataFrame

    @property
    def symbols(self) -> list[str]:
        """The universe in its stated order, which fixes every colour."""
        return list(self.config["universe"]["symbols"])

    @property
    def label(self) -> str:
        """Who forecast what, for the head of the page and every figure."""
        asked = self.forecasts.filter(pl.col("model") == self.config["forecaster"]["model"])
        return origin(sorted(asked["source"].unique()), self.config["source"])
