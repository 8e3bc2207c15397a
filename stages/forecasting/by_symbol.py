"""The forecasts of one symbol, with only its tables in memory: local answers, or answers already bought, in one table.

*Tables*: `Quantiles` of the asked forecaster and of the benchmark beside it.
*Time*: a forecaster sees the rows of the question, which end at the snapshot.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from stages.forecasting.answering import answers_summary, ask_backends, benchmark_backend, quantile_table
from stages.forecasting.backend import Answer
from stages.forecasting.local_backend import local_backend
from stages.params.forecaster import ForecasterParams
from stages.params.requests import RequestsParams
from stages.questions.market import Market
from stages.questions.question import Question
from stages.tables.contract import packed
from stages.tables.forecasts import BENCHMARK, Quantiles


@dataclass(frozen=True, eq=False)
class AskedSymbol:
    """Questions, usable sessions and rows of `Schedule` of a symbol; `bought` answers by key, None if asked here."""

    questions: Sequence[Question]
    usable: tuple[date, ...]
    schedule: pl.DataFrame
    bought: Mapping[str, Answer] | None


def asked_by_symbol(
    questions: Iterable[Question],
    schedule: pl.DataFrame,
    usable: Mapping[str, tuple[date, ...]],
    bought: Mapping[str, Answer] | None,
) -> dict[str, AskedSymbol]:
    """The questions, schedule and answers of every asked symbol."""
    by_symbol: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_symbol[question.symbol].append(question)
    rows = schedule.filter(status="ok").partition_by("symbol", as_dict=True, maintain_order=True)

    def of(symbol: str, asked: Sequence[Question]) -> AskedSymbol:
        known = None if bought is None else {one.key: bought[one.key] for one in asked}
        return AskedSymbol(asked, usable[symbol], rows[symbol,], known)

    return {symbol: of(symbol, asked) for symbol, asked in by_symbol.items()}


@dataclass(frozen=True)
class Answered:
    """Table `Quantiles` of a symbol as bytes, its number of rows, and the summary of its answers."""

    quantiles: bytes
    rows: int
    summary: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class AnswerSymbol:
    """Answers one symbol's questions."""

    forecaster: ForecasterParams
    requests: RequestsParams
    calendar: pl.DataFrame

    def __call__(self, symbol: str, bars: pl.DataFrame, features: pl.DataFrame, asked: AskedSymbol) -> Answered:
        """The symbol's part of the table. *Errors*: `DataContractError` for an answer that is not whole."""
        market = Market({symbol: bars}, {symbol: features}, {symbol: asked.usable}, self.calendar)
        name, bought, beside = self.forecaster.name, asked.bought, benchmark_backend(self.forecaster, self.requests)
        backends = {} if beside is None else {BENCHMARK: beside}
        if bought is None:
            backends[name] = local_backend(name, self.forecaster, self.requests.horizons_min)
        found = ask_backends(asked.questions, market, backends)
        answers = found[name] if bought is None else bought
        benchmark = {} if beside is None else found[BENCHMARK]
        rows = quantile_table(asked.schedule, answers, benchmark, self.requests, self.forecaster)
        table = Quantiles.of(rows)
        return Answered(packed(table), table.height, answers_summary(answers, table))
