"""Hand-made trades, sessions and params for the tests of the book."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import yaml

from stages.params.gates import GatesParams
from stages.params.rules import CostsParams, RulesParams
from stages.params.section import parse
from stages.tables.market import Calendar
from stages.tables.scores import Cell
from stages.tables.trades import Trades
from stages.trading.book import Span
from stages.trading.by_symbol import SpanFigures
from stages.trading.strategy import Strategy

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
WHITELIST = ("STRONG", "WEAK", "NULL")
HORIZON = DOCUMENT["rules"]["horizon_min"]
HISTORY = DOCUMENT["rules"]["history_days"]
METHOD = DOCUMENT["calibration"]["method"]


def gates(**changes: object) -> GatesParams:
    """The default gates with some keys changed."""
    return parse(GatesParams, {"gates": DOCUMENT["gates"] | changes})


def strategy(*eligible: str) -> Strategy:
    """The default rule, with these symbols eligible."""
    return Strategy(
        rules=parse(RulesParams, DOCUMENT),
        costs=parse(CostsParams, DOCUMENT),
        method=METHOD,
        model=DOCUMENT["forecaster"]["model"],
        whitelist=WHITELIST,
        eligible=frozenset(Cell(symbol, HISTORY, HORIZON, METHOD) for symbol in eligible),
    )


def session(number: int) -> date:
    """The n-th day from 2024-12-02; that some are weekend days matters to nobody here."""
    return date(2024, 12, 2) + timedelta(days=number)


def instant(day: date, minute: int) -> datetime:
    """UTC; minute 0 is the open at 14:30."""
    return datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC) + timedelta(minutes=minute)


def calendar(sessions: int | Sequence[int]) -> pl.DataFrame:
    """Full sessions: so many, or those of these numbers."""
    days = [session(number) for number in (range(sessions) if isinstance(sessions, int) else sessions)]
    return Calendar.of(
        pl.DataFrame(
            {
                "session": days,
                "open_utc": [instant(day, 0) for day in days],
                "close_utc": [instant(day, 390) for day in days],
                "n_bars": [390] * len(days),
                "is_half": [False] * len(days),
            }
        )
    )


def trade(symbol: str, number: int, gross_bp: float, cost_bp: float = 2.0, minute: int = 60) -> dict[str, object]:
    """A long trade of ten minutes on the n-th session."""
    day = session(number)
    return {
        "symbol": symbol,
        "entry_ts": instant(day, minute),
        "session": day,
        "snapshot_utc": instant(day, minute),
        "side": 1,
        "entry_px": 200.0,
        "stop_px": 190.0,
        "take_px": 210.0,
        "exit_ts": instant(day, minute + 10),
        "exit_px": 200.0 * (1 + gross_bp / 1e4),
        "exit_reason": "time_stop",
        "gross_bp": gross_bp,
        "cost_bp": cost_bp,
        "net_bp": gross_bp - cost_bp,
    }


def span(sessions: int, *trades: dict[str, object]) -> Span:
    """So many sessions in which exactly these trades were made."""
    return span_of(range(sessions), *trades)


def span_of(sessions: Sequence[int], *trades: dict[str, object]) -> Span:
    """The same of sessions by their numbers."""
    table = Trades.of(pl.DataFrame(trades)) if trades else Trades.create_empty()
    return Span(calendar(sessions), table)


def figures_of(**spans: Span) -> dict[str, SpanFigures]:
    """What was found in spans of which only the trades are told."""
    return {name: SpanFigures(span.calendar, [], [span.trades]) for name, span in spans.items()}
