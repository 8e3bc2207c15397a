"""Params section `universe`: whose bars are read and who may trade."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from stages.tables.section import Section

Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,4})?$")]


class UniverseParams(Section):
    """Symbols, the span of sessions, and the whitelist of those that may trade.

    A symbol is upper case, starts with a letter, and may carry one class suffix (`BRK.B`): it becomes part of paths.
    """

    section = "universe"

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1)]
    whitelist: tuple[Symbol, ...]
    context_symbol: Symbol | None
    first_session: date
    last_session: date

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if self.first_session > self.last_session:
            raise ValueError(f"universe.first_session {self.first_session} is after universe.last_session")
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError(f"universe.symbols names a symbol twice: {list(self.symbols)}")
        if strangers := sorted(set(self.whitelist) - set(self.symbols)):
            raise ValueError(f"universe.whitelist names {strangers}, which universe.symbols does not")
        return self

    @property
    def all_symbols(self) -> tuple[str, ...]:
        """Every symbol whose bars are needed, the context symbol included, sorted."""
        context = {self.context_symbol} if self.context_symbol else set()
        return tuple(sorted(set(self.symbols) | context))
