"""Params section `calibration`: how quantiles are corrected by past errors."""

from typing import Annotated, Literal

from pydantic import Field

from stages.tables.section import Section

Method = Literal["identity", "widen", "cqr"]


class CalibrationParams(Section):
    """`method` is the one that trades; `methods` are all that are computed and scored (at no cost)."""

    section = "calibration"

    method: Method
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    scale: Literal["sigma", "none"]
    window_sessions: Annotated[int, Field(ge=1)]
    min_outcomes: Annotated[int, Field(ge=1)]
    coverage: Annotated[float, Field(gt=0, lt=1)]
    widen_grid: Annotated[tuple[Annotated[float, Field(gt=-1)], ...], Field(min_length=1)]


class CalibrationMethod(Section):
    """The method whose quantiles trade."""

    section = "calibration"
    partial = True

    method: Method
