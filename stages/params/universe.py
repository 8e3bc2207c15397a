"""Params section `universe`: whose bars are read and who may trade."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from stages.params.section import Section

Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,4})?$")]


class UniverseParams(Section):
    """Symbols, the span of sessions, and the whitelist of symbols that may trade.

    `context_symbol` is the market's (features `context_*`), `context_symbols` are further ones, like those of sectors
    (features `context_*@SYMBOL`). A symbol is upper case, starts with a letter, and may have one class suffix
    (`BRK.B`): it becomes part of paths.
    """

    section = "universe"

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1)]
    whitelist: tuple[Symbol, ...]
    context_symbol: Symbol | None
    context_symbols: tuple[Symbol, ...]
    first_session: date
    last_session: date

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if self.first_session > self.last_session:
            raise ValueError(f"universe.first_session {self.first_session} is after universe.last_session")
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError(f"universe.symbols names a symbol twice: {list(self.symbols)}")
        context = [*self.context_symbols, *([self.context_symbol] if self.context_symbol else [])]
        if len(set(context)) < len(context):
            raise ValueError(f"universe.context_symbols and context_symbol name a symbol twice: {context}")
        if unknown := sorted(set(self.whitelist) - set(self.symbols)):
            raise ValueError(f"universe.whitelist names {unknown}, which universe.symbols does not")
        return self

    @property
    def all_symbols(self) -> tuple[str, ...]:
        """Every symbol whose bars are needed, those of the context included, sorted."""
        context = {self.context_symbol} if self.context_symbol else set()
        return tuple(sorted({*self.symbols, *self.context_symbols} | context))
