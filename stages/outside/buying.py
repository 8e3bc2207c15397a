"""Answers that cost money: from the store when they are there, else bought, one seat a request.

The order is what keeps the promises: claim the snapshot, look again, hold a seat, send, check the answer, keep it on
disk, settle the seat. A process may die between any two of these and nothing is paid twice on this machine, nothing is
lost that was kept, and the ledger never counts less than was sent.

*Errors*: `BudgetStop` (exit 4) offline with missing answers or at a limit; `ConfigurationError` (exit 5) while params
do not say what the service says of its model; `DataContractError` (exit 2) for an answer that cannot be one.
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from stages.errors import BudgetStop, DataContractError, PipelineError
from stages.forecasting.backend import Answer, Asked
from stages.forecasting.params import ApiParams, ForecasterParams
from stages.forecasting.soundness import complaint
from stages.outside.answers import AnswerStore, Record, record_of
from stages.outside.batches import Batch, per_snapshot
from stages.outside.claims import claim
from stages.outside.clock import Clock, stamp
from stages.outside.ledger import Ledger, Seat
from stages.outside.model_facts import demand_agreement
from stages.outside.precautions import (
    demand_finite,
    demand_not_refused,
    demand_room,
    demand_sendable,
    remember_refused,
)
from stages.outside.seller import Bought, CallFailed, Seller

LONGEST_WAIT_SEC = 300.0


@dataclass(frozen=True)
class Shop:
    """Everything a purchase needs; `open_seller` is called only when something must be bought."""

    forecaster: ForecasterParams
    api: ApiParams
    store: AnswerStore
    ledger: Ledger
    clock: Clock
    open_seller: Callable[[], Seller]
    after_run: Callable[[], None]


@dataclass
class Tally:
    """What a run did, for the ledger."""

    questions: int = 0
    bought: int = 0
    calls: Counter[str] = field(default_factory=Counter)


class PaidBackend:
    """The Backend that buys. Raises rather than return part of the answers."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.tally = Tally()

    @cached_property
    def _seller(self) -> Seller:
        return self.shop.open_seller()

    @property
    def _claims(self) -> Path:
        return self.shop.store.local.root / "claims"

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key."""
        keys = {one.question.key for one in asked}
        records = self.shop.store.get(sorted(keys))
        self.tally.questions = len(keys)
        missing = [one for one in asked if one.question.key not in records]
        try:
            if missing:
                records |= self._all_bought(per_snapshot(missing), len(keys))
        finally:
            self._record_run()
        return {key: records[key].answer() for key in sorted(keys)}

    def _all_bought(self, batches: list[Batch], questions: int) -> dict[str, Record]:
        if self.shop.api.mode == "offline":
            raise BudgetStop(_offline(batches, questions))
        local = self.shop.store.local
        demand_sendable(batches, self.shop.forecaster)
        demand_agreement(self.shop.forecaster, batches[0].questions[0], local, self._buy_facts)
        records: dict[str, Record] = {}
        for number, batch in enumerate(batches):
            try:
                with claim(self._claims, batch.snapshots):
                    records |= self._bought(batch)
            except BudgetStop as stop:
                raise BudgetStop(self._left_over(stop, batches[number:])) from stop
        return records

    def _bought(self, batch: Batch) -> dict[str, Record]:
        """The batch's answers; what another run bought meanwhile is taken from the store."""
        records = self.shop.store.get([question.key for question in batch.questions])
        rest = Batch(tuple(one for one in batch.asked if one.question.key not in records))
        if rest.asked:
            demand_not_refused(self.shop.store.local, rest)
            demand_finite(rest)
            demand_room(self.shop.store.local.root, len(rest.asked))
            records |= self._sent_until_answered(rest)
        return records

    def _sent_until_answered(self, batch: Batch) -> dict[str, Record]:
        attempt = 1
        while True:
            seat = self._reserve("forecast", batch)
            try:
                bought = self._seller.forecast(batch.asked, seat)
                return self._kept(batch, bought, seat)
            except CallFailed as failure:
                self._settle_failed(seat, failure, batch)
                if attempt >= min(self.shop.api.max_attempts, 1 + failure.again):
                    raise failure.error from None
                if failure.wait_sec > LONGEST_WAIT_SEC:
                    raise BudgetStop(f"the forecast service asks to wait {failure.wait_sec:.0f} s") from None
                self.shop.clock.wait(failure.wait_sec)
                attempt += 1

    def _kept(self, batch: Batch, bought: Bought, seat: Seat) -> dict[str, Record]:
        """Check all answers of a call, then keep them, then settle: nothing unsound ever enters the store."""
        call = f"{seat.day}/{seat.name}"
        question = batch.questions[0]
        shape = (len(question.levels), question.horizon_min)
        for one, values, mean in zip(batch.questions, bought.values_bp, bought.mean_bp, strict=True):
            if wrong := complaint(values, mean, shape):
                told = (
                    f"the answer for {one.symbol} at {one.snapshot_utc:%Y-%m-%d %H:%MZ} is unsound: {wrong}; it counts"
                )
                evidence = str({"values_bp": values.tolist(), "mean_bp": mean.tolist()})
                error = DataContractError(f"{told} as paid and lies in quarantine/. Run again to ask once more.")
                raise CallFailed("unknown", error, evidence=evidence)
        facts: dict[str, Any] = {
            "sdk": self._seller.sdk,
            "call": call,
            "series_in_call": len(batch.asked),
            "company": len(batch.snapshots),
            "input_tokens": bought.input_tokens,
            "paid_utc": stamp(self.shop.clock.now()),
        }
        records = {}
        for one, values, mean in zip(batch.questions, bought.values_bp, bought.mean_bp, strict=True):
            record = record_of(one, values_bp=values.tolist(), mean_bp=mean.tolist(), **facts)
            records[one.key] = self.shop.store.put(record)
        self.shop.ledger.settle(seat, "answered", {"input_tokens": bought.input_tokens})
        self.tally.bought += len(records)
        self.tally.calls["answered"] += 1
        return records

    def _buy_facts(self, question: Any) -> Any:
        """One metadata request; its single attempt is counted like any other."""
        seat = self._reserve("model_params", Batch(()))
        try:
            facts = self._seller.model_facts(question.model, seat)
        except CallFailed as failure:
            self._settle_failed(seat, failure, Batch(()))
            raise failure.error from None
        self.shop.ledger.settle(seat, "answered", {})
        self.tally.calls["answered"] += 1
        return facts

    def _reserve(self, kind: str, batch: Batch) -> Seat:
        seller = self._seller  # a missing key is said before a seat is taken
        questions = batch.questions
        return self.shop.ledger.reserve(
            {
                "kind": kind,
                "sdk": seller.sdk,
                "model": self.shop.forecaster.model,
                "snapshots": batch.snapshots,
                "keys": [question.key for question in questions],
                "series": len(questions),
                "rows": sum(question.rows for question in questions),
                "horizon_min": max((question.horizon_min for question in questions), default=0),
                "levels": list(questions[0].levels) if questions else [],
            }
        )

    def _settle_failed(self, seat: Seat, failure: CallFailed, batch: Batch) -> None:
        self.shop.ledger.settle(seat, failure.state, {"why": str(failure.error)})
        self.tally.calls[failure.state] += 1
        local = self.shop.store.local
        if failure.evidence:
            local.create(f"quarantine/call-{seat.day}-{seat.name}.txt", failure.evidence.encode())
        if failure.never:
            remember_refused(local, batch, str(failure.error))

    def _left_over(self, stop: BudgetStop, batches: list[Batch]) -> str:
        left, calls = sum(len(batch.asked) for batch in batches), len(batches)
        per_run, per_day = self.shop.api.per_run, self.shop.ledger.per_day()
        return (
            f"{str(stop).rstrip('.')}. Stopped before the next request; {self.tally.bought} answers were bought and "
            f"kept in this run. Left: {left} questions in {calls} requests: {_rounds(calls, per_run)} runs at "
            f"api.per_run {per_run}, {_rounds(calls, per_day)} days at {per_day} a day. The next run goes on there."
        )

    def _record_run(self) -> None:
        facts = {
            "questions": self.tally.questions,
            "bought": self.tally.bought,
            "from_remote": self.shop.store.hits_remote,
            "calls": dict(self.tally.calls),
        }
        try:
            self.shop.ledger.record_run(facts)
            self.shop.after_run()
        except (OSError, PipelineError) as error:
            print(f"the run could not be noted in the ledger ({error})", file=sys.stderr, flush=True)


def _rounds(calls: int, limit: int) -> str:
    return str(-(-calls // limit)) if limit else "no number of"


def _offline(batches: list[Batch], questions: int) -> str:
    missing = sum(len(batch.asked) for batch in batches)
    first = batches[0].questions[0]
    return (
        f"{missing} of {questions} questions have no stored answer (the first: {first.symbol} at "
        f"{first.snapshot_utc:%Y-%m-%d %H:%MZ}) and api.mode offline buys nothing. They would cost {len(batches)} "
        "requests at one per snapshot: see `make plan`, then choose api=online, or narrow requests.first_session and "
        "requests.last_session."
    )
