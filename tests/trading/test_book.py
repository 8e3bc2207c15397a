"""The book: hand-computed figures, sums that agree, costs that only cost."""

from dataclasses import replace
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tables.trades import PORTFOLIO
from stages.trading.book import (
    Span,
    break_even,
    by_training,
    cost_curve,
    delay_table,
    portfolio_table,
    repriced,
    variants,
)
from stages.trading.daily import daily_table
from stages.trading.performance import Book, book_of
from tests.trading.books import WHITELIST, session, span, strategy, trade

SMALL = span(4, trade("STRONG", 0, 10.0), trade("STRONG", 1, -4.0), trade("WEAK", 1, 5.0), trade("WEAK", 3, 1.0))
NOTHING = book_of(span(4).trades, SMALL.calendar)


def book(table, **key):
    return table.filter(**key).row(0, named=True)


def test_the_book_of_four_trades_by_hand():
    """Gross 10 - 4 + 5 + 1 = 12, costs 4 x 2 = 8; a third of each, since three symbols share the capital."""
    row = book(portfolio_table({"search": SMALL}, WHITELIST, WHITELIST), symbol=PORTFOLIO)
    assert (row["gross_bp"], row["cost_bp"], row["net_bp"]) == pytest.approx((4.0, 8 / 3, 4 / 3), abs=1e-6)
    assert (row["sessions"], row["trades"], row["hit_rate"]) == (4, 4, 0.5)
    # After 8, then -6 + 3 = -3, then nothing, then -1, each over three: down 4/3 from the top.
    assert book_of(SMALL.trades, SMALL.calendar).net_bp(3).tolist() == [2.666666667, -1.0, 0.0, -0.333333333]
    assert row["max_drawdown_bp"] == pytest.approx(4 / 3, abs=1e-6)
    assert row["exposure"] == pytest.approx(4 * 10 / (3 * 4 * 390), abs=1e-6)


def test_a_symbol_that_may_not_trade_is_listed_and_holds_no_capital():
    """The four trades net 12 - 8 = 4 bp of one unit: of two units that is 2, and the third symbol dilutes nothing."""
    table = portfolio_table({"search": SMALL}, WHITELIST, ["STRONG", "WEAK"])
    assert book(table, symbol=PORTFOLIO)["net_bp"] == pytest.approx(2.0, abs=1e-6)
    assert table["symbol"].to_list() == [*sorted(WHITELIST), PORTFOLIO]


def test_a_symbol_alone_earns_on_its_own_unit_of_capital():
    """STRONG: 10 - 4 - 2 x 2 = 2 bp."""
    assert book(portfolio_table({"search": SMALL}, WHITELIST, WHITELIST), symbol="STRONG")["net_bp"] == 2.0


def test_symbols_that_did_not_trade_are_listed_with_zeros():
    row = book(portfolio_table({"search": SMALL}, WHITELIST, WHITELIST), symbol="NULL")
    assert (row["trades"], row["net_bp"], row["hit_rate"], row["sharpe"]) == (0, 0.0, None, None)


def test_a_span_without_trades_gives_a_book_of_zeros():
    table = portfolio_table({"search": span(4)}, WHITELIST, WHITELIST)
    assert table["net_bp"].to_list() == [0.0] * 4
    assert break_even(span(4).book) is None


def test_months_that_follow_each_other_are_one_span_with_its_trades_in_order():
    whole = span(4, trade("STRONG", 0, 10.0), trade("STRONG", 3, -4.0), trade("WEAK", 1, 5.0))
    joined = Span.joined(
        [whole.only(days) for days in (pl.col("session") <= session(1), pl.col("session") > session(1))]
    )
    assert joined.trades.equals(whole.trades)
    assert joined.calendar.equals(whole.calendar)


def test_the_days_a_model_was_trained_on_have_a_book_of_their_own():
    """Up to the second day STRONG nets 10 - 4 - 2 x 2 = 2 and WEAK 5 - 2 = 3; after it WEAK nets 1 - 2 = -1."""
    table = portfolio_table(by_training({"search": SMALL}, session(1)), WHITELIST, WHITELIST).filter(symbol=PORTFOLIO)
    sides = ["search_before_training", "search_after_training"]
    assert (table["span"].to_list(), table["sessions"].to_list(), table["trades"].to_list()) == (sides, [2, 2], [3, 1])
    assert table["net_bp"].to_list() == pytest.approx([5 / 3, -1 / 3], abs=1e-6)


def test_both_sides_of_the_training_add_up_to_the_whole_book():
    whole = portfolio_table({"search": SMALL}, WHITELIST, WHITELIST).sort("symbol")
    sides = portfolio_table(by_training({"search": SMALL}, session(0)), WHITELIST, WHITELIST)
    added = sides.group_by("symbol").agg(pl.col("sessions", "trades", "net_bp").sum()).sort("symbol")
    assert added["trades"].to_list() == whole["trades"].to_list()
    assert added["net_bp"].to_list() == pytest.approx(whole["net_bp"].to_list(), abs=1e-5)


@pytest.mark.parametrize(("day", "sides"), [(-1, ["after"]), (0, ["before", "after"]), (3, ["before"])])
def test_a_side_of_the_training_without_a_session_has_no_book(day, sides):
    assert list(by_training({"search": SMALL}, session(day))) == [f"search_{side}_training" for side in sides]


