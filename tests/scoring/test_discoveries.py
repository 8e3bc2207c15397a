"""Of many symbols some look skilled by luck: a p counts only after all that were tested with it."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from stages.params.gates import Fdr, StatedKind
from stages.scoring.discoveries import Discovery, Stated, discoveries
from stages.scoring.gates import forecast_gates
from tests.scoring.simulated import GATES, stated
from tests.scoring.test_gates import HOLD, entry


def measured(symbol: str, p: float | None, horizon_min: int = 10, method: str = "cqr") -> dict[str, object]:
    kind = {"symbol": symbol, "history_days": 40, "horizon_min": horizon_min, "method": method}
    return entry() | kind | {"dm": {"calibrated": {"p_better": p}}}


def adjusted(entries: list[dict[str, object]], rule: Stated) -> dict[str, float]:
    """Adjusted p by symbol and horizon."""
    return {f"{cell[0]}{cell[2]}": found.adjusted for cell, found in discoveries(entries, rule).items()}


def test_four_symbols_by_hand():
    # Sorted: 0.01 * 4/1 = 0.04; 0.03 * 4/2 = 0.06, but 0.04 * 4/3 = 0.0533 behind it is less; 0.2 * 4/4 = 0.2.
    four = [measured("A", 0.01), measured("B", 0.04), measured("C", 0.03), measured("D", 0.2)]
    found = adjusted(four, stated("A", "B", "C", "D", method="cqr"))

    assert found == pytest.approx({"A10": 0.04, "B10": 0.16 / 3, "C10": 0.16 / 3, "D10": 0.2})


def test_many_symbols_agree_with_scipy():
    # Source of the expected values: scipy.stats.false_discovery_control.
    p = np.random.default_rng(3).uniform(size=40) ** 2
    names = [f"S{k:02d}" for k in range(40)]
    found = adjusted([measured(name, one) for name, one in zip(names, p, strict=True)], stated(*names, method="cqr"))

    assert list(found.values()) == pytest.approx(false_discovery_control(p, method="bh"))


def test_a_symbol_without_a_p_is_not_counted_among_the_tests():
    found = discoveries([measured("A", 0.04), measured("B", None)], stated("A", "B", method="cqr"))

    assert found == {("A", 40, 10, "cqr"): Discovery(0.04, 0.04, 1)}


def test_the_whitelist_is_traded_together_and_another_symbol_is_judged_among_all():
    three = [measured("A", 0.03), measured("B", 0.5), measured("C", 0.03)]
    found = adjusted(three, stated("A", method="cqr"))

    assert found == pytest.approx({"A10": 0.03, "B10": 0.5, "C10": 0.045})  # 0.03 * 3/2


def test_each_symbol_is_judged_at_the_horizon_that_the_rule_trades_it_at():
    own = Stated(40, "cqr", {"A": 5, "B": 10})
    four = [measured("A", 0.02, 5), measured("A", 0.9, 10), measured("B", 0.02, 10), measured("B", 0.9, 5)]
    found = adjusted(four, own)

    assert (found["A5"], found["B10"]) == pytest.approx((0.02, 0.02))  # together, 0.02 * 2/2
    assert (found["A10"], found["B5"]) == pytest.approx((0.9, 0.9))


def test_a_swept_variant_is_judged_as_it_will_be_once_it_is_adopted():
    cells = [measured(s, p, h) for s, p, h in (("A", 0.03, 5), ("B", 0.2, 5), ("A", 0.01, 10), ("B", 0.3, 10))]
    before = adjusted(cells, stated("A", "B", horizon_min=10, method="cqr"))

    assert before == adjusted(cells, stated("A", "B", horizon_min=5, method="cqr"))


def test_params_state_who_is_judged_together():
    kind = StatedKind(horizon_min=10, horizon_min_by_symbol={"B": 20, "X": 5}, history_days=40)
    assert Stated.of(kind, ("A", "B"), "cqr") == Stated(40, "cqr", {"A": 10, "B": 20})


def gate(p: float | None, others: int = 0, q: float = 0.1) -> dict[str, object]:
    """The gate of symbol A, beside others without skill."""
    cells = [measured("A", p), *(measured(f"N{k}", 0.9) for k in range(others))]
    params = GATES.model_copy(update={"fdr": Fdr(method="bh", q=q)})
    rule = stated("A", *(f"N{k}" for k in range(others)), method="cqr")
    return forecast_gates({"cells": cells}, HOLD, params, rule)["cells"][0]


@pytest.mark.parametrize(
    ("p", "others", "verdict", "value"),
    [
        (0.05, 0, "PASS", 0.05),
        (0.05, 1, "PASS", 0.1),  # q itself still passes
        (0.05, 2, "INCONCLUSIVE", 0.15),  # better than persistence, but not surely so among three
        (0.5, 0, "FAIL", 0.5),
    ],
)
def test_what_passes_alone_may_not_pass_among_many(p, others, verdict, value):
    cell = gate(p, others)

    assert (cell["gates"]["fdr"]["verdict"], cell["gates"]["fdr"]["value"]) == (verdict, pytest.approx(value))
    assert cell["eligible"] == (verdict == "PASS")


def test_the_words_say_what_was_tested_together_and_what_is_promised():
    assert gate(0.0004, 2)["gates"]["fdr"]["words"] == (
        "p < 0.001 alone, p = 0.001 adjusted for the 3 cells that are judged together; of those that pass, luck makes "
        "at most 10 % on average"
    )


def test_without_the_param_each_symbol_is_judged_alone():
    cells = {"cells": [measured("A", 0.9)]}
    alone = forecast_gates(cells, HOLD, GATES.model_copy(update={"fdr": None}), stated("A"))["cells"][0]

    assert set(alone["gates"]) == {"rmae", "rrmse", "coverage"}
    assert alone["eligible"]
