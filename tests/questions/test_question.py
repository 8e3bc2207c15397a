"""A question is its canonical bytes; their md5 is its key."""

import hashlib
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import DataContractError
from stages.questions.question import Question

QUESTION = Question(
    symbol="AAPL",
    snapshot_utc=datetime(2024, 9, 3, 14, 30, tzinfo=UTC),
    model="timegpt-2.1",
    model_epoch="2026-11",
    deployment="https://api.nixtla.io",
    options={"finetune_steps": 0, "clean_ex_first": True},
    target="cumret_bp",
    freq="min",
    horizon_min=20,
    levels=(5, 25, 50, 75, 95),
    start_utc=datetime(2024, 7, 9, 13, 30, tzinfo=UTC),
    end_utc=datetime(2024, 9, 3, 14, 29, tzinfo=UTC),
    rows=15660,
    y_sha256="ab" * 32,
)
CANONICAL = (
    b'{"deployment":"https://api.nixtla.io","end_utc":"2024-09-03T14:29:00Z","features_sha256":null,"freq":"min",'
    b'"futr_exog":[],"hist_exog":[],"horizon_min":20,"levels":[5,25,50,75,95],"model":"timegpt-2.1",'
    b'"model_epoch":"2026-11","options":{"clean_ex_first":true,"finetune_steps":0},"rows":15660,"schema_version":1,'
    b'"snapshot_utc":"2024-09-03T14:30:00Z","start_utc":"2024-07-09T13:30:00Z","symbol":"AAPL","target":"cumret_bp",'
    b'"y_sha256":"' + b"ab" * 32 + b'"}\n'
)
OTHER = {
    "symbol": "MSFT",
    "snapshot_utc": datetime(2024, 9, 3, 14, 31, tzinfo=UTC),
    "model": "timegpt-2",
    "model_epoch": "2026-12",
    "deployment": "https://elsewhere.example",
    "options": {"finetune_steps": 1, "clean_ex_first": True},
    "target": "log_close",
    "freq": "1min",
    "horizon_min": 15,
    "levels": (10, 25, 50, 75, 90),
    "start_utc": datetime(2024, 7, 10, 13, 30, tzinfo=UTC),
    "end_utc": datetime(2024, 9, 3, 14, 28, tzinfo=UTC),
    "rows": 15659,
    "y_sha256": "cd" * 32,
    "hist_exog": ("rv_5m",),
    "futr_exog": ("minute",),
    "features_sha256": "ef" * 32,
    "schema_version": 2,
    "clock": "none",
}


def test_the_canonical_bytes_are_sorted_bare_json_with_one_line_feed():
    assert QUESTION.canonical() == CANONICAL


def test_words_of_any_alphabet_are_written_in_ascii():
    named = replace(QUESTION, options={"model": "naïve"}).canonical()
    assert b'"options":{"model":"na\\u00efve"}' in named
    assert Question.parse(named).options == {"model": "naïve"}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_an_option_that_is_no_number_is_not_json(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(QUESTION, options={"finetune_loss": number}).canonical()


def test_the_key_is_the_md5_of_the_bytes():
    assert QUESTION.key == hashlib.md5(CANONICAL, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", [field.name for field in fields(Question)])
def test_every_field_moves_the_key(name):
    assert replace(QUESTION, **{name: OTHER[name]}).key != QUESTION.key


def test_the_clock_is_named_only_where_it_differs_from_that_of_all_earlier_questions():
    assert b"clock" not in QUESTION.canonical()
    without = replace(QUESTION, clock="none")
    assert b'{"clock":"none",' in without.canonical()
    assert Question.parse(without.canonical()) == without
    named = QUESTION.canonical().replace(b"{", b'{"clock":"artificial",', 1)
    with pytest.raises(DataContractError, match="not in canonical form"):
        Question.parse(named)


def test_neither_the_zone_in_which_an_instant_is_reported_nor_the_order_of_options_moves_it():
    told = QUESTION.snapshot_utc.astimezone(timezone(timedelta(hours=-4)))
    same = replace(QUESTION, snapshot_utc=told, options=dict(reversed(QUESTION.options.items())))
    assert same.canonical() == CANONICAL


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(DataContractError, match="has no zone"):
        replace(QUESTION, end_utc=datetime(2024, 9, 3, 14, 29)).canonical()  # noqa: DTZ001


@given(
    st.builds(
        Question,
        symbol=st.text(min_size=1),
        snapshot_utc=st.datetimes(timezones=st.just(UTC)),
        model=st.text(),
        model_epoch=st.text(),
        deployment=st.text(),
        options=st.dictionaries(
            st.text(), st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
        ),
        target=st.text(),
        freq=st.text(),
        horizon_min=st.integers(),
        levels=st.lists(st.integers()).map(tuple),
        start_utc=st.datetimes(timezones=st.just(UTC)),
        end_utc=st.datetimes(timezones=st.just(UTC)),
        rows=st.integers(),
        y_sha256=st.text(),
        hist_exog=st.lists(st.text()).map(tuple),
        futr_exog=st.lists(st.text()).map(tuple),
        features_sha256=st.none() | st.text(),
    )
)
def test_bytes_and_question_are_one(question):
    assert Question.parse(question.canonical()) == question


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'"text"',
        b"\xff",
        CANONICAL[:-1],
        CANONICAL.replace(b",", b", "),
        CANONICAL.replace(b"2024-09-03T14:30:00Z", b"2024-09-03T10:30:00-04:00"),
        CANONICAL.replace(b"2024-09-03T14:30:00Z", b"2024-09-03T14:30:00"),
        CANONICAL.replace(b'"rows":15660', b'"rows":15660,"note":"mine"'),
        CANONICAL.replace(b'"levels":[5,25,50,75,95]', b'"levels":null'),
    ],
)
def test_anything_but_canonical_bytes_is_refused(content):
    with pytest.raises(DataContractError):
        Question.parse(content)