def test_without_a_last_day_of_training_no_book_is_split():
    assert by_training({"search": SMALL}, None) == {}


def test_costs_at_a_multiple_leave_the_trades_as_they_are():
    dear = repriced(SMALL.trades, 1.5)
    assert dear["cost_bp"].to_list() == [3.0] * 4
    assert dear["net_bp"].to_list() == [7.0, -7.0, 2.0, -2.0]
    assert repriced(SMALL.trades, 1.1000011)["cost_bp"].to_list() == [2.200002] * 4, "in six decimals"
    assert dear.drop("cost_bp", "net_bp").equals(SMALL.trades.drop("cost_bp", "net_bp"))


def test_the_trades_earn_nothing_at_the_break_even_multiple():
    assert break_even(SMALL.book) == 1.5
    assert repriced(SMALL.trades, 1.5)["net_bp"].sum() == 0.0


def test_trades_that_lose_before_costs_break_even_below_zero():
    assert break_even(span(2, trade("WEAK", 0, -3.0)).book) == -1.5
    even = replace(span(2, trade("WEAK", 0, -3.0)).book, gross_units=-1, cost_units=10_000_000)
    assert str(break_even(even)) == "0.0", "no zero has a sign"
    assert break_even(replace(even, gross_units=1, cost_units=3)) == 0.333333


def test_the_cost_curve_falls_by_the_costs_and_knows_both_readings():
    curve = cost_curve({"search": SMALL}, {"search": [NOTHING] * 4}, strategy(*WHITELIST), (1.0, 1.5, 2.0))
    held = curve.filter(trades_are="held").sort("cost_multiple")
    assert held["net_bp"].to_list() == pytest.approx([4 / 3, 0.0, -4 / 3], abs=1e-6)
    assert held["trades"].to_list() == [4, 4, 4]
    assert curve.filter(trades_are="redecided")["trades"].to_list() == [0, 0, 0]


def test_a_rule_is_decided_anew_at_multiples_of_the_costs_and_of_the_delay_that_are_stated():
    stated = strategy("STRONG").with_costs(cost_mult=2.0).with_rules(entry_delay_bars=3)
    told = [(one.costs.cost_mult, one.rules.entry_delay_bars) for one in variants(stated, (1.0, 1.5, 0.5), 2)]
    assert told == [(2.0, 3), (3.0, 3), (1.0, 3), (2.0, 5)]


def test_the_delay_table_holds_the_stated_delay_and_the_later_one():
    books = [book_of(SMALL.trades, SMALL.calendar), NOTHING]
    table = delay_table({"search": SMALL}, {"search": books}, strategy("STRONG"), 1)
    assert table.select("span", "entry_delay_bars", "trades").rows() == [("search", 0, 4), ("search", 1, 0)]


def test_books_of_other_symbols_add_up_to_the_book_of_all():
    parts = [book_of(SMALL.trades.filter(symbol=symbol), SMALL.calendar) for symbol in WHITELIST]
    together, whole = Book.combined(parts), book_of(SMALL.trades, SMALL.calendar)
    assert (together.totals, together.net_units.tolist()) == (whole.totals, whole.net_units.tolist())


trades_lists = st.lists(
    st.tuples(
        st.sampled_from(WHITELIST),
        st.integers(0, 4),
        st.integers(-(10**9), 10**9).map(lambda units: units / 1e6),
        st.integers(0, 10**7).map(lambda units: units / 1e6),
    ),
    max_size=12,
    unique_by=lambda row: (row[0], row[1]),
)


@given(trades_lists)
def test_what_the_symbols_earn_is_what_the_portfolio_earns_to_the_last_digit(rows):
    made = span(5, *(trade(symbol, number, gross, cost) for symbol, number, gross, cost in rows))
    daily = daily_table(made.trades, made.calendar["session"].to_list(), WHITELIST, WHITELIST)
    by_symbol = sum(Fraction(repr(net)) for net in made.trades["net_bp"])
    of_book = sum(round(Fraction(repr(net)) * 3, 6) for net in daily.filter(symbol=PORTFOLIO)["net_bp"])
    assert of_book == by_symbol
    row = book(portfolio_table({"search": made}, WHITELIST, WHITELIST), symbol=PORTFOLIO)
    assert row["net_bp"] == pytest.approx(float(by_symbol) / 3, abs=1e-6)


@given(trades_lists, st.floats(0, 5), st.floats(0, 5))
def test_dearer_is_never_better(rows, one, other):
    made = span(5, *(trade(symbol, number, gross, cost) for symbol, number, gross, cost in rows))
    cheap, dear = sorted((one, other))
    assert (repriced(made.trades, dear)["net_bp"] <= repriced(made.trades, cheap)["net_bp"]).all()


def test_the_order_of_trades_and_symbols_changes_no_byte():
    shuffled, backwards = span(4, *reversed(SMALL.trades.to_dicts())), tuple(reversed(WHITELIST))
    table = portfolio_table({"s": SMALL}, WHITELIST, WHITELIST)
    assert table.equals(portfolio_table({"s": shuffled}, backwards, backwards))
