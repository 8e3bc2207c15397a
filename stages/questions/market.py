"""The market: every symbol's bars and features and its usable sessions, from which questions are cut.

An exogenous value may be unknown, as most features are in the first minutes of a session. Feature tables keep their
nulls; where a question is built, each column follows its policy:

* `shrink`: the rows sent begin after its last unknown value;
* `carry`: the last known value is used, even from an earlier session; rows before the first known value are not sent;
* `void`: the question is not asked.

*Shapes*: values (rows, columns), NaN where unknown; masks (columns,).
*Time*: a question's rows are N complete usable sessions before its own, then the session's bars known at the snapshot.
Only values of earlier rows that are sent themselves are carried.
*Errors*: `DataContractError` when the bars no longer hold the rows that a question describes.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from math import ceil

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.errors import DataContractError
from stages.questions.question import Question
from stages.questions.window import Blocks, Cut, Past, Series, Window, exogenous_digest

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


def first_row(unknown: Mask, shrinks: Mask, carries: Mask) -> int:
    """The first row of a history; the number of rows if a carried column is never known."""
    rows = len(unknown)
    shrunk = np.flatnonzero(unknown[:, shrinks].any(axis=1))
    begin = int(shrunk[-1]) + 1 if len(shrunk) else 0
    known = np.flatnonzero(~unknown[begin:, carries].any(axis=1))  # from the first of these on, all have a value
    return begin + int(known[0]) if len(known) else rows


def carried(values: Values) -> Values:
    """The values, with each unknown one replaced by the last known one above it, if there is one."""
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    rows = np.arange(len(values))[:, None]
    source = np.maximum.accumulate(np.where(unknown, 0, rows), axis=0)
    return np.take_along_axis(values, source, axis=0)


SERIES_AT_ONCE = 64
EVENT = "event_"  # a feature of announced events: for the minutes ahead, as known at the snapshot


@dataclass(frozen=True, eq=False)
class Market:
    """Tables `Bars` and features by symbol, usable sessions by symbol, table `Calendar`, table `Halts` by symbol.

    The arrays of the latest `SERIES_AT_ONCE` symbols are cached.
    """

    bars: Mapping[str, pl.DataFrame]
    features: Mapping[str, pl.DataFrame]
    usable: Mapping[str, tuple[date, ...]]
    calendar: pl.DataFrame
    halts: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    _series: dict[str, Series] = field(default_factory=dict, init=False)
    # By symbol and length, the latest history that was asked for, and the rows of its sessions.
    _pasts: dict[tuple[str, int], tuple[tuple[date, ...], Blocks]] = field(default_factory=dict, init=False)
    # By symbol, the rows before the own session of the latest window, and its complete sessions.
    _complete: dict[str, tuple[Blocks, Past]] = field(default_factory=dict, init=False)

    def series(self, symbol: str) -> Series:
        """The symbol's arrays."""
        known = self._series.get(symbol)
        if known is not None:
            return known
        for name, tables in (("bars", self.bars), ("features", self.features)):
            if symbol not in tables:
                raise DataContractError(
                    f"no {name} of {symbol}, which universe.symbols names: run `dvc repro`, which makes them."
                )
        made = self._series[symbol] = Series.of(symbol, self.bars[symbol], self.features[symbol])
        for oldest in list(self._series)[:-SERIES_AT_ONCE]:
            self._series.pop(oldest, None)
        return made

    def history(self, symbol: str, session: date, days: int, max_lookback_ratio: float) -> tuple[date, ...] | None:
        """The last `days` usable sessions before `session`; None if the allowed look-back holds fewer."""
        sessions, usable = self._sessions, self.usable[symbol]
        today = bisect_left(sessions, session)
        reach = ceil(round(max_lookback_ratio * days, 6))  # 1.1 * 50 is 55.00000000000001
        oldest = sessions[max(0, today - reach)]
        past = usable[bisect_left(usable, oldest) : bisect_left(usable, session)][-days:]
        return past if len(past) == days else None

    def cut(self, symbol: str, history: tuple[date, ...], session: date, m0: int) -> Cut:
        """Rows of the complete sessions `history`, then of `session` up to minute `m0`."""
        blocks = self.series(symbol).blocks
        opening = blocks[session][0]
        known = self._pasts.get((symbol, len(history)))  # shared by the snapshots of a day
        if known is None or known[0] != history:
            known = self._pasts[symbol, len(history)] = history, tuple(blocks[past] for past in history)
        return Cut(known[1], (opening, opening + m0 + 1))

    def past(self, symbol: str, cut: Cut, names: tuple[str, ...]) -> Values:
        """The named features on the rows of `cut`, NaN where unknown."""
        return self.series(symbol).exogenous(cut.index, names) if names else np.empty((cut.rows, 0))

    def ahead(self, symbol: str, cut: Cut, names: tuple[str, ...], horizon_min: int) -> Values:
        """The named features for the asked minutes of the real session clock, as known at the snapshot.

        For events, the last row's value is used, since an event that is announced later is not known yet.
        """
        series, end = self.series(symbol), cut.today[1]
        values = series.exogenous(np.arange(end, end + horizon_min), names)
        for column, name in enumerate(names):
            if name.startswith(EVENT):
                values[:, column] = series.feature(name)[end - 1]
        return values

    def window(self, question: Question) -> Window:
        """The rows that a question sends, checked against its digests."""
        series = self.series(question.symbol)
        cut = self._cut_of(question)
        names = question.hist_exog + question.futr_exog
        history = carried(self.past(question.symbol, cut, names))
        future = self.ahead(question.symbol, cut, question.futr_exog, question.horizon_min)
        features_sha256 = exogenous_digest(history, future) if names else None
        if (cut.rows, series.digest(cut), features_sha256) != (
            question.rows,
            question.y_sha256,
            question.features_sha256,
        ):
            raise _changed(question)
        minute, returns = cut.of(series.minute), cut.of(series.returns).copy()
        returns[0] = 0
        known = self._complete.get(question.symbol)
        if known is None or known[0] != cut.past:
            known = self._complete[question.symbol] = cut.past, Past.of(minute, returns)
        return Window(
            ts_us=cut.of(series.ts_us),
            session=cut.of(series.session),
            minute=minute,
            returns=returns,
            hist_exog=history,
            futr_exog=future,
            past=known[1],
        )

    def _cut_of(self, question: Question) -> Cut:
        series, usable = self.series(question.symbol), self.usable[question.symbol]
        first, last = (self._row(question, at) for at in (question.start_utc, question.end_utc))
        days = [date.fromordinal(_EPOCH + int(series.session[row])) for row in (first, last)]
        between = usable[bisect_left(usable, days[0]) : bisect_left(usable, days[1])]
        blocks = [series.blocks[session] for session in (*between, days[1])]
        blocks[0] = (first, blocks[0][1])
        blocks[-1] = (blocks[-1][0], last + 1)
        return Cut(tuple(blocks[:-1]), blocks[-1])

    def _row(self, question: Question, at: datetime) -> int:
        stamps = self.series(question.symbol).ts_us
        row = int(np.searchsorted(stamps, int(at.timestamp()) * 1_000_000))
        if row == len(stamps) or stamps[row] != int(at.timestamp()) * 1_000_000:
            raise _changed(question)
        return row

    @cached_property
    def _sessions(self) -> list[date]:
        return self.calendar["session"].to_list()


_EPOCH = date(1970, 1, 1).toordinal()


def _changed(question: Question) -> DataContractError:
    return DataContractError(
        f"the bars no longer hold the {question.rows} rows of question {question.key} ({question.symbol} at "
        f"{question.snapshot_utc:%Y-%m-%dT%H:%MZ}): `dvc repro build_requests` writes the questions again."
    )
