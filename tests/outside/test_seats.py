"""A row of seats: exclusive, gapless, never deleted."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import BudgetStop
from stages.outside.paid.seats import Row, held
from stages.outside.places import Folder


@pytest.fixture
def row(tmp_path: Path) -> Row:
    return Row(Folder(tmp_path), "days/2026-11-22")


def test_seats_are_taken_in_order_until_the_limit(row: Row):
    assert [row.take(3, b"{}") for _ in range(5)] == ["0000-0", "0001-0", "0002-0", None, None]


def test_a_refunded_seat_is_taken_again_as_its_next_attempt(row: Row):
    names = [row.take(2, b"{}") for _ in range(2)]
    row.settle(names[0], "refunded", b"{}")
    assert row.take(2, b"{}") == "0000-1"
    assert row.take(2, b"{}") is None


@pytest.mark.parametrize("state", ["answered", "refused", "unknown"])
def test_every_other_end_keeps_the_seat_counted(row: Row, state: str):
    row.settle(row.take(1, b"{}"), state, b"{}")
    assert row.take(1, b"{}") is None


def test_the_first_word_on_a_seat_stands(row: Row):
    name = row.take(1, b"{}")
    row.settle(name, "answered", b"first")
    row.settle(name, "answered", b"second")
    assert row.place.read(f"{row.folder}/{name}.answered") == b"first"


def test_a_deleted_seat_stops_the_row(row: Row, tmp_path: Path):
    for _ in range(3):
        row.take(5, b"{}")
    (tmp_path / "days/2026-11-22/0001-0.json").unlink()
    with pytest.raises(BudgetStop, match="0001 of days/2026-11-22 is missing"):
        row.take(5, b"{}")


def test_a_damaged_seat_counts(row: Row, tmp_path: Path):
    row.take(2, b"{}")
    (tmp_path / "days/2026-11-22/0000-0.json").write_bytes(b"\x00torn")
    assert row.take(2, b"{}") == "0001-0"
    assert row.take(2, b"{}") is None


def test_a_lower_limit_counts_the_seats_above_it(row: Row):
    """Ten requests were sent under a limit of 10; one of the first is refunded; a limit of 5 still allows nothing."""
    names = [row.take(10, b"{}") for _ in range(10)]
    row.settle(names[2], "refunded", b"{}")
    assert row.take(5, b"{}") is None
    assert row.take(10, b"{}") == "0002-1"


def test_a_refunded_seat_below_a_row_that_is_full_is_not_given(row: Row):
    """Eleven under a limit of 11, one refunded: ten count, so a limit of 10 allows nothing and one of 11 does."""
    names = [row.take(11, b"{}") for _ in range(11)]
    row.settle(names[2], "refunded", b"{}")
    assert row.take(10, b"{}") is None
    assert row.take(11, b"{}") == "0002-1"


class Rushed(Folder):
    """A place where somebody takes the last seat right after our first listing."""

    rival: Row | None = None

    def names(self, folder: str) -> list[str]:
        seen = super().names(folder)
        if self.rival:
            rival, self.rival = self.rival, None
            assert rival.take(2, b"rival") == "0001-0"
        return seen


def test_losing_the_last_seat_to_a_rival_is_not_made_up_for_beyond_the_limit(tmp_path: Path):
    place = Rushed(tmp_path)
    Row(Folder(tmp_path), "d").take(2, b"{}")
    place.rival = Row(Folder(tmp_path), "d")
    assert Row(place, "d").take(2, b"ours") is None
    assert Folder(tmp_path).names("d") == ["0000-0.json", "0001-0.json"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["take", "refund", "answer"]), st.integers(0, 6)), max_size=25))
def test_counted_requests_never_exceed_the_largest_limit(tmp_path_factory: pytest.TempPathFactory, steps):
    row, taken, largest = Row(Folder(tmp_path_factory.mktemp("row")), "d"), [], 0
    for action, number in steps:
        if action == "take":
            before = held(row.taken())
            name = row.take(number, b"{}")
            largest = max(largest, number)
            assert (name is not None) == (before < number)
            taken += [name] if name else []
        elif taken:
            row.settle(taken.pop(number % len(taken)), "refunded" if action == "refund" else "answered", b"{}")
    assert held(row.taken()) <= largest
