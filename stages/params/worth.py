"""Params section `worth`: whether the asked forecaster is worth its price, and the free forecasts it must beat."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from stages.params.forecaster import LocalName
from stages.params.section import Day, EachOnce, Section

Candidate = Literal[LocalName, "command"]
Money = Annotated[float, Field(ge=0, le=1_000_000_000)]


class FreeParams(Section, section="worth", partial=True):
    """The free forecasters that answer the same questions, and the `warmup_sessions` before the first asked one.

    `command` is a program of the user's, stated in section `forecaster`.
    The warm-up is answered only to learn whom the mix of candidates should trust.
    """

    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1), EachOnce]
    warmup_sessions: Annotated[int, Field(ge=0, le=1_000)]


class MixParams(Section, section="worth", partial=True):
    """How fast the weights of the candidates follow their losses of earlier days."""

    eta: Annotated[float, Field(ge=0, le=1_000)]


class JudgedHistory(Section, section="rules", partial=True):
    """The history whose forecasts are judged, and beside which free forecasts stand."""

    history_days: Annotated[int, Field(ge=1, le=1_000)]


class WorthParams(MixParams, FreeParams):
    """The question, the error rates and the prices of the verdict (docs/WORTH.md).

    *Units*: `delta` and `planned_sd` are shares of the expected loss, the latter of a day; `price_per_call` and
    `price_per_million_tokens` money, `notional` the money that a position of 100 % trades. `horizon_min` null means
    `rules.horizon_min`. `prior_studies` counts other studies of this source and forecaster that were looked at.
    """

    horizon_min: Annotated[int, Field(ge=1, le=390)] | None
    delta: Annotated[float, Field(gt=0, le=1)]
    alpha: Annotated[float, Field(ge=1e-6, le=0.5)]
    planned_sessions: Annotated[int, Field(ge=1, le=10_000)]
    min_days: Annotated[int, Field(ge=1, le=10_000)]
    planned_sd: Annotated[float, Field(ge=1e-6, le=1_000)]
    decide_by: Literal["shape", "money"]
    price_per_call: Money | None
    price_per_million_tokens: Money | None
    notional: Annotated[float, Field(ge=0.01, le=1e15)] | None
    prior_studies: Annotated[int, Field(ge=0, le=1_000_000)]

    def _problems(self) -> Iterator[str]:
        if self.planned_sessions < self.min_days:
            yield (
                f"worth.planned_sessions {self.planned_sessions} is less than worth.min_days {self.min_days}, before "
                "which no verdict is given: raise one or lower the other"
            )
        if self.price_per_call is not None and self.price_per_million_tokens is not None:
            yield "worth.price_per_call and worth.price_per_million_tokens are both set: keep one"
        if self.decide_by == "money" and self.notional is None:
            yield "worth.decide_by: money compares money, so set worth.notional"


class TrainedUntil(Section, section="forecaster", partial=True):
    """The last day that the asked model may have been trained on; null: unknown."""

    trained_until: Day | None
