"""A program of the user's as a free candidate: its questions are planned with those of the others, and asked at once.

A worker plans the program's questions of a symbol together with that symbol's free forecasts. A worker may run twice
and the program only once, so the driver asks all symbols' questions at the end. They are those of the other candidates:
every bar known at the snapshot, without exogenous columns. The model is named `command`, its version is the digest of
its files.

*Tables*: rows of `Quantiles` of model `free:command`, with the key of the question.
*Errors*: those of the program; `DataContractError` for an answer that is missing or misshapen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from stages.forecasting.answering import answered, require_whole
from stages.forecasting.backend import Answer, Asked, Backend
from stages.params.forecaster import COMMAND
from stages.params.requests import RequestsParams
from stages.questions.market import Market
from stages.questions.question import Question
from stages.questions.schedule import lines_of
from stages.tables.forecasts import FREE, Quantiles


@dataclass(frozen=True, eq=False)
class Planned:
    """The snapshots of a symbol, with `history_days` and `key` where a program answers them, and its questions.

    `lines` are the questions as compressed canonical lines, in the order of the snapshots; empty without a program.
    """

    snapshots: pl.DataFrame
    lines: bytes = b""


def ask_program(planned: Iterable[Planned], market: Market, backend: Backend) -> Mapping[str, Answer]:
    """A whole answer to every planned question, by key."""
    lines = (line for one in planned if one.lines for line in lines_of(one.lines))
    asked = [Asked(question, partial(market.window, question)) for question in map(Question.parse, lines)]
    answers = backend.answer(asked)
    for one in asked:
        require_whole(one.question, answers.get(one.question.key))
    return answers


def with_program(
    quantiles: pl.DataFrame, planned: Planned, answers: Mapping[str, Answer], requests: RequestsParams
) -> pl.DataFrame:
    """The free forecasts of a symbol, with those of the program if it was asked."""
    if not planned.lines:
        return quantiles
    rows = answered(planned.snapshots, answers, requests).with_columns(model=pl.lit(f"{FREE}{COMMAND}"))
    return pl.concat([quantiles, Quantiles.of(rows)])
