"""Days and key figures of a handful of trades, added up by hand."""

from datetime import date, timedelta

import polars as pl
import pytest

from stages.io.files import write_csv_parts
from stages.tables.trades import PORTFOLIO, Trades
from stages.trading import performance as summary_module
from stages.trading.daily import book_curve, daily_table, with_curves
from stages.trading.performance import book_of, in_folders, kpis, summary
from tests.trading.made_markets import FULL, HALF, at, calendar, strategy

MONDAY, TUESDAY = date(2024, 3, 11), date(2024, 3, 12)
CALENDAR = calendar({MONDAY: FULL, TUESDAY: HALF})


def trade(symbol: str, clock: str, minutes: int, reason: str, **money) -> dict:
    entry = at(clock, MONDAY)
    return {
        "symbol": symbol,
        "entry_ts": entry,
        "session": MONDAY,
        "snapshot_utc": entry,
        "side": 1,
        "entry_px": 100.0,
        "stop_px": 99.9,
        "take_px": 100.1,
        "exit_ts": entry + timedelta(minutes=minutes),
        "exit_px": 100.1,
        "exit_reason": reason,
    } | money


TRADES = Trades.of(
    pl.DataFrame(
        [
            trade("A", "10:30", 10, "target", gross_bp=10.0, cost_bp=3.0, net_bp=7.0),
            trade("A", "13:30", 145, "time_stop", gross_bp=-4.0, cost_bp=3.0, net_bp=-7.0),
            trade("B", "10:30", 0, "stop", gross_bp=-10.0, cost_bp=2.0, net_bp=-12.0, side=-1),
        ]
    )
)


def row(symbol: str, session: date) -> dict:
    return (
        daily_table(TRADES, [MONDAY, TUESDAY], ["A", "B", "C"], ["A", "B", "C"])
        .filter(symbol=symbol, session=session)
        .row(0, named=True)
    )


def test_a_symbol_adds_up_its_trades():
    monday = row("A", MONDAY)
    assert (monday["gross_bp"], monday["cost_bp"], monday["net_bp"], monday["trades"]) == (6.0, 6.0, 0.0, 2)


def test_an_exit_at_an_open_ends_the_exposure_there_and_one_within_a_bar_counts_the_bar():
    assert row("A", MONDAY)["exposure_min"] == 11 + 145
    assert row("B", MONDAY)["exposure_min"] == 1


def test_turnover_is_what_was_bought_and_sold_over_capital():
    # In and out at 1 and 1 + 10 bp, in and out at 1 and 1 - 4 bp; a short that lost 10 bp was bought back dearer.
    assert row("A", MONDAY)["turnover"] == pytest.approx(2.001 + 1.9996)
    assert row("B", MONDAY)["turnover"] == pytest.approx(2.001)


def test_the_portfolio_earns_the_sum_over_the_symbols_that_have_capital():
    monday = row(PORTFOLIO, MONDAY)
    assert monday["net_bp"] == -4.0
    assert monday["gross_bp"] == pytest.approx(-4.0 / 3.0, abs=1e-9)
    assert monday["trades"] == 3


def test_days_and_symbols_without_a_trade_stand_as_zeros():
    for symbol, session in (("A", TUESDAY), ("C", MONDAY), (PORTFOLIO, TUESDAY)):
        quiet = row(symbol, session)
        assert (quiet["net_bp"], quiet["trades"], quiet["exposure_min"], quiet["turnover"]) == (0.0, 0, 0, 0.0)


def test_without_symbols_the_portfolio_stands_alone_at_zero():
    alone = daily_table(TRADES.clear(), [MONDAY], [], [])
    assert alone.select("symbol", "net_bp").rows() == [(PORTFOLIO, 0.0)]


def test_key_figures_by_hand():
    figures = kpis(book_of(TRADES, CALENDAR), CALENDAR, 3)
    assert figures["sessions"] == 2
    assert figures["trades"] == 3
    assert figures["net_bp"] == -4.0
    assert figures["mean_trade_bp"] == -4.0
    assert figures["hit_rate"] == pytest.approx(1 / 3, abs=1e-6)
    assert figures["max_drawdown_bp"] == 4.0
    assert figures["turnover"] == pytest.approx((2.001 + 1.9996 + 2.001) / 3 / 2, abs=1e-6)
    assert figures["exposure"] == pytest.approx(157 / (3 * 600), abs=1e-6)
    assert figures["sharpe"] is None  # two days


