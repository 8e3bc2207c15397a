"""Params section `source`: where minute bars come from and how the vendor writes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from stages.tables.section import Section

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class SyntheticParams(BaseModel):
    """The artificial market. *Units* in names; `amplitude_bp` is the planted half-hour wave per symbol (0 = none)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Annotated[int, Field(ge=0)]
    amplitude_bp: dict[str, float]
    beta: dict[str, float]
    daily_sigma: Annotated[float, Field(gt=0, lt=0.2)]
    vol_ar1: Annotated[float, Field(ge=0, lt=1)]
    vol_sd: Annotated[float, Field(ge=0)]
    jumps_per_session: Annotated[float, Field(ge=0)]
    jump_sigmas: Annotated[float, Field(ge=0)]
    overnight_sigma_share: Annotated[float, Field(ge=0)]
    wave_period_min: Annotated[int, Field(ge=2)]
    wave_phase_rad: float
    base_price: Annotated[float, Field(gt=0)]
    base_volume: Annotated[float, Field(gt=0)]
    tick_size: Annotated[float, Field(gt=0)]


class SourceParams(Section):
    """Kind, location and dialect of the bars; `name` picks the committed listing `conf/manifests/<name>.json`."""

    section = "source"

    name: Name
    kind: Literal["synthetic", "parquet", "gcs"]
    uri_template: str | None
    aliases: dict[str, str]
    zone: str | None
    bar_label: Literal["start", "end"]
    close_includes_auction: bool | None
    synthetic: SyntheticParams | None
