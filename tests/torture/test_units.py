"""Budgets in tokens and money under torture; what was sent is billed by the stand-in's own count, and printed."""

import random
from decimal import Decimal
from typing import Any

import pytest

from stages.paid.units import most
from stages.params.api import Tariff
from tests.paid.test_interleavings import passed_limits
from tests.paid.test_units import TARIFFS, billed
from tests.support.contexts import ContextFactory, asked
from tests.support.crowd import at_length, exit_codes, start, tell
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


def test_thousands_of_interleavings():
    """150 of them are in the quick suite."""
    many = at_length(10_000)
    wrong = passed_limits(range(150, 150 + many))
    tell("interleavings", interleavings=many, overspent=len(wrong))
    assert wrong == []


@pytest.mark.parametrize("tariff", TARIFFS.values(), ids=TARIFFS)
def test_kill_nine_never_breaks_a_budget_in_money(
    contexts: ContextFactory, server: TimeGPTServer, tariff: dict[str, Any]
):
    """Killed buyers of three symbols against money for 30 requests, then one that buys on until it is stopped."""
    moments, limit = random.Random(20261128), 30 * most([asked().question], Tariff(**tariff)).money
    server.tell = dict.fromkeys(("input_tokens", "output_tokens", "finetune_tokens"))  # the tariff alone counts
    contexts.api = {"tariff": tariff, "money_per_day": limit, "money_per_month": limit + _flat(tariff)}
    for number in range(kills := at_length(40)):
        buyer = start(contexts, [f"SYM{number}"], range(2))
        buyer.join(moments.uniform(0.0, 0.15))
        buyer.kill()
        buyer.join()
    codes = exit_codes([start(contexts, ["LAST"], range(60))])
    used = {cap.name: units.money for cap, units in contexts.context().ledger.used()}
    bill = billed(server, tariff)
    tell("kill -9, money", kills=kills, limit=limit, bill=bill, ledger=used["api.money_per_day"], sent=server.sent)
    assert codes == [4]
    assert bill <= used["api.money_per_day"] <= used["api.money_per_month"] - _flat(tariff) <= limit


def _flat(tariff: dict[str, Any]) -> Decimal:
    return Decimal(str(tariff.get("flat_per_month", 0)))
