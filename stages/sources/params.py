"""Params section `source`: where minute bars come from and how the vendor writes them."""

from string import Formatter
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from stages.tables.section import Section

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Column = Literal["symbol", "ts", "open", "high", "low", "close", "volume"]
FIELDS = frozenset({"symbol", "yyyy", "mm"})


class SyntheticParams(BaseModel):
    """The artificial market. *Units* in names; `amplitude_bp` says per symbol how much of the `plant` there is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Annotated[int, Field(ge=0)]
    amplitude_bp: dict[str, float]
    beta: dict[str, Annotated[float, Field(ge=-1, le=1)]]
    daily_sigma: Annotated[float, Field(gt=0, lt=0.2)]
    vol_ar1: Annotated[float, Field(ge=0, lt=1)]
    vol_sd: Annotated[float, Field(ge=0)]
    jumps_per_session: Annotated[float, Field(ge=0)]
    jump_sigmas: Annotated[float, Field(ge=0)]
    overnight_sigma_share: Annotated[float, Field(ge=0)]
    plant: Literal["wave", "ou"]
    wave_period_min: Annotated[int, Field(ge=2)]
    wave_phase_rad: float
    ou_half_life_min: Annotated[float, Field(gt=0)]
    base_price: Annotated[float, Field(gt=0)]
    base_volume: Annotated[float, Field(gt=0)]
    tick_size: Annotated[float, Field(gt=0)]


class ArtificialMarket(Section):
    """Whether bars are artificial, and what was planted in them."""

    section = "source"
    partial = True

    kind: Literal["synthetic", "parquet", "gcs"]
    synthetic: SyntheticParams | None

    @property
    def planted(self) -> SyntheticParams | None:
        """The market, if that is where the bars come from."""
        return self.synthetic if self.kind == "synthetic" else None


class BarsOrigin(Section):
    """Where bars come from, by name."""

    section = "source"
    partial = True

    kind: Literal["synthetic", "parquet", "gcs"]
    name: Name


class SourceParams(Section):
    """Kind, location and dialect of the bars; `name` picks the committed listing `conf/manifests/<name>.json`."""

    section = "source"

    name: Name
    kind: Literal["synthetic", "parquet", "gcs"]
    uri_template: str | None
    aliases: dict[str, Column]
    zone: str | None
    bar_label: Literal["start", "end"]
    bar_label_trusted: bool
    close_includes_auction: bool | None
    synthetic: SyntheticParams | None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        try:
            pl.Series([0], dtype=pl.Datetime("us")).dt.replace_time_zone(zone)
        except pl.exceptions.ComputeError:
            raise ValueError(f"source.zone {zone!r} is no time zone: write it like America/New_York or UTC") from None
        return zone

    @model_validator(mode="after")
    def _says_where_bars_are(self) -> Self:
        if self.kind == "synthetic":
            if self.synthetic is None:
                raise ValueError("source.kind is synthetic, so source.synthetic must state the market")
            return self
        fields = {field for _, field, _, _ in Formatter().parse(self.uri_template or "") if field is not None}
        if "symbol" not in fields or fields - FIELDS or ("mm" in fields and "yyyy" not in fields):
            raise ValueError(
                f"source.uri_template {self.uri_template!r} must hold {{symbol}} and may hold {{yyyy}} and {{mm}}, "
                "nothing else in braces"
            )
        if self.kind == "gcs" and not (self.uri_template or "").startswith("gs://"):
            raise ValueError(f"source.kind is gcs, so source.uri_template must begin with gs://: {self.uri_template!r}")
        return self
