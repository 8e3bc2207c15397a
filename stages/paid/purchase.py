"""One purchase: a batch of questions is sent until it is answered or must not be sent again.

The steps are, in this order: wait for the turn, read the store once more, make a reservation, begin the attempts, send,
check the answer, keep it on disk, settle the reservation, share the answer, end the attempts. Nothing is reserved while
a purchase waits. A process may die between any two steps: no kept answer is lost, and the ledger never counts less than
was sent.

*Errors*: `BudgetStop` at a limit or when the service gives no answer; `DataContractError` for an unsound answer;
`ConfigurationError` for what the service refuses; `Interrupted` before a request or while waiting.
"""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from stages.errors import BudgetStop, ConfigurationError, DataContractError, PipelineError
from stages.forecasting.backend import Asked, complaint, plausible_bp
from stages.io.clock import INTERRUPTS, stamp
from stages.io.terminal import print_to_stderr
from stages.paid.batches import Batch
from stages.paid.checks import remember_late, remember_refused, require_finite, room_for
from stages.paid.client import Client, FactsMissing, ModelFacts, RequestFailed, Response
from stages.paid.context import Counts, PurchaseContext
from stages.paid.locks import Begun, lock
from stages.paid.records import Record, record_of
from stages.paid.reservations import Reservation
from stages.paid.units import at_least_counted, most

LONGEST_WAIT_SEC = 300.0
NOTHING = Batch(())
FACTS = "model_params"  # kind of request
T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    """A request with a sound answer, of which nothing is kept yet."""

    batch: Batch
    reservation: Reservation
    begun: list[Begun]
    response: Response


