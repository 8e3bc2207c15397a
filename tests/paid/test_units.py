"""Budgets in tokens and money: the plan is the bill, and no limit is passed.

The bill is made from what the stand-in service received and sent, never from what the product counted.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.errors import BudgetStop, ConfigurationError, DataContractError
from stages.forecasting.backend import Asked
from stages.io.object_store import LocalStore
from stages.paid.answer_store import AnswerStore
from stages.paid.budget_report import calls_of
from stages.paid.limits import Cap, periods_needed
from stages.paid.moving import move_store
from stages.paid.pricing import price
from stages.paid.reservations import DAYS, MONTHS
from stages.paid.units import TOKENS, Units, least, most, parse_units, units_of
from stages.params.api import ApiParams, Tariff
from tests.paid.test_pricing import schedule
from tests.support.contexts import API, ROWS, ContextFactory, asked, questions
from tests.support.fixtures import FakeClock
from tests.support.timegpt_server import TimeGPTServer, answer, tokens

METERED = {"currency": "USD", "per_million_input": 5, "per_million_output": "20.5", "tokens_per_value": 1}
TARIFFS: dict[str, dict[str, Any]] = {
    "metered": METERED,
    "by the request": {"currency": "USD", "per_request": 0.013},
    "by the series": {"currency": "EUR", "per_series": "0.0021", "per_request": "0.01"},
    "in bundles": {**METERED, "tokens_per_value": "0.25", "per_request": "0.001"},
    "finetuned": {**METERED, "per_million_finetune": 40, "flat_per_month": 99},
}
TOKENS_EACH = ROWS + 20 * 7  # what a question of one column sends, and the mean and three intervals' bounds it returns


def billed(server: TimeGPTServer, tariff: dict[str, Any]) -> Decimal:
    """The stand-in's bill: each request's tokens are rounded up, as the tariff says."""
    price_of = {name: Decimal(str(value)) for name, value in tariff.items() if name != "currency"}
    total = Decimal(0)
    for body in server.bodies:
        total += price_of.get("per_request", 0) + len(body["series"]["sizes"]) * price_of.get("per_series", 0)
        for name, count in tokens(body, answer(body)).items():
            whole = int(np.ceil(float(count * price_of.get("tokens_per_value", 1))))
            total += whole * price_of.get(f"per_million_{name.removesuffix('_tokens')}", 0) / Decimal(1_000_000)
    return total


def with_columns(one: Asked, **options: Any) -> Asked:
    """The question with one past and two known columns."""
    window = one.window()
    wide = replace(window, hist_exog=np.ones((window.rows, 3)), futr_exog=np.ones((20, 2)))
    question = replace(one.question, hist_exog=("rv",), futr_exog=("open", "close"), options=options)
    return Asked(question, lambda: wide)


@pytest.mark.parametrize("tariff", TARIFFS.values(), ids=TARIFFS)
@pytest.mark.parametrize("wide", [False, True], ids=["one column", "three more columns"])
def test_the_plan_is_the_bill_and_the_ledger_says_the_same(
    contexts: ContextFactory, server: TimeGPTServer, tariff: dict[str, Any], wide: bool
):
    steps = 3 if "per_million_finetune" in tariff else 0
    wanted = [asked(s, n, options={"finetune_steps": steps}) for s in ("AAA", "BBB", "CCC") for n in range(2)]
    wanted = [with_columns(one, finetune_steps=steps) for one in wanted] if wide else wanted
    contexts.api = {"tariff": tariff, "money_per_day": 1000, "money_per_month": 1000}
    stated = Tariff(**tariff)
    plan = price([one.question for one in wanted], schedule(wanted), contexts.context().store, stated)
    server.tell = dict.fromkeys(TOKENS) if "tokens_per_value" in tariff and stated.tokens_per_value != 1 else {}
    contexts.backend().answer(wanted)
    bill = billed(server, tariff)
    planned = sum((most(batch.questions, stated).money for batch in plan.batches), Decimal(0))
    assert (planned, plan.cost(most).requests) == (bill, len(server.bodies))
    used = {cap.name: units.money for cap, units in contexts.context().ledger.used()}
    assert used["api.money_per_day"] == bill
    assert used["api.money_per_month"] == bill + stated.flat_per_month


@pytest.mark.parametrize("each", ["0.5", "1", "2.5", "4"])
@pytest.mark.parametrize("told", [(1, 1), (4, 4), (1, 2), (4, None)])
def test_requests_from_before_the_tariff_count_by_it(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any, each: str, told: tuple[int, int | None]
):
    """Never less than was reckoned or told, of what is sent and of what is returned: the service tells either."""
    told_in, told_out = told
    server.tell = {"input_tokens": 2 * ROWS * told_in, "output_tokens": told_out and 2 * 140 * told_out}
    contexts.backend(clock).answer(questions(["AAA", "BBB"], range(1)))
    sent, returned = 2 * ROWS * max(Decimal(each), told_in), 2 * 140 * max(Decimal(each), told_out or 1)
    money = (sent * 5 + returned * Decimal("20.5")) / 1_000_000
    stated = {"tokens_per_day": 10**9, "money_per_month": 9, "tariff": {**METERED, "tokens_per_value": each}}
    context = contexts.context(clock, **stated)
    used = {cap.name: units for cap, units in context.ledger.used()}
    assert (used["api.tokens_per_day"].tokens, used["api.money_per_month"].money) == (sent + returned, money)
    shown = sum((units_of(call, context.api.tariff) for call in calls_of(context.ledger.objects)), Units())
    assert (shown.tokens, shown.money) == (sent + returned, money)


def test_where_the_tariff_leaves_the_tokens_open_the_price_is_a_range_around_both_ways_to_count(server: TimeGPTServer):
    tariff = Tariff(**{**METERED, "tokens_per_value": None})
    wanted = [with_columns(one).question for one in questions(["AAA", "BBB"], range(1))]
    low, high = least(wanted, tariff), most(wanted, tariff)
    assert (low.input_tokens, low.output_tokens) == (2 * ROWS, 2 * 20)
    assert (high.input_tokens, high.output_tokens) == (2 * (ROWS * 4 + 20 * 2), 2 * 20 * 7)
    assert low.money < high.money


LIMITS = [
    ("tokens_per_day", 3 * TOKENS_EACH, "tokens"),
    ("tokens_per_month", 3 * TOKENS_EACH, "tokens"),
    ("money_per_day", "0.031", "USD"),
    ("money_per_month", "99.031", "USD"),
    ("per_month", 3, "requests"),
]


@pytest.mark.parametrize("limit", LIMITS, ids=[name for name, _, _ in LIMITS])
def test_a_limit_ends_the_run_before_the_request_that_would_pass_it(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any, limit: tuple[str, Any, str]
):
    name, most_of_it, unit = limit
    contexts.api = {name: most_of_it, "tariff": {"currency": "USD", "per_request": "0.01", "flat_per_month": 99}}
    for _ in range(2):
        with pytest.raises(BudgetStop, match=rf"has seen .* of .* {unit} \(api.{name}\)"):
            contexts.backend(clock).answer(questions(["AAA"], range(5)))
    assert server.sent == 3
    clock.wait(86_400 * (31 if "month" in name else 1))
    contexts.backend(clock).answer(questions(["AAA"], range(5)))
    assert server.sent == 5


def test_what_a_limit_allows_exactly_is_sent(contexts: ContextFactory, server: TimeGPTServer, clock: Any):
    contexts.backend(clock, tokens_per_day=2 * TOKENS_EACH).answer(questions(["AAA"], range(2)))
    with pytest.raises(BudgetStop, match=r"seen 2,480 of 2,480 tokens .*the next request may take 1,240 tokens"):
        contexts.backend(clock, tokens_per_day=2 * TOKENS_EACH).answer([asked("BBB")])
    assert server.sent == 2


def test_a_minute_sees_no_more_than_it_may_and_the_run_waits(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    arrivals: list[datetime] = []
    server.on_arrival = lambda: arrivals.append(clock.now())
    contexts.backend(clock, per_minute=3).answer(questions(["AAA"], range(10)))
    contexts.backend(clock, per_minute=3).answer(questions(["BBB"], range(1)))
    assert len(arrivals) == 11
    for first, fourth in zip(arrivals, arrivals[3:], strict=False):
        assert fourth - first >= timedelta(seconds=60)
    assert sum(clock.waited) < 4 * 60


def test_a_minute_is_one_also_over_midnight(contexts: ContextFactory, server: TimeGPTServer):
    clock = FakeClock(datetime(2026, 11, 22, 23, 59, 30, tzinfo=UTC))
    contexts.backend(clock, per_minute=2).answer(questions(["AAA"], range(2)))
    clock.wait(40)
    before = sum(clock.waited)
    contexts.backend(clock, per_minute=2).answer(questions(["BBB"], range(1)))
    assert sum(clock.waited) - before >= 20


def test_requests_of_days_before_the_month_was_limited_count_in_it(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    contexts.backend(clock).answer(questions(["AAA"], range(2)))
    clock.wait(86_400)
    with pytest.raises(BudgetStop, match=r"2026-11 has seen 3 of 3 requests \(api.per_month\)"):
        contexts.backend(clock, per_month=3).answer(questions(["BBB"], range(2)))
    contexts.backend(clock).answer(questions(["CCC"], range(1)))
    assert [units.requests for cap, units in contexts.context(clock, per_month=9).ledger.used()] == [2, 4]


def test_a_reservation_of_the_month_is_given_back_when_the_day_has_none(contexts: ContextFactory, clock: Any):
    for _ in range(3):
        with pytest.raises(BudgetStop, match=r"api\.per_day"):
            contexts.backend(clock, per_day=0, per_month=5).answer([asked()])
    assert contexts.context(clock, per_month=5).ledger.used()[1][1].requests == 0


def test_what_the_service_counts_beyond_what_was_held_counts_and_is_said(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any, capsys: pytest.CaptureFixture[str]
):
    for told, counted, warned in ((5, ROWS, 0), (9_000, ROWS + 9_000, 1)):
        server.tell = {"input_tokens": told}
        contexts.backend(clock).answer([asked("AAA", told)])
        assert contexts.context(clock, tokens_per_day=10**9).ledger.used()[1][1].input_tokens == counted
        assert capsys.readouterr().err.count("The service counted 9,140 tokens where 1,240 were estimated") == warned


@pytest.mark.parametrize("behaviour", ["crossed", "wrong_length"])
def test_tokens_of_an_unsound_answer_count_too(
    behaviour: str, contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    server.tell = {"input_tokens": 9_000}
    server.next(behaviour)
    with pytest.raises(DataContractError):
        contexts.backend(clock).answer([asked()])
    assert contexts.context(clock, tokens_per_day=10**9).ledger.used()[1][1].input_tokens == 9_000


def test_a_reservation_that_an_earlier_version_wrote_counts_what_it_says_was_sent(contexts: ContextFactory, clock: Any):
    note = {"rows": 2200, "series": 2, "horizon_min": 20, "levels": [5, 25, 50, 75, 95], "reserved_utc": "2026-11-22"}
    LocalStore(contexts.root).create(f"{DAYS}/2026-11-22/0000-0.json", json.dumps(note).encode())
    day = contexts.context(clock, tokens_per_day=10**9, tariff=METERED).ledger.used()[1][1]
    assert (day.tokens, day.money) == (2200 + 2 * 20 * 7, Decimal("0.01674"))


def test_requests_of_a_day_before_the_prices_were_stated_count_at_these_prices(contexts: ContextFactory, clock: Any):
    contexts.backend(clock).answer(questions(["AAA", "BBB"], range(2)))
    priced = {"tariff": {"currency": "USD", "per_request": "0.01", "per_series": "0.002"}, "money_per_day": 1}
    money = next(units.money for cap, units in contexts.context(clock, **priced).ledger.used() if cap.unit == "money")
    assert money == Decimal("0.028")


def test_days_that_ended_are_read_once_and_count_on(contexts: ContextFactory, server: TimeGPTServer, clock: Any):
    for symbol in ("AAA", "BBB", "CCC"):
        contexts.backend(clock).answer(questions([symbol], range(1)))
        clock.wait(86_400)
    backend = contexts.backend(clock, per_month=5)
    with pytest.raises(BudgetStop, match=r"2026-11 has seen 5 of 5 requests"):
        backend.answer(questions(["DDD"], range(3)))
    assert server.sent == 5
    assert sorted(backend.context.ledger._ended) == ["2026-11-22", "2026-11-23"], "yesterday may still be written to"


def test_a_damaged_reservation_stops_the_limits_that_need_to_read_it_and_no_other(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    contexts.backend(clock).answer([asked()])
    (contexts.root / DAYS / "2026-11-22/0000-0.json").write_bytes(b"\x00torn")
    with pytest.raises(BudgetStop, match=r"0000-0.json of the ledger is not readable"):
        contexts.backend(clock, tokens_per_day=10**9).answer([asked("BBB")])
    contexts.backend(clock, per_day=2).answer([asked("BBB")])
    assert server.sent == 2


@pytest.mark.parametrize("content", [b"{}", b'{"kind": "x"}', b'{"reserved_utc": "2026-11-22T12:00:00"}'])
def test_a_reservation_without_an_instant_stops_the_limit_of_a_minute(
    content: bytes, contexts: ContextFactory, clock: Any
):
    contexts.backend(clock).answer([asked()])
    (contexts.root / DAYS / "2026-11-22/0000-0.json").write_bytes(content)
    with pytest.raises(BudgetStop, match=r"is not readable|does not say when it was made, which api\.per_minute needs"):
        contexts.backend(clock, per_minute=2).answer([asked("BBB")])


def test_a_stamp_of_the_last_request_that_a_kill_cut_short_is_none(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    contexts.backend(clock).answer([asked()])
    stamped = (contexts.root / "budget/last_sent").read_bytes()
    for length in range(len(stamped)):
        (contexts.root / "budget/last_sent").write_bytes(stamped[:length])
        contexts.context(clock, cooldown_sec=5.0).ledger.await_turn()
    assert clock.now().isoformat() == "2026-11-22T12:00:00+00:00"


def test_a_store_that_moves_takes_its_months_along(contexts: ContextFactory, tmp_path: Path, clock: Any):
    contexts.backend(clock, per_month=9).answer(questions(["AAA"], range(3)))
    moved = ContextFactory(tmp_path / "new", contexts.url)
    moved.backend(clock, per_month=9).answer(questions(["BBB"], range(1)))
    move_store(LocalStore(contexts.root), LocalStore(moved.root))
    assert moved.context(clock, per_month=9).ledger.used()[1][1].requests == 4
    assert len(LocalStore(moved.root).names(f"{MONTHS}/2026-11")) == 8


def test_money_without_prices_is_refused():
    with pytest.raises(ValueError, match=r"api.money_per_day and api.money_per_month need prices"):
        ApiParams(**{**API, "money_per_day": 5})


def test_units_are_written_and_read_exactly():
    one = Units(3, 10**11, 2, 5, Decimal("0.000000123"))
    assert parse_units(json.loads(json.dumps(one.document()))) == one
    with pytest.raises(ValueError, match="are not units"):
        parse_units({**one.document(), "input_tokens": -1})


def test_a_canary_asks_one_stored_question_again_and_keeps_its_answer(contexts: ContextFactory, server: TimeGPTServer):
    wanted = questions(["AAA", "BBB"], range(2))
    with pytest.raises(ConfigurationError, match="none of these questions has a stored answer"):
        contexts.backend().ask_canary(wanted)
    before = contexts.backend().answer(wanted)
    for sings in (True, False):
        server.always(None if sings else "dependent")
        found = contexts.backend().ask_canary(wanted)
        assert (found.question.key, found.is_as_before, found.difference > 1e-4) == (min(before), sings, not sings)
    assert server.sent == 4
    after = AnswerStore(LocalStore(contexts.root), None).get(sorted(before))
    assert {key: after[key].answer().values_bp.tolist() for key in before} == {
        key: one.values_bp.tolist() for key, one in before.items()
    }


def test_a_canary_compares_an_answer_bought_alone_or_names_the_shared_request_as_a_possible_reason(
    contexts: ContextFactory, server: TimeGPTServer
):
    """The stand-in never changes: its answers depend on how many travel, until it proves to be independent."""
    wanted = questions(["AAA", "BBB"], range(2))
    server.always("dependent")
    contexts.backend().answer(wanted)
    found = contexts.backend().ask_canary(wanted)
    assert (found.is_as_before, found.others) == (False, 1)
    alone = max((asked("AAA", number) for number in range(2, 9)), key=lambda one: one.question.key)
    contexts.backend().answer([alone])
    found = contexts.backend().ask_canary([*wanted, alone])
    assert (found.question, found.is_as_before, found.others) == (alone.question, True, 0)
    server.always(None)
    contexts.backend().prove_independence(questions(["CCC"], range(3)))
    assert contexts.backend().ask_canary(wanted).others == 0


def test_where_a_shared_request_changes_answers_it_stays_a_possible_reason(
    contexts: ContextFactory, server: TimeGPTServer
):
    wanted = questions(["AAA", "BBB"], range(2))
    server.always("dependent")
    contexts.backend().answer(wanted)
    assert not contexts.backend().prove_independence(questions(["CCC"], range(3)))
    assert contexts.backend().ask_canary(wanted).others == 1


@pytest.mark.parametrize(
    ("most_of_it", "used", "wanted", "periods"),
    [
        (10, 4, [6], 1),
        (10, 4, [7], 2),
        (10, 4, [6, 10, 1], 3),
        (10, 10, [], 0),
        (0, 0, [1], None),
        (10, 12, [10], 2),
        (10, 0, [6, 6, 6], 3),  # two of them never fit into one day
        (10, 0, [1, 11], None),
    ],
)
def test_the_plan_says_how_many_days_a_limit_takes(most_of_it: int, used: int, wanted: list[int], periods: int | None):
    cap = Cap("api.tokens_per_day", "day", "tokens", most_of_it)
    assert periods_needed([(cap, Units(input_tokens=used))], [Units(input_tokens=each) for each in wanted]) == periods


def test_limits_of_a_day_count_together():
    """Three of a day by tokens, three by requests; together the requests of the first day leave no day for two."""
    caps = [
        (Cap("api.per_day", "day", "requests", 2), Units()),
        (Cap("api.tokens_per_day", "day", "tokens", 7), Units()),
    ]
    requests = [Units(1, tokens) for tokens in (1, 1, 5, 5, 5)]
    assert [periods_needed([cap], requests) for cap in caps] == [3, 3]
    assert periods_needed(caps, requests) == 4


def test_what_a_month_costs_before_its_first_request_is_no_room_for_others(contexts: ContextFactory, clock: Any):
    tariff = {"currency": "USD", "per_request": 1, "flat_per_month": 99}
    ((_, _), (cap, used)) = contexts.context(clock, tariff=tariff, money_per_month=102).ledger.used()
    assert periods_needed([(cap, used)], [Units(money=Decimal(1))] * 10) == 4
    assert contexts.context(clock, tariff=tariff, money_per_month=99).ledger.used()[1][0].left(used) == 0
