"""A reservation log: exclusive, gapless, never deleted."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import BudgetStop
from stages.io.object_store import LocalStore
from stages.paid.reservations import ReservationLog, held


def take(log: ReservationLog, limit: int, content: bytes = b"{}") -> str | None:
    """A reservation, as the ledger takes one under a limit of requests."""
    while held(taken := log.taken()) < limit:
        if name := log.take(taken, content):
            return name
    return None


@pytest.fixture
def log(tmp_path: Path) -> ReservationLog:
    return ReservationLog(LocalStore(tmp_path), "days/2026-11-22")


def test_reservations_are_taken_in_order_until_the_limit(log: ReservationLog):
    assert [take(log, 3) for _ in range(5)] == ["0000-0", "0001-0", "0002-0", None, None]


def test_a_refunded_reservation_counts_no_more_and_its_number_is_never_given_again(log: ReservationLog):
    """A number given again would lie below reservations made while it was free: the log would be no order."""
    names = [take(log, 2) for _ in range(2)]
    log.settle(names[0], "refunded", b"{}")
    assert take(log, 2) == "0002-0"
    assert take(log, 2) is None


def test_of_a_number_that_an_earlier_version_gave_again_the_latest_attempt_counts(log: ReservationLog):
    for name in ("0000-0.json", "0000-0.refunded", "0000-1.json", "0001-0.json", "0001-0.refunded"):
        log.objects.create(f"{log.folder}/{name}", b"{}")
    assert held(log.taken()) == 1
    assert take(log, 2) == "0002-0"


@pytest.mark.parametrize("state", ["answered", "refused", "unknown"])
def test_every_other_end_keeps_the_reservation_counted(log: ReservationLog, state: str):
    log.settle(take(log, 1), state, b"{}")
    assert take(log, 1) is None


def test_the_first_recorded_end_of_a_reservation_stays(log: ReservationLog):
    name = take(log, 1)
    log.settle(name, "answered", b"first")
    log.settle(name, "answered", b"second")
    assert log.objects.read(f"{log.folder}/{name}.answered") == b"first"


@pytest.mark.parametrize("folder", ["budget/days/2026-11-22", "budget/months/2026-11"])
def test_a_deleted_reservation_stops_the_row_until_its_day_or_month_is_over(folder: str, tmp_path: Path):
    log = ReservationLog(LocalStore(tmp_path), folder)
    for _ in range(3):
        take(log, 5)
    (tmp_path / folder / "0001-0.json").unlink()
    until = Path(folder).name
    with pytest.raises(BudgetStop, match=rf"0001 of {folder} is missing .* wait until {until} \(UTC\) is over\."):
        take(log, 5)


def test_a_damaged_reservation_counts(log: ReservationLog, tmp_path: Path):
    take(log, 2)
    (tmp_path / "days/2026-11-22/0000-0.json").write_bytes(b"\x00torn")
    assert take(log, 2) == "0001-0"
    assert take(log, 2) is None


def test_a_lower_limit_counts_the_reservations_above_it_and_a_refunded_one_is_not_given(log: ReservationLog):
    """Eleven under a limit of 11, one refunded: ten count, so a limit of 10 allows nothing and one of 11 does."""
    names = [take(log, 11) for _ in range(11)]
    log.settle(names[2], "refunded", b"{}")
    assert take(log, 10) is None
    assert take(log, 11) == "0011-0"


class Rushed(LocalStore):
    """A place where somebody takes the last reservation right after our first listing."""

    rival: ReservationLog | None = None

    def names(self, folder: str) -> list[str]:
        seen = super().names(folder)
        if self.rival:
            rival, self.rival = self.rival, None
            assert take(rival, 2, b"rival") == "0001-0"
        return seen


def test_losing_the_last_reservation_to_a_rival_is_not_made_up_for_beyond_the_limit(tmp_path: Path):
    objects = Rushed(tmp_path)
    take(ReservationLog(LocalStore(tmp_path), "d"), 2)
    objects.rival = ReservationLog(LocalStore(tmp_path), "d")
    assert take(ReservationLog(objects, "d"), 2, b"ours") is None
    assert LocalStore(tmp_path).names("d") == ["0000-0.json", "0001-0.json"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["take", "refund", "answer"]), st.integers(0, 6)), max_size=25))
def test_counted_requests_never_exceed_the_largest_limit(tmp_path_factory: pytest.TempPathFactory, steps):
    log, taken, largest = ReservationLog(LocalStore(tmp_path_factory.mktemp("log")), "d"), [], 0
    for action, number in steps:
        if action == "take":
            before = held(log.taken())
            name = take(log, number)
            largest = max(largest, number)
            assert (name is not None) == (before < number)
            taken += [name] if name else []
        elif taken:
            log.settle(taken.pop(number % len(taken)), "refunded" if action == "refund" else "answered", b"{}")
    assert held(log.taken()) <= largest