def test_without_trades_there_is_no_hit_rate_and_no_division_by_zero():
    figures = kpis(book_of(TRADES.clear(), CALENDAR), CALENDAR, 0)
    assert (figures["trades"], figures["net_bp"], figures["hit_rate"], figures["mean_trade_bp"]) == (0, 0.0, None, None)


def test_the_summary_names_the_variant_by_all_its_params():
    one = strategy("A", "B", "C")
    (line,) = summary(one, book_of(TRADES, CALENDAR), CALENDAR).to_dicts()
    assert line["combo"] == one.combo
    assert (line["k_sigma"], line["fees_bps"], line["method"], line["whitelist"]) == (
        0.5,
        0.5,
        "cqr",
        '["A", "B", "C"]',
    )


def test_a_grid_has_a_folder_a_variant_up_to_the_stated_number_and_one_table_beyond(monkeypatch, tmp_path):
    holds = [None, "horizon", 15]
    variants = [strategy("A", "B", max_hold_min=hold) for hold in holds]
    books = [book_of(TRADES, CALENDAR)] * 3

    def files(most: int) -> dict[str, list[pl.DataFrame]]:
        return {path: list(parts) for path, parts in in_folders(variants, books, CALENDAR, most)}

    folders = {path: part for path, (part,) in files(3).items()}
    assert list(folders) == [f"{one.combo}/bt_summary.csv" for one in variants]
    assert [row["max_hold_min"].item() for row in folders.values()] == [None, "horizon", "15"]
    alone = [summary(one, book_of(TRADES, CALENDAR), CALENDAR).write_csv() for one in variants]
    assert [row.write_csv() for row in folders.values()] == alone
    monkeypatch.setattr(summary_module, "ROWS_AT_ONCE", 2)
    parts = files(2)["bt_summary.csv"]
    assert [part.height for part in parts] == [2, 1]
    write_csv_parts(parts, tmp_path / "bt_summary.csv")
    table = (tmp_path / "bt_summary.csv").read_text()
    assert table.splitlines() == [alone[0].splitlines()[0], *(text.splitlines()[1] for text in alone)]


def test_equity_adds_up_from_zero_and_drawdown_is_the_distance_below_the_highest_point():
    days = [date(2024, 11, day) for day in (4, 5, 6, 7)]
    table = pl.DataFrame({"symbol": ["A"] * 4, "session": days, "net_bp": [-2.0, 5.0, -1.0, -3.0]})
    curves = with_curves(table)
    assert curves["equity_bp"].to_list() == [-2.0, 3.0, 2.0, -1.0]
    assert curves["drawdown_bp"].to_list() == [-2.0, 0.0, -1.0, -4.0]
    assert with_curves(table.reverse()).equals(curves)


def test_a_trade_that_earns_exactly_its_costs_did_not_win():
    even = trade("A", "10:30", 10, "target", gross_bp=3.0, cost_bp=3.0, net_bp=0.0)
    better = trade("A", "11:30", 10, "target", gross_bp=3.000001, cost_bp=3.0, net_bp=0.000001)
    book = book_of(Trades.of(pl.DataFrame([even, better])), CALENDAR)
    assert (book.trades, book.wins) == (2, 1)


def test_curves_and_key_figures_have_six_decimals():
    days = [date(2024, 11, day) for day in (4, 5)]
    curves = with_curves(pl.DataFrame({"symbol": ["A"] * 2, "session": days, "net_bp": [0.3, -0.2000014]}))
    assert curves["equity_bp"].to_list() == [0.3, 0.099999]
    assert curves["drawdown_bp"].to_list() == [0.0, -0.200001]
    figures = kpis(book_of(TRADES, CALENDAR), CALENDAR, 3)
    assert (figures["gross_bp"], figures["cost_bp"], figures["mean_trade_bp"]) == (-1.333333, 2.666667, -4.0)
    assert (figures["hit_rate"], figures["exposure"]) == (0.333333, round(157 / (3 * 600), 6))


def test_the_curve_of_the_book_has_a_row_a_session_and_ends_at_what_the_book_earned():
    daily = daily_table(TRADES, [MONDAY, TUESDAY], ["A", "B", "C"], ["A", "B"])
    curve = book_curve(daily)
    assert curve["session"].to_list() == [MONDAY, TUESDAY]
    assert curve["equity_bp"].to_list() == [-6.0, -6.0]  # (7 - 7 - 12) / 2 symbols that may trade
    assert curve["drawdown_bp"].to_list() == [-6.0, -6.0]
