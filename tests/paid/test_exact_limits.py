"""What a reply, a note, a request and a clock may just be, and what they may just not be."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from math import nextafter
from typing import Any

import numpy as np
import pytest

from stages.forecasting.backend import Asked
from stages.io.object_store import LocalStore
from stages.paid import batches, deadline, timegpt
from stages.paid.answer_store import AnswerStore
from stages.paid.batch_invariance import TOLERANCE, difference_of, record_invariance
from stages.paid.batches import packed, per_snapshot
from stages.paid.limits import Cap, amount
from stages.paid.model_facts import parse_facts
from stages.paid.responses import UnreadableAnswer, bounds_of, clock_complaint, counted_tokens, pause_sec, whole_number
from stages.paid.units import Units, at_least_counted, parse_units, units_of
from stages.params.api import Tariff
from tests.support.contexts import ROWS, ContextFactory, asked, questions

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTHING = Units().document()


@pytest.mark.parametrize(
    ("value", "taken"), [(0, False), (1, True), (10**6, True), (10**6 + 1, False), (True, False), (2.0, False)]
)
def test_a_fact_of_a_model_is_a_whole_number_from_one_to_a_million(value: Any, taken: bool):
    if taken:
        assert whole_number("input_size", value) == value
    else:
        with pytest.raises(UnreadableAnswer, match="not a whole number from 1 to 1,000,000"):
            whole_number("input_size", value)


@pytest.mark.parametrize(("size", "sound"), [("0", False), ("1", True), ("-1", False), ("1.0", False)])
def test_a_stored_fact_is_positive(size: str, sound: bool):
    content = f'{{"horizon": 1, "input_size": {size}}}'.encode()
    if sound:
        assert parse_facts(content).input_size == 1
    else:
        with pytest.raises(ValueError, match="not positive numbers"):
            parse_facts(content)


@pytest.mark.parametrize(
    ("told", "count"), [(0, 0), (1, 1), (-1, None), (2.0, None), (True, None), ("3", None), (None, None)]
)
def test_a_count_of_tokens_is_a_whole_number_that_is_not_negative(told: Any, count: int | None):
    assert counted_tokens({"data": {"input_tokens": told}})["input_tokens"] == count
    assert counted_tokens({"input_tokens": told})["input_tokens"] == count
    assert set(counted_tokens(None).values()) == {None}


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7.0), ("0", 0.0), ("0.5", 0.5), ("-3", 0.0), ("nan", None), ("inf", None), ("", None), ("soon", None),
        (format_datetime(NOON + timedelta(seconds=9), usegmt=True), 9.0),
        (format_datetime(NOON - timedelta(seconds=9), usegmt=True), 0.0),
    ],
)  # fmt: skip
def test_a_pause_is_never_negative(header: str, pause: float | None):
    assert pause_sec({"retry-after": header}, NOON) == pause
    theirs = format_datetime(NOON - timedelta(seconds=5), usegmt=True)
    with_date = pause_sec({"retry-after": format_datetime(NOON, usegmt=True), "date": theirs}, NOON + timedelta(days=1))
    assert with_date == 5.0  # by the service's own clock


@pytest.mark.parametrize(("apart", "complains"), [(3600, False), (3601, True), (-3600, False), (-3601, True)])
def test_a_clock_may_be_an_hour_from_the_services(apart: int, complains: bool):
    theirs = format_datetime(NOON + timedelta(seconds=apart), usegmt=True)
    assert (clock_complaint({"date": theirs}, NOON) is not None) == complains
    assert clock_complaint({}, NOON) is None


@pytest.mark.parametrize(
    ("change", "sound"),
    [
        ({}, True), ({"requests": 1}, True), ({"requests": -1}, False), ({"input_tokens": 1.0}, False),
        ({"finetune_tokens": -1}, False), ({"money": "0.01"}, True), ({"money": "-0.01"}, False),
    ],
)  # fmt: skip
def test_units_on_a_seat_are_whole_and_not_negative(change: dict[str, Any], sound: bool):
    if sound:
        assert parse_units(NOTHING | change).document() == NOTHING | change
    else:
        with pytest.raises(ValueError, match="are not units"):
            parse_units(NOTHING | change)


def test_a_request_counts_what_was_held_or_what_was_reported_where_that_is_more_token_by_token():
    held = Units(1, 100, 40, 0, money=Decimal("0.50"))
    told = {"input_tokens": 90, "output_tokens": 60, "finetune_tokens": None}
    assert at_least_counted(held, told, 2, None) == Units(1, 100, 60, 0, money=Decimal("0.50"))
    old = {"rows": 10, "input_tokens": 8, "series": 2, "horizon_min": 3, "levels": [5, 50, 95]}
    assert units_of(old, None).input_tokens == 10
    assert units_of(old | {"input_tokens": 12}, None).input_tokens == 12
    tariff = Tariff.model_validate({"currency": "USD", "per_request": "0.75", "flat_per_month": 0})
    assert units_of({"units": held.document()}, tariff).money == Decimal("0.75")
    assert units_of({"units": held.document()}, None).money == Decimal("0.50")


@pytest.mark.parametrize(
    ("money", "told"),
    [("3", "3.00"), ("3.1", "3.10"), ("3.14", "3.14"), ("3.145", "3.145"), ("0", "0.00"), ("300", "300.00")],
)
def test_money_has_two_decimals_at_least(money: str, told: str):
    assert amount(Decimal(money)) == told


def test_nothing_is_left_of_a_limit_that_was_lowered_below_what_was_used():
    cap = Cap("api.per_day", "day", "requests", 5)
    assert [cap.left(Units(used)) for used in (0, 4, 5, 7)] == [5, 1, 0, 0]
    assert Cap("api.money_per_day", "day", "money", Decimal(1)).left(Units(money=Decimal(2))) == 0


def test_requests_are_packed_up_to_as_many_snapshots_and_bytes_as_may_travel(monkeypatch: pytest.MonkeyPatch):
    three = per_snapshot(questions(["AAA"], range(3)))
    monkeypatch.setattr(batches, "PACKED_SNAPSHOTS", 2)
    assert [len(batch.asked) for batch in packed(three)] == [2, 1]
    monkeypatch.setattr(batches, "PACKED_SNAPSHOTS", 3)
    assert [len(batch.asked) for batch in packed(three)] == [3]
    for most, sizes in ((3 * ROWS * 12, [3]), (3 * ROWS * 12 - 1, [2, 1]), (2 * ROWS * 12 - 1, [1, 1, 1])):
        monkeypatch.setattr(batches, "PACKED_BYTES", most)
        assert [len(batch.asked) for batch in packed(three)] == sizes
        assert [one for batch in packed(three) for one in batch.snapshots] == [one.snapshots[0] for one in three]


def test_a_question_with_columns_is_so_many_times_as_large():
    (plain,) = per_snapshot([asked()])
    question = replace(asked().question, hist_exog=("a", "b"), futr_exog=("c",), features_sha256="x")
    assert replace(plain, asked=(replace(plain.asked[0], question=question),)).size == ROWS * (12 + 3 * 17) + 20 * 17


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6, 1e-9])
def test_no_request_is_larger_than_was_reckoned(
    scale: float, contexts: ContextFactory, monkeypatch: pytest.MonkeyPatch
):
    """As the SDK writes it, with columns as small as features; the words beside the numbers take under 500."""
    window, sent = asked().window(), list[bytes]()
    wide = replace(window, hist_exog=np.random.default_rng(1).normal(0, scale, (window.rows, 2)))
    one = Asked(replace(asked().question, hist_exog=("a", "b")), lambda: wide)
    plain = timegpt._plain
    monkeypatch.setattr(timegpt, "_plain", lambda request: sent.append(plain(request)) or sent[-1])
    contexts.backend().answer([one])
    assert len(json.loads(sent[0])["series"]["X"]) == 2
    assert len(sent[0]) - 500 <= per_snapshot([one])[0].size


def test_histories_of_one_symbol_go_one_after_the_other_the_shortest_first():
    longer, longest = asked(rows=1200), asked(rows=1300)
    layers = per_snapshot([longest, asked("BBB"), asked(), longer])
    assert [[(one.symbol, one.rows) for one in layer.questions] for layer in layers] == [
        [("AAA", 1100), ("BBB", 1100)], [("AAA", 1200)], [("AAA", 1300)],
    ]  # fmt: skip
    assert [len(half.asked) for half in layers[0].halves()] == [1, 1]


@pytest.mark.parametrize(("difference", "equal"), [(TOLERANCE, True), (nextafter(TOLERANCE, 1.0), False)])
def test_answers_may_differ_by_exactly_the_tolerance(difference: float, equal: bool, contexts: ContextFactory):
    store = AnswerStore(LocalStore(contexts.root), None)
    assert record_invariance(store, asked().question, difference, "k") == equal


def test_a_difference_is_the_largest_one_as_a_share_of_the_range():
    alone = np.array([[0.0, 10.0], [4.0, 2.0]])
    assert difference_of(alone, alone + np.array([[0.0, 0.5], [-2.0, 0.0]])) == 0.2
    assert difference_of(np.zeros((1, 2)), np.full((1, 2), 3e-9)) == pytest.approx(3.0)  # a flat answer has no range


def test_bounds_name_the_levels_that_they_carry():
    assert bounds_of((5, 25, 50, 75, 95)) == ["lo-90", "lo-50", "hi-50", "hi-90"]


def test_the_time_of_a_request_is_up_at_its_last_instant(monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr(deadline, "monotonic", lambda: now)
    ours = deadline.Deadline(5)
    ours.start()
    now = 104.5
    assert (ours.left(None, TimeoutError), ours.left(0.2, TimeoutError)) == (0.5, 0.2)
    now = 105.0
    with pytest.raises(TimeoutError):
        ours.left(None, TimeoutError)


def test_what_is_left_is_told_apart_by_the_daily_limit_and_the_others(contexts: ContextFactory):
    ledger = contexts.context(per_day=3, per_month=7).ledger
    assert (ledger.left_today(), ledger.others_left()) == (3, ["7 requests of 7 requests (api.per_month)"])
