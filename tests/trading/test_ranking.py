"""How variants are compared and one of them proposed, from books written by hand."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from stages.params.sweep import ChooseBy, Grid, SweepParams
from stages.tables.scores import Cell
from stages.trading import ranking as ranking_module
from stages.trading.grid import combos
from stages.trading.market import markets_of
from stages.trading.multiplicity import deflated_sharpe
from stages.trading.performance import Book
from stages.trading.ranking import Swept, _nothing, deflated_sharpes, proposal, ranking
from stages.trading.strategy import Strategy
from stages.trading.trade_grid import trade_grid
from tests.trading.made_markets import FULL, calendar, random_market, strategy
from tests.trading.test_grid import EMPTY

SESSIONS = 60
DAYS = calendar({date(2024, 1, 1) + timedelta(days=n): FULL for n in range(SESSIONS)})


def params(min_trades=20, plateau=True, prior_trials=0, prior_sharpe_var=None, **axes) -> SweepParams:
    return SweepParams(
        grid=Grid(**(EMPTY | axes)),
        choose_by=ChooseBy(min_trades=min_trades, plateau=plateau),
        prior_trials=prior_trials,
        prior_sharpe_var=prior_sharpe_var,
        folders_up_to=1000,
        pbo_blocks=8,
        spa_reps=100,
        spa_seed=7,
    )


def book(mean_bp: float, trades: int = 60, turnover: float = 1.0, seed: int = 0) -> Book:
    """A book with one unit of capital that earns `mean_bp` a day, give or take ten."""
    noise = np.random.default_rng(seed).normal(0.0, 10.0, SESSIONS)
    net = np.rint((noise - noise.mean() + mean_bp) * 1e6).astype(np.int64) if trades else np.zeros(SESSIONS, np.int64)
    return Book(net, int(net.sum()), 0, int(turnover * 1e6), trades, trades // 2, trades)


def swept(books: list[Book], stated: SweepParams, base=None) -> Swept:
    base = base or strategy("A")
    return Swept(base, combos(base, stated.grid), books, DAYS)


LADDER = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)


def proposed(means: list[float], trades: int = 60, **choice) -> dict:
    stated = params(k_sigma=LADDER, **choice)
    done = swept([book(mean, trades, seed=n) for n, mean in enumerate(means)], stated)
    return proposal(done, ranking(done, stated), stated.choose_by)


def test_each_variant_is_measured_by_the_capital_of_the_symbols_that_it_may_trade():
    """Of A and B only A has a cell 10 minutes ahead, so the same book is half as much of the capital of 5 minutes."""
    stated = params(horizon_min=(5, 10))
    base = strategy("A", "B")
    base = replace(
        base, eligible=frozenset(c for n in (5, 10) for c in cells_of(base, n) if (n, c.symbol) != (10, "B"))
    )
    done = swept([book(4.0), book(4.0)], stated, base)
    nets = ranking(done, stated).sort("horizon_min")["net_bp"].to_list()
    assert nets == pytest.approx([4.0 * SESSIONS / 2, 4.0 * SESSIONS])
    assert done.daily_bp.sum(axis=0) == pytest.approx(nets)


def cells_of(base: Strategy, horizon: int) -> set[Cell]:
    return {Cell(symbol, base.rules.history_days, horizon, base.method) for symbol in base.whitelist}


def test_a_plateau_ranks_above_a_single_peak():
    means = [8.0, 0.0, 0.0, 5.0, 6.0, 5.0, 0.0]
    assert proposed(means)["params"] == {"rules": {"k_sigma": 2.5}}
    assert proposed(means, plateau=False)["params"] == {}  # the peak is k_sigma 0.5, which params state already


def test_the_plateau_is_the_mean_with_the_grid_neighbours():
    stated = params(k_sigma=LADDER[:3])
    done = swept([book(mean, seed=n) for n, mean in enumerate([3.0, 6.0, 0.0])], stated)
    table = ranking(done, stated).sort("k_sigma")
    sharpes = table["sharpe"].to_list()
    expected = [np.mean(sharpes[:2]), np.mean(sharpes), np.mean(sharpes[1:])]
    assert table["plateau_sharpe"].to_list() == pytest.approx(expected, abs=1e-5)


def test_too_few_trades_never_qualify():
    told = proposed([5.0] * 7, trades=19)
    assert (told["combo"], told["params"]) == (None, None)
    assert told["why"] == "no combo makes sweep.choose_by.min_trades = 20 trades; the most is 19"
    stated = params(k_sigma=LADDER[:2])
    done = swept([book(5.0, trades=3, seed=1), book(5.0, trades=19, seed=2)], stated)
    assert proposal(done, ranking(done, stated), stated.choose_by)["why"].endswith("the most is 19")
    assert proposed([5.0] * 7, trades=20)["combo"] is not None
    assert "earns more than it costs" in proposed([-5.0] * 7, trades=20)["why"]


def steady(bp: int, trades: int = 60) -> Book:
    """A book that earns the same on every day: it has no Sharpe ratio."""
    return Book(np.full(SESSIONS, bp * 10**6), SESSIONS * bp * 10**6, 0, 10**6, trades, trades // 2, trades)


@pytest.mark.parametrize("plateau", [False, True])
def test_a_combo_without_a_sharpe_ratio_comes_last_counts_nothing_for_its_neighbours_and_is_never_proposed(plateau):
    stated = params(k_sigma=LADDER[:3], plateau=plateau)
    done = swept([book(-3.0, seed=1), steady(5), book(6.0, seed=2)], stated)
    table = ranking(done, stated)
    assert table.filter(k_sigma=1.0).select("sharpe", "proposable").row(0) == (None, False)
    sharpes = dict(table.select("k_sigma", "sharpe").iter_rows())
    expected = {0.5: sharpes[0.5] / 2, 1.0: (sharpes[0.5] + sharpes[1.5]) / 3, 1.5: sharpes[1.5] / 2}
    assert dict(table.select("k_sigma", "plateau_sharpe").iter_rows()) == pytest.approx(expected, abs=1e-6)
    assert expected[1.0] > 0
    assert table["k_sigma"].to_list() == ([1.5, 1.0, 0.5] if plateau else [1.5, 0.5, 1.0])
    assert proposal(done, table, stated.choose_by)["params"] == {"rules": {"k_sigma": 1.5}}


def test_days_that_are_all_alike_are_not_called_too_few():
    stated = params(k_sigma=LADDER[:2])
    done = swept([steady(5), steady(-5)], stated)
    told = proposal(done, ranking(done, stated), stated.choose_by)["why"]
    assert told == "no combo has a Sharpe ratio to choose by: the result of each is the same on every day"


def test_a_merit_of_exactly_nothing_is_not_proposed():
    flat = Book(np.tile([10**7, -(10**7)], SESSIONS // 2), 0, 0, 10**6, 60, 30, 60)
    stated = params(plateau=False)
    done = swept([flat], stated)
    table = ranking(done, stated)
    assert table.select("sharpe", "proposable").row(0) == (0.0, False)


def test_nothing_that_loses_is_proposed():
    told = proposed([-5.0] * 7)
    assert told == {"combo": None, "params": None, "why": "no combo with enough trades earns more than it costs"}


def test_what_earns_and_is_not_proposed_is_not_said_to_lose():
    """It earns at costs that params do not state, or amid neighbours that lose more."""
    stated = params(cost_mult=(0.5,))
    done = swept([book(9.0)], stated)
    told = proposal(done, ranking(done, stated), stated.choose_by)
    assert told["why"] == "no combo pays the stated costs: add costs.cost_mult = 1 to sweep.grid.cost_mult"
    assert proposed([-9.0, 3.0, -9.0, -9.0, -9.0, -9.0, -9.0])["why"] == (
        "no combo with enough trades has a mean Sharpe ratio with its neighbours on the grid above zero"
    )
    both = params(cost_mult=(0.5, 1.0))
    done = swept([book(9.0, seed=1), book(-3.0, seed=2)], both)
    assert "earns more than it costs" in proposal(done, ranking(done, both), both.choose_by)["why"]


def test_where_nothing_trades_the_ranking_stands_and_the_proposal_says_so():
    stated = params(k_sigma=LADDER)
    done = swept([book(0.0, trades=0, turnover=0.0) for _ in LADDER], stated)
    table = ranking(done, stated)
    assert table.height == 7
    assert table["net_bp"].to_list() == [0.0] * 7
    assert table["sharpe"].null_count() == table["dsr"].null_count() == table["pbo"].null_count() == 7
    assert proposal(done, table, stated.choose_by)["why"] == "no combo trades"


@pytest.mark.parametrize("sessions", [0, 1, 2, 3])
def test_a_span_of_few_sessions_is_ranked_without_ratios(sessions):
    stated = params(k_sigma=LADDER, min_trades=1)
    earned = [Book(np.arange(sessions) * (n + 1) * 10**6, 10, 0, 10, 1, 1, 1) for n in range(7)]
    done = replace(swept(earned, stated), calendar=DAYS.head(sessions))
    table = ranking(done, stated)
    assert table.select(pl.col("sharpe", "dsr", "spa_p").null_count()).row(0) == (7, 7, 7)
    many = "1 session" if sessions == 1 else f"{sessions} sessions"
    assert f": {many}, and it takes 20" in proposal(done, table, stated.choose_by)["why"]
    assert sum(part.height for part in done.daily()) == 7 * sessions


def test_equal_merit_goes_to_the_lower_turnover():
    stated = params(s_stop=(1.0, 2.0), plateau=False)
    done = swept([book(5.0, turnover=3.0), book(5.0, turnover=2.0)], stated)
    assert ranking(done, stated)["s_stop"].to_list() == [2.0, 1.0]


def test_other_cost_multiples_are_ranked_but_never_proposed():
    stated = params(cost_mult=(0.5, 1.0), plateau=False)
    done = swept([book(9.0, seed=1), book(3.0, seed=2)], stated)
    table = ranking(done, stated)
    assert table.select("cost_mult", "proposable").rows() == [(0.5, False), (1.0, True)]
    assert proposal(done, table, stated.choose_by)["params"] == {}


def test_what_earns_at_other_costs_is_no_evidence_for_what_may_be_proposed():
    """At the stated costs there is one variant, and it loses: nothing to choose among, nothing beats not trading."""
    stated = params(cost_mult=(0.0, 1.0))
    table = ranking(swept([book(9.0, seed=1), book(-3.0, seed=2)], stated), stated)
    assert table.select("pbo", "spa_p", "effective_trials", "trials").unique().rows() == [(None, 1.0, 1.0, 2)]
    elsewhere = params(cost_mult=(0.0,))
    table = ranking(swept([book(9.0, seed=1)], elsewhere), elsewhere)
    assert table.select("pbo", "spa_p", "effective_trials", "trials").rows() == [(None, None, 0.0, 1)]


def test_another_method_is_proposed_under_calibration():
    stated = params(method=("cqr", "identity"))
    done = swept([book(1.0, seed=1), book(4.0, seed=2)], stated)
    assert proposal(done, ranking(done, stated), stated.choose_by)["params"] == {"calibration": {"method": "identity"}}


def test_a_proposed_horizon_overrules_the_symbols_that_had_their_own():
    base = strategy("A", horizon_min_by_symbol={"A": 20})
    stated = params(horizon_min=(5, 10, 20))
    done = swept([book(9.0, seed=1), book(1.0, seed=2), book(0.0, seed=3)], stated, base)
    changes = proposal(done, ranking(done, stated), stated.choose_by)["params"]
    assert changes == {"rules": {"horizon_min": 5, "horizon_min_by_symbol": {"A": 5}}}


def test_combos_that_did_exactly_the_same_are_named():
    stated = params(k_sigma=LADDER[:3])
    done = swept([book(1.0, seed=1), book(1.0, seed=1), book(2.0, seed=2)], stated)
    table = ranking(done, stated).sort("k_sigma")
    assert table["same_trades_as"].to_list() == [None, table["combo"][0], None]


def test_earlier_trials_deflate_what_is_found():
    found = []
    for prior in (0, 1000):
        stated = params(k_sigma=LADDER, prior_trials=prior)
        done = swept([book(2.0 + 0.5 * n, seed=n) for n in range(7)], stated)
        table = ranking(done, stated)
        assert set(table["trials"]) == {7 + prior}
        found.append(table["dsr"].max())
    assert found[1] < found[0]


def deflated(books: list[Book], stops: tuple[float, ...], trials: int, spread: float | None = None) -> float:
    """The deflated Sharpe ratio of the first book, in a grid of these, after so many trials in all."""
    stated = params(s_stop=stops, prior_trials=trials - len(books), prior_sharpe_var=spread)
    return ranking(swept(books, stated), stated).filter(s_stop=stops[0])["dsr"].item()


def test_the_bar_is_that_of_the_best_of_all_trials_whatever_the_grid_looks_like():
    """By hand: z = 2.5, and E[max] of 1000 normals is 3.26 by the formula of Bailey and Lopez de Prado."""
    one = book(0.0, seed=3)
    day = one.net_bp(1)
    wanted = 2.5 * day.std(ddof=1) / np.sqrt(SESSIONS)
    lifted = replace(one, net_units=one.net_units + round(wanted * 1e6))
    daily = lifted.net_bp(1)
    ratio, z = daily.mean() / daily.std(ddof=1), (daily - daily.mean()) / daily.std()
    shape = 1 - (z**3).mean() * ratio + ((z**4).mean() - 1) / 4 * ratio**2
    rare, rarer = norm.ppf(1 - 1 / 1000), norm.ppf(1 - 1 / (1000 * np.e))
    bar = ((1 - 0.5772156649) * rare + 0.5772156649 * rarer) / np.sqrt(SESSIONS)
    expected = norm.cdf((ratio - bar) * np.sqrt((SESSIONS - 1) / shape))
    assert deflated([lifted], (1.0,), 1000) == pytest.approx(expected, abs=1e-6)
    assert deflated([lifted, book(9.0, seed=4)], (1.0, 2.0), 1000) == pytest.approx(expected, abs=1e-6)


def test_a_copy_or_near_copy_of_a_variant_never_raises_a_deflated_sharpe():
    stops = (1.0, 1.5, 2.0)
    for seed in range(20):
        one, near = book(3.0, seed=seed), book(3.01, seed=seed)
        alone = deflated([one], stops[:1], 999)
        assert deflated([one, one], stops[:2], 1000) <= alone
        assert deflated([one, near, one], stops, 1001) <= alone


def test_a_wider_spread_of_earlier_trials_raises_the_bar_and_a_narrow_one_does_not_lower_it():
    one = [book(4.0, seed=1)]
    assert deflated(one, (1.0,), 100, 4.0) < deflated(one, (1.0,), 100, 1.0) == deflated(one, (1.0,), 100, 0.01)


@pytest.mark.journey  # a thousand variants, many times
def test_the_best_of_a_thousand_on_noise_with_neighbours_is_rarely_called_skill():
    """73 days without skill: the best of 1,000 variants, then a grid of it and eight that are much like it.

    Deflating by the spread of the nine would call most of them skill, so the test can tell.
    """
    called, by_the_grid = 0, 0
    stated = params(s_stop=tuple(1.0 + n for n in range(9)), prior_trials=991)
    variants = combos(strategy("A"), stated.grid)
    days = calendar({date(2024, 1, 1) + timedelta(days=n): FULL for n in range(73)})
    for seed in range(200):
        rng = np.random.default_rng([14, seed])
        luck = rng.normal(0.0, 10.0, (73, 1000))
        best = luck[:, [np.argmax(luck.mean(axis=0) / luck.std(axis=0))]]
        alike = rng.uniform(0.8, 0.999, 8)
        daily = np.hstack([best, best * alike + rng.normal(0.0, 10.0, (73, 8)) * np.sqrt(1 - alike**2)])
        books = [Book(np.rint(one * 1e6).astype(np.int64), 0, 0, 0, 60, 30, 60) for one in daily.T]
        called += deflated_sharpes(Swept(strategy("A"), variants, books, days), stated)[0] >= 0.95
        ratios = daily.mean(axis=0) / daily.std(axis=0, ddof=1)
        by_the_grid += deflated_sharpe(daily[:, 0], ratios.var(ddof=1), 1000) >= 0.95
    assert called <= 10
    assert by_the_grid >= 100


def test_too_few_trades_leave_no_deflated_sharpe():
    stated = params(k_sigma=LADDER[:2])
    done = swept([book(5.0, trades=20, seed=1), book(5.0, trades=19, seed=2)], stated)
    assert ranking(done, stated).sort("k_sigma")["dsr"].is_null().to_list() == [False, True]


def test_every_day_of_every_combo_stands_in_the_daily_table_a_few_combos_at_a_time(monkeypatch):
    monkeypatch.setattr(ranking_module, "COMBOS_AT_ONCE", 3)
    stated = params(k_sigma=LADDER)
    done = swept([book(1.0, seed=n) for n in range(7)], stated)
    parts = list(done.daily())
    assert [part["combo"].n_unique() for part in parts] == [3, 3, 1]
    daily = pl.concat(parts)
    assert daily["combo"].is_sorted()
    assert daily.height == 7 * SESSIONS
    combo = done.combos[2].strategy.combo
    assert np.array_equal(daily.filter(combo=combo)["net_bp"].to_numpy(), done.books[2].net_bp(1))


def test_where_a_part_holds_as_many_combos_as_sessions_each_keeps_its_own_days(monkeypatch):
    monkeypatch.setattr(ranking_module, "COMBOS_AT_ONCE", SESSIONS)
    stated = params(k_sigma=tuple(n / 10 for n in range(SESSIONS)))
    done = swept([book(1.0, seed=n) for n in range(SESSIONS)], stated)
    (daily,) = done.daily()
    for combo, one in zip(done.combos, done.books, strict=True):
        assert daily.filter(combo=combo.strategy.combo)["net_bp"].to_list() == one.net_bp(1).tolist()


def test_holding_times_of_all_kinds_stand_side_by_side():
    stated = params(max_hold_min=(None, "horizon", 15))
    done = swept([book(1.0, seed=n) for n in range(3)], stated)
    assert set(ranking(done, stated)["max_hold_min"]) == {None, "horizon", "15"}


def test_shuffled_axes_give_the_same_ranking_and_proposal():
    bars, forecasts, sessions = random_market(("A", "B"), 30, seed=4)
    base = strategy("A", "B")
    told = []
    for axes in (
        {"k_sigma": (0.1, 0.5, 1.0), "horizon_min": (5, 10)},
        {"k_sigma": (1.0, 0.1, 0.5), "horizon_min": (10, 5)},
    ):
        stated = params(min_trades=1, **axes)
        variants = combos(base, stated.grid)
        books = trade_grid(
            markets_of(bars, forecasts, sessions, base), sessions.height, [one.strategy for one in variants]
        )
        done = Swept(base, variants, books, sessions)
        table = ranking(done, stated)
        told.append((table.write_csv(), proposal(done, table, stated.choose_by)))
    assert told[0] == told[1]
    assert pl.read_csv(told[0][0].encode()).height == 6


def test_an_odd_number_of_blocks_is_refused_by_name():
    with pytest.raises(ValueError, match=r"sweep\.pbo_blocks is 7: it must be even"):
        SweepParams(**(params().model_dump() | {"pbo_blocks": 7}))


@pytest.mark.parametrize(
    ("trades", "ratio", "earns"), [(20, 0.001, True), (19, 0.001, False), (20, 0.0, False), (20, -0.001, False)]
)
def test_a_combo_with_enough_trades_and_a_ratio_above_zero_is_one_that_earns(trades, ratio, earns):
    """Beside it, one with many trades that loses."""
    table = pl.DataFrame({"cost_mult": 1.0, "trades": [trades, 99], "sharpe": [ratio, -1.0], "sessions": 50})
    why = _nothing(table, 1.0, ChooseBy(plateau=True, min_trades=20))
    assert ("neighbours" in why) == earns
