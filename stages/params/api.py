"""Params section `api`: how answers are bought, and what the contract charges."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from stages.params.section import Closed, Section

KEY_NAME = "NIXTLA_API_KEY"  # the variable of the environment that holds the key; no params do
Price = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class Tariff(Closed):
    """What the contract charges; a price that is not stated is 0.

    *Units*: `currency`, any name; prices a request, a series sent, a million tokens, a month; tokens a value sent or
    returned, null where the contract does not say how values are counted.
    """

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,12}$")]
    per_request: Price = Decimal(0)
    per_series: Price = Decimal(0)
    per_million_input: Price = Decimal(0)
    per_million_output: Price = Decimal(0)
    per_million_finetune: Price = Decimal(0)
    flat_per_month: Price = Decimal(0)
    tokens_per_value: Annotated[Decimal, Field(gt=0, le=1_000)] | None = None


Count = Annotated[int, Field(ge=0, le=10**12)]


class ApiParams(Section, section="api"):
    """How answers are bought. No stage declares this section, so going online makes nothing stale.

    For limits, null means none; days and months are in UTC, tokens and money are counted as in `paid/units.py`.
    `silence_sec`: how long a program (`forecaster=command`) may give no answer.
    """

    mode: Literal["offline", "online"]
    per_run: Count
    per_day: Count
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None
    per_month: Count | None
    tokens_per_day: Count | None
    tokens_per_month: Count | None
    money_per_day: Price | None
    money_per_month: Price | None
    tariff: Tariff | None
    cooldown_sec: Annotated[float, Field(ge=0, le=86_400)]
    scope: Literal["machine", "remote"]
    pack: Literal["none", "snapshots"]
    share: bool
    timeout_sec: Annotated[float, Field(gt=0, le=86_400)]
    silence_sec: Annotated[float, Field(gt=0, le=86_400)]
    max_attempts: Annotated[int, Field(ge=1, le=1_000)]
    remote_down: Literal["local", "stop"]
    plausible_sigmas: Annotated[float, Field(ge=10, le=10_000)]

    def _problems(self) -> Iterator[str]:
        if self.scope == "remote" and not self.share:
            yield (
                "api.scope remote needs shared answers, but api.share is false: set api.share true, or api.scope "
                "machine"
            )
        if self.tariff is None and (self.money_per_day, self.money_per_month) != (None, None):
            yield "api.money_per_day and api.money_per_month need prices: set api.tariff, or set both to null"
