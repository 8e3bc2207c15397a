"""Params sections `forecaster` (what answers) and `api` (how answers are bought)."""

from typing import Annotated, Literal

from pydantic import Field

from stages.tables.section import Section


class ForecasterParams(Section):
    """Who answers. `model` and `model_epoch` are part of every question, `base_url` names the deployment.

    `input_size` and `model_horizon` are what the service says of the model (null: not known yet, nothing is cut);
    the rest are windows of the local forecasters.
    """

    section = "forecaster"

    name: Literal["timegpt", "seasonal", "persistence", "ewma_fhs"]
    model: str
    model_epoch: str
    base_url: str | None
    input_size: Annotated[int, Field(ge=1)] | None
    model_horizon: Annotated[int, Field(ge=1)] | None
    min_rows: Annotated[int, Field(ge=1)]
    lookback_sessions: Annotated[int, Field(ge=2)]
    ewma_half_life_min: Annotated[float, Field(gt=0)]
    fhs_paths: Annotated[int, Field(ge=100)]


class ForecasterModel(Section):
    """The name under which the asked forecasts stand in the tables, beside the benchmark."""

    section = "forecaster"
    partial = True

    model: str


class ApiParams(Section):
    """How answers are bought; no stage declares this section, so that going online makes nothing stale."""

    section = "api"

    mode: Literal["offline", "online"]
    per_run: Annotated[int, Field(ge=0)]
    per_day: Annotated[int, Field(ge=0)]
    cooldown_sec: Annotated[float, Field(ge=0)]
    scope: Literal["machine", "remote"]
    pack: Literal["none", "snapshots"]
    share: bool
    timeout_sec: Annotated[float, Field(gt=0)]
    max_attempts: Annotated[int, Field(ge=1)]
    remote_down: Literal["local", "stop"]
