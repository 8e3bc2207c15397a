"""Params section `source`: where minute bars come from and how the vendor writes them."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Literal, get_args

import polars as pl
from pydantic import Field, StringConstraints, field_validator

from stages.params.path_template import ANY, FORMS, SYMBOLS, fields_in
from stages.params.section import Closed, Day, Neutral, Section, Text
from stages.params.universe import Symbol

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Column = Literal["symbol", "ts", "date", "time", "open", "high", "low", "close", "volume"]
COLUMNS = get_args(Column)
SYMBOL = "{symbol}"
Unit = Literal["s", "ms", "us", "ns"]


class SyntheticParams(Closed):
    """The artificial market. *Units* in names; `amplitude_bp` says per symbol how much of the `plant` there is."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    amplitude_bp: dict[str, Annotated[float, Field(ge=-10_000, le=10_000)]]
    beta: dict[str, Annotated[float, Field(ge=-1, le=1)]]
    daily_sigma: Annotated[float, Field(gt=0, lt=0.2)]
    vol_ar1: Annotated[float, Field(ge=0, lt=1)]
    vol_sd: Annotated[float, Field(ge=0, le=10)]
    jumps_per_session: Annotated[float, Field(ge=0, le=1_000)]
    jump_sigmas: Annotated[float, Field(ge=0, le=1_000)]
    overnight_sigma_share: Annotated[float, Field(ge=0, le=100)]
    plant: Annotated[Literal["wave", "ou"], Neutral("wave")]
    wave_period_min: Annotated[int, Field(ge=2, le=1_000_000)]
    wave_phase_rad: Annotated[float, Field(ge=-1_000, le=1_000)]
    ou_half_life_min: Annotated[float, Field(gt=0, le=1_000_000), Neutral(10.0)]
    base_price: Annotated[float, Field(gt=0, le=1_000_000)]
    base_volume: Annotated[float, Field(gt=0, le=1_000_000_000)]
    tick_size: Annotated[float, Field(gt=0, le=1_000_000)]


class ArtificialMarket(Section, section="source", partial=True):
    """Whether bars are artificial, and the planted pattern."""

    kind: Literal["synthetic", "parquet", "gcs"]
    synthetic: SyntheticParams | None

    @property
    def planted(self) -> SyntheticParams | None:
        """The artificial market, if the bars come from it."""
        return self.synthetic if self.kind == "synthetic" else None


class BarsOrigin(Section, section="source", partial=True):
    """Where bars come from, by name."""

    kind: Literal["synthetic", "parquet", "gcs"]
    name: Name


class CsvParams(Closed):
    """The layout of CSV files: header lines above the rows (0 to 3), or `columns` where there are none."""

    header_lines: Annotated[int, Field(ge=0, le=3)]
    columns: Annotated[tuple[Text, ...], Field(min_length=1)] | None
    separator: Annotated[str, StringConstraints(pattern=r"^[\t !#-~]$")]

    def _problems(self) -> Iterator[str]:
        if (self.header_lines == 0) != (self.columns is not None):
            yield "source.csv must name columns if header_lines is 0, and only then"


ONE_HEADER = CsvParams(header_lines=1, columns=None, separator=",")


class SourceParams(Section, section="source"):
    """Kind, location and dialect of the bars; `name` picks the committed listing `conf/manifests/<name>.json`.

    *Units*: `unit` is that of whole-number stamps since 1970; `price_scale` is the value in dollars of 1 in the file.
    `renames` is `{META: {FB: 2022-06-09}}`: before that day in New York the vendor's ticker of META is FB, and rows of
    FB are no other symbol's.
    """

    name: Name
    kind: Literal["synthetic", "parquet", "gcs"]
    uri_template: Text | None
    aliases: dict[Text, Column]
    zone: Text | None
    bar_label: Literal["start", "end"]
    unit: Annotated[Unit | None, Neutral(None)]
    price_scale: Annotated[float, Field(gt=0, le=1), Neutral(1.0)]
    stamp_format: Annotated[Text | None, Neutral(None)]
    csv: Annotated[CsvParams | None, Neutral(None)]
    renames: Annotated[dict[Symbol, dict[Symbol, Day]], Neutral({})]
    bar_label_trusted: Annotated[bool, Neutral(False)]
    synthetic: SyntheticParams | None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        try:
            pl.Series([0], dtype=pl.Datetime("us")).dt.replace_time_zone(zone)
        except pl.exceptions.ComputeError:
            raise ValueError(
                f"source.zone {zone!r} is not a time zone: write it like America/New_York or UTC"
            ) from None
        return zone

    def _problems(self) -> Iterator[str]:
        template = self.uri_template or ""
        if self.kind != "synthetic":
            yield from _problems_of(template)
        elif self.synthetic is None:
            yield "source.kind is synthetic, so source.synthetic must state the market"
        if self.kind == "gcs" and not template.startswith("gs://"):
            yield f"source.kind is gcs, so source.uri_template must begin with gs://: {self.uri_template!r}"

    def ours(self, column: str) -> str | None:
        """Our name of a vendor's column, by alias or because it is the same; `Open_{symbol}` fits any symbol."""
        if column in self.aliases:
            return self.aliases[column]
        for alias, name in self.aliases.items():
            before, of_symbol, after = alias.partition(SYMBOL)
            if of_symbol and column.startswith(before) and column.endswith(after):
                return name
        return column if column in COLUMNS else None

    @property
    def many_in_a_file(self) -> bool:
        """Whether one file holds the rows of many symbols."""
        return self.kind != "synthetic" and not fields_in(self.uri_template or "") & {*SYMBOLS}

    def tickers(self, symbol: str) -> tuple[str, ...]:
        """The names of a symbol in the vendor's rows: its own, and those before it was renamed."""
        return (symbol, *self.renames.get(symbol, {}))


def ticker_on(day: pl.Expr, symbol: str, renames: Mapping[str, Mapping[str, date]]) -> pl.Expr:
    """The vendor's name of a symbol on a day in New York; null on days on which that name was another symbol's."""
    others = [earlier[symbol] for other, earlier in renames.items() if other != symbol and symbol in earlier]
    name = pl.when(day >= max(others, default=date.min)).then(pl.lit(symbol)).otherwise(None)
    for ticker, until in sorted(renames.get(symbol, {}).items(), key=lambda one: one[1], reverse=True):
        name = pl.when(day < until).then(pl.lit(ticker)).otherwise(name)
    return name


def _problems_of(template: str) -> Iterator[str]:
    """A template names symbol and period by known fields, and no `*` may match a part of a symbol."""
    try:
        fields = fields_in(template)
    except ValueError:
        fields = {template}
    has_day, has_month = fields & {"dd", "d"}, fields & {"mm", "m"}
    if not template or fields - {*FORMS} or (has_day and not has_month) or (has_month and "yyyy" not in fields):
        yield (
            f"source.uri_template {template!r} may hold {{symbol}} (or {{symbol_lower}}), {{yyyy}}, {{mm}} or {{m}}, "
            "{dd} or {d} and *, nothing else in braces; a day needs its month, a month its year"
        )
    if any(f"{ANY}{{{field}}}" in template or f"{{{field}}}{ANY}" in template for field in SYMBOLS):
        yield (
            f"source.uri_template {template!r} has a * next to the symbol, so that A would also match AA: write the "
            "text between them"
        )
