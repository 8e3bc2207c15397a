"""Params section `universe`: whose bars are read and who may trade."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints

from stages.params.section import Day, EachOnce, Neutral, Section
from stages.tables.trades import PORTFOLIO

Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,4})?$")]


class Span(Section, section="universe", partial=True):
    """The first and the last day of the record."""

    first_session: Day
    last_session: Day


class Surroundings(Section, section="universe", partial=True):
    """The symbols of the market and of sectors, which only features read."""

    context_symbol: Symbol | None
    context_symbols: Annotated[tuple[Symbol, ...], Neutral([])]


class Whitelist(Section, section="universe", partial=True):
    """Who may trade, and so whose forecasts are judged together."""

    whitelist: Annotated[tuple[Symbol, ...], EachOnce]


class AskedSymbols(Section, section="universe", partial=True):
    """The symbols that are forecast."""

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1), EachOnce]


class ReadSymbols(Surroundings, AskedSymbols, partial=True):
    """The symbols whose bars are read."""

    @property
    def all_symbols(self) -> tuple[str, ...]:
        """Every symbol whose bars are needed, those of the context included, sorted."""
        context = {self.context_symbol} if self.context_symbol else set()
        return tuple(sorted({*self.symbols, *self.context_symbols} | context))


class UniverseParams(Span, ReadSymbols, Whitelist, AskedSymbols):  # in the order of params.yaml
    """Symbols, the span of sessions, and the whitelist of symbols that may trade.

    `context_symbol` is the market's (features `context_*`), `context_symbols` are further ones, like those of sectors
    (features `context_*@SYMBOL`). A symbol is upper case, starts with a letter, and may have one class suffix
    (`BRK.B`): it becomes part of paths.
    """

    def _problems(self) -> Iterator[str]:
        if self.first_session > self.last_session:
            yield f"universe.first_session {self.first_session} is after universe.last_session"
        context = [*self.context_symbols, *([self.context_symbol] if self.context_symbol else [])]
        if len(set(context)) < len(context):
            yield f"universe.context_symbols and context_symbol name a symbol twice: {context}"
        if unknown := sorted(set(self.whitelist) - set(self.symbols)):
            yield f"universe.whitelist names {unknown}, which universe.symbols does not"
        if PORTFOLIO in self.all_symbols:
            yield (
                f"universe names a symbol {PORTFOLIO}, which is what tables call all symbols together: rename it at "
                "the source"
            )