class Buyer:
    """Sends batches, each request under its own reservation. The caller holds the locks of their snapshots."""

    def __init__(self, context: PurchaseContext, counts: Counts) -> None:
        self.context = context
        self.counts = counts
        self._warned_of_more = False

    @cached_property
    def _client(self) -> Client:
        return self.context.open_client()

    def buy(self, wanted: Batch, *, all_or_none: bool = True) -> dict[str, Record]:
        """The batch's answers, except questions that another machine buys; with `all_or_none`, all or nothing.

        A refused request is sent again in halves, down to the question that is refused alone. Two refused questions
        without any answer mean that the service refuses everything.
        """
        records: dict[str, Record] = {}
        refused: list[ConfigurationError] = []
        waiting, refusal = [wanted], uuid.uuid4().hex
        while waiting and (records or len(refused) < 2):
            batch = waiting.pop(0)
            try:
                answered = self.ask(batch, all_or_none=all_or_none)
            except RequestFailed as failure:
                if failure.smaller and len(batch.asked) > 1:
                    waiting[:0] = batch.halves()
                elif failure.never and len(batch.asked) == 1:
                    refused.append(self._refused(batch.asked[0], failure, refusal))
                else:
                    raise failure.error from None
            else:
                records |= self.keep(answered) if answered else {}
        if refused:
            raise refused[0]
        return records

    def ask(self, wanted: Batch, *, again: Collection[str] = (), all_or_none: bool = True) -> Answered | None:
        """Send one request after the other until one is answered; None if nothing can or need be bought now.

        The keys in `again` have an answer but are asked anyway.
        """
        attempt = 1
        while True:
            INTERRUPTS.require_none()
            try:
                return self._asked(wanted, again, all_or_none=all_or_none)
            except RequestFailed as failure:
                if attempt >= min(self.context.api.max_attempts, 1 + failure.again):
                    raise
                if failure.wait_sec > LONGEST_WAIT_SEC:
                    raise BudgetStop(f"the forecast service asks to wait {failure.wait_sec:.6g} s") from None
                self.context.clock.wait(failure.wait_sec)
                attempt += 1

    def keep(self, answered: Answered, unless: Collection[str] = ()) -> dict[str, Record]:
        """Keep and share the answers of a request, except those of the keys in `unless`."""
        facts: dict[str, Any] = {
            "sdk": self._client.sdk,
            "call": answered.reservation.call,
            "series_in_call": len(answered.batch.asked),
            "company": len(answered.batch.snapshots),
            "input_tokens": answered.response.tokens.get("input_tokens"),
            "paid_utc": stamp(self.context.clock.now()),
        }
        answers = zip(answered.batch.questions, answered.response.values_bp, answered.response.mean_bp, strict=True)
        store = self.context.store
        kept = store.keep_all(
            [
                record_of(question, values_bp=values.tolist(), mean_bp=mean.tolist(), **facts)
                for question, values, mean in answers
                if question.key not in unless
            ]
        )
        self._settle_answered(answered, {})
        self.counts.bought += len(kept)
        try:
            return {record.key: store.share(record) for record in kept}
        finally:
            self._end(answered.begun, "answered")  # even if not shared: the next run shares what is kept

    def drop(self, answered: Answered, why: str) -> None:
        """Keep nothing of an answered request."""
        self._settle_answered(answered, {"why": why})
        self._end(answered.begun, "unknown")

    def buy_facts(self, model: str) -> ModelFacts:
        """The model's metadata: one request, one attempt, counted like any other."""
        return self._about_service(FACTS, lambda reservation: self._client.model_facts(model, reservation))

    def buy_models(self) -> list[str]:
        """The names of the models that the key may use: one request, counted."""
        return self._about_service("models", lambda reservation: self._client.models(reservation))

    def buy_usage(self) -> dict[str, Any]:
        """The service's own count of requests: one request, counted."""
        return self._about_service("usage", lambda reservation: self._client.usage(reservation))

    def _about_service(self, kind: str, ask: Callable[[Reservation], T]) -> T:
        """Ask the service about itself."""
        with lock(self.context.store.local):
            self.context.ledger.await_turn()
            reservation = self._reserve(kind, NOTHING)
            try:
                answer = ask(reservation)
            except RequestFailed as failure:
                self._settle_failed(reservation, failure, NOTHING)
                raise FactsMissing(str(failure.error)) if failure.never and kind == FACTS else failure.error from None
            self._settle(reservation, "answered", {})
        return answer

    def _asked(self, wanted: Batch, again: Collection[str], *, all_or_none: bool) -> Answered | None:
        """One request under one reservation, with disk space reserved for its answers."""
        numbers = self._free([one.key for one in wanted.questions if one.key not in again], all_or_none=all_or_none)
        if numbers is None:
            return None
        batch = require_finite(wanted.only({*numbers, *again}))
        self.context.ledger.await_turn()
        for key in self.context.store.get(numbers):  # bought elsewhere while we waited
            del numbers[key]
        batch = batch.only({*numbers, *again})
        if not numbers and len(batch.asked) < min(2, len(wanted.asked)):
            return None
        with room_for(batch, self.context.store):
            reservation = self._reserve("forecast", batch)
            begun = self._begun(numbers, reservation)
            if begun is None:
                return None
            try:
                response = self._client.forecast(batch.asked, reservation)
                _require_sound(batch, response, self.context.api.plausible_sigmas)
            except RequestFailed as failure:
                self._settle_failed(reservation, failure, batch)
                self._end(begun, failure.state)
                raise
        return Answered(batch, reservation, begun, response)

    def _reserve(self, kind: str, batch: Batch) -> Reservation:
        client, questions = self._client, batch.questions  # a missing API key raises before a reservation is made
        return self.context.ledger.reserve(
            {
                "kind": kind,
                "sdk": client.sdk,
                "model": self.context.forecaster.model,
                "snapshots": batch.snapshots,
                "keys": [question.key for question in questions],
                "series": len(questions),
                "rows": sum(question.rows for question in questions),
                "horizon_min": max((question.horizon_min for question in questions), default=0),
                "levels": list(questions[0].levels) if questions else [],
            },
            most(questions, self.context.api.tariff),
        )

    def _settle_answered(self, answered: Answered, facts: Mapping[str, Any]) -> None:
        counted = self._counted(answered.batch, answered.response.tokens)
        self._settle(answered.reservation, "answered", {**facts, **counted})

    def _counted(self, batch: Batch, tokens: Mapping[str, int | None]) -> dict[str, Any]:
        """The service's count of tokens, for the ledger, with `units` if they exceed the reservation."""
        tariff, questions = self.context.api.tariff, batch.questions
        held = most(questions, tariff)
        counts = at_least_counted(held, tokens, len(questions), tariff)
        more = {"units": counts.document()} if counts != held else {}
        if more and not self._warned_of_more:
            self._warned_of_more = True
            print_to_stderr(
                f"The service counted {counts.tokens:,} tokens where {held.tokens:,} were estimated; the ledger "
                "counts the larger number. Check that api.tariff.tokens_per_value matches your contract."
            )
        return {**tokens, **more}

    def _settle(self, reservation: Reservation, state: str, facts: Mapping[str, Any]) -> None:
        self.context.ledger.settle(reservation, state, facts)
        self.counts.calls[state] += 1

    def _settle_failed(self, reservation: Reservation, failure: RequestFailed, batch: Batch) -> None:
        self._settle(reservation, failure.state, {"why": str(failure.error), **self._counted(batch, failure.tokens)})
        try:
            if failure.evidence:
                name = f"quarantine/call-{reservation.day}-{reservation.name}.txt"
                self.context.store.local.create(name, failure.evidence.encode())
            if failure.late and batch.asked:
                objects, call = self.context.ledger.objects, (reservation.day, reservation.name)
                failure.error = remember_late(objects, batch, self.context.api.timeout_sec, call)
        except PipelineError as error:  # the failure of the request is still raised
            print_to_stderr(error)

    def _refused(self, one: Asked, failure: RequestFailed, refusal: str) -> ConfigurationError:
        """Remember a question that was refused alone. Returns the error for the user."""
        question = one.question
        try:
            remember_refused(self.context.ledger.objects, question, str(failure.error), refusal)
        except PipelineError as error:
            print_to_stderr(error)
        return ConfigurationError(
            f"{question.place}: {failure.error} It is not asked again until `make release KEY={question.key}`."
        )

    def _free(self, keys: list[str], *, all_or_none: bool) -> dict[str, int] | None:
        """The keys that may be bought now, with their attempt numbers; all keys if machines share no budget."""
        attempts = self.context.attempts
        if attempts is None:
            return dict.fromkeys(keys, 0)
        try:
            return attempts.free(keys, all_or_none=all_or_none)
        except OSError as error:
            raise _locks_are_down(error) from error

    def _begun(self, numbers: Mapping[str, int], reservation: Reservation) -> list[Begun] | None:
        """The attempts of this request. None, and the reservation is refunded, if another machine began first."""
        attempts, begun = self.context.attempts, None
        if attempts is None:
            return []
        try:
            begun = attempts.begin(numbers, reservation.call)
        except OSError as error:
            raise _locks_are_down(error) from error
        finally:
            if begun is None:
                self._settle(reservation, "refunded", {"why": "its keys could not be claimed"})
        return begun

    def _end(self, begun: list[Begun], state: str) -> None:
        if self.context.attempts is None:
            return
        try:
            self.context.attempts.end(begun, state)
        except (OSError, PipelineError) as error:
            sentence = (
                f"{len(begun)} locks stay open on the remote ({error}): the next run from this store releases them."
            )
            print_to_stderr(sentence)


def _locks_are_down(error: OSError) -> BudgetStop:
    return BudgetStop(
        f"the locks on the remote do not answer ({error}), so nothing may be sent: run again when they do"
    )


def _require_sound(batch: Batch, response: Response, sigmas: float) -> None:
    """All answers of a request or none: an unsound answer never enters the store."""
    for one, values, mean in zip(batch.asked, response.values_bp, response.mean_bp, strict=True):
        question, most_bp = one.question, plausible_bp(one.window().y_bp, one.question.horizon_min, sigmas)
        if wrong := complaint(values, mean, (len(question.levels), question.horizon_min), most_bp):
            error = DataContractError(
                f"the answer for {question.place} (key {question.key}) is unsound: {wrong}; it counts as "
                "paid and is kept in quarantine/. Run again to ask once more."
            )
            evidence = str({"values_bp": values.tolist(), "mean_bp": mean.tolist()})
            raise RequestFailed("unknown", error, evidence=evidence, tokens=response.tokens)
