"""What one symbol adds to a study: its days against each free forecast, and what each side earns with it."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from stages.tables.forecasts import MIX, QUANTILES
from stages.worth.by_symbol import CompareSymbol, SymbolEvidence
from stages.worth.day_values import compare, symbol_days
from stages.worth.money import rules_of_sides
from stages.worth.series import Comparison, LeftOut, cells_of
from tests.scoring.simulated import FIRST_DAY, as_answered, with_truth
from tests.trading.made_markets import FULL, METHOD, bars, calendar, strategy
from tests.worth.studies import study_with

RISE, FALL, NOTHING = [-6.0, 5.0, 20.0, 36.0, 50.0], [-50.0, -36.0, -20.0, -5.0, 6.0], [-8.0, -3.0, 0.0, 3.0, 8.0]
SHAPES = [Comparison(name, "shape_calibrated", 10) for name in (MIX, "har")]
DAYS = [FIRST_DAY, FIRST_DAY + timedelta(days=1)]
RISING = np.where(np.arange(FULL) < 100, 100.0, 100.05)[:, None].repeat(4, axis=1)


def said(model: str, quantiles: list[float], history_days: int = 40, calibrated: int = 1) -> pl.DataFrame:
    """The same forecast at 10:30 in New York on two days, of moves that came to 5 bp; so many are calibrated."""
    frame = as_answered(with_truth(2, symbols=("A",), clocks=("15:30",), models=("asked",)))
    levels = [pl.lit(q).alias(name) for name, q in zip(QUANTILES, quantiles, strict=True)]
    return frame.with_columns(
        *levels, y_bp=pl.lit(5.0), model=pl.lit(model), history_days=pl.lit(history_days, pl.Int32),
        method=pl.lit(METHOD), calibrated=pl.int_range(2) < calibrated,
    )  # fmt: skip


ASKED, MIXED, HAR = said("asked", RISE), said(f"free:{MIX}", FALL), said("free:har", NOTHING, calibrated=0)


def evidence(symbol: str = "A", whitelist: tuple[str, ...] = ("A",)) -> SymbolEvidence:
    """What it adds; forecasts of another model and of another history lie beside the asked ones."""
    sides = {"asked": ("asked", 40), MIX: (f"free:{MIX}", 40)}
    work = CompareSymbol(
        ("asked", 40), SHAPES, rules_of_sides(strategy(*whitelist), sides), calendar(dict.fromkeys(DAYS, FULL))
    )
    asked = pl.concat([said("other", FALL), ASKED, said("asked", FALL, history_days=20)])
    return work(symbol, asked, pl.concat([MIXED, HAR]), pl.concat(bars(day, RISING) for day in DAYS))


def test_each_free_forecast_is_compared_with_the_asked_model_and_history():
    found = evidence()
    for one, free in zip(SHAPES, (MIXED, HAR), strict=True):
        assert found.days[one].equals(symbol_days(compare(ASKED, free).questions, "shape_calibrated", 10))
    assert not found.days[SHAPES[0]].equals(found.days[SHAPES[1]])
    assert found.left_out == LeftOut(void=0, uncalibrated=1, no_scale=0)
    assert (found.calibrated.to_list(), found.makers) == ([FIRST_DAY], ["local:simulated"])


def test_each_side_earns_with_its_own_forecasts():
    """A rise of 5 bp, held until 15:55; half a bp of fees on 100 and on 100.05, and a cent on each side."""
    cost = 0.5 * 2.0005 + 2
    net_bp = {side: days["net_bp"].to_list() for side, days in evidence().net_bp.items()}
    assert net_bp == {
        "asked": [pytest.approx(5 - cost), 0.0],
        MIX: [pytest.approx(-5 - cost), 0.0],
    }
    assert evidence().swing.bp > 0.0


@pytest.mark.parametrize(("symbol", "whitelist"), [("B", ("A",)), ("A", ())])
def test_a_symbol_that_is_not_on_the_whitelist_is_compared_and_earns_nothing(symbol, whitelist):
    found = evidence(symbol, whitelist)
    assert (len(found.days), found.net_bp, found.swing) == (2, {}, None)


def test_a_study_asks_for_its_cells_and_trades_the_asked_forecasts_and_the_mix():
    study, days = study_with(), calendar({FIRST_DAY: FULL})
    models = pl.DataFrame({"model": [f"free:{MIX}", "free:har", "free:ewma_fhs"], "history_days": [40, 20, 40]})
    work = CompareSymbol.of(study, strategy("A"), models, days)

    assert work.asked == (study.forecaster.model, study.rules.history_days)
    assert set(work.compared) == {cell.compared for cell in cells_of(study, [MIX, "har", "ewma_fhs"])}
    rules = {side: (rule.model, rule.rules.history_days) for side, rule in work.rules.items()}
    assert rules == {"asked": work.asked, MIX: (f"free:{MIX}", 40)}
    assert work.calendar is days
