"""No order of touches and no kill passes a limit in requests, tokens or money; 10,000 more under torture."""

import random

import pytest

from stages.paid.ledger import Ledger
from tests.paid.interleavings import limits_of, overspent, sent_under


def passed_limits(seeds: range) -> list[int]:
    """The seeds whose interleaving passed a limit."""
    limits = {seed: limits_of(random.Random(seed)) for seed in seeds}
    return [seed for seed in seeds if overspent(limits[seed], sent_under(limits[seed], seed))]


def test_no_interleaving_of_two_or_three_buyers_passes_a_limit():
    assert passed_limits(range(150)) == []


def test_without_a_row_for_the_month_some_interleaving_would(monkeypatch: pytest.MonkeyPatch):
    """Where the month is only a sum over its days, two buyers on two sides of midnight overlook each other."""

    def only_looks(self: Ledger, day: str, note: object, units: object) -> None:
        caps = self.limits.of_month()
        if caps:
            self._require_room(day[:7], caps, self._in_month(day, {}, caps), units)

    monkeypatch.setattr(Ledger, "_taken_of_month", only_looks)
    assert passed_limits(range(100)) != []
