"""The paid backend: answers come from the store, and missing ones are bought.

*Errors*: `BudgetStop` (exit 4) when answers are missing offline or a limit is reached; `ConfigurationError` (exit 5)
while params contradict what the service says of its model; `DataContractError` (exit 2) for a question that the
benchmark cannot answer; whatever `purchase` raises.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from stages.errors import BudgetStop, ConfigurationError, DataContractError, Interrupted, PipelineError, count
from stages.forecasting.backend import Answer, Asked, Backend
from stages.io.clock import INTERRUPTS
from stages.io.terminal import print_to_stderr, progress
from stages.paid.batch_invariance import (
    Canary,
    ask_again,
    canary_of,
    path_of_proof,
    proof_of,
    prove,
    require_invariance,
    require_packable,
)
from stages.paid.batches import Batch, as_sent, one_per, packed, per_snapshot
from stages.paid.checks import require_finite, require_not_late, require_not_refused, require_sendable
from stages.paid.context import Counts, PurchaseContext
from stages.paid.limits import Period, amount, needed
from stages.paid.locks import lock
from stages.paid.model_facts import require_agreement
from stages.paid.pricing import fitting, further_ahead, keys_in, missing_facts, require_same_clock
from stages.paid.purchase import Buyer
from stages.paid.records import Record
from stages.paid.units import most
from stages.questions.question import Question

POLL_SEC = 1.0
PERIODS: dict[Period, str] = {"day": "days with today", "month": "months with this one"}


class PaidBackend:
    """The backend that buys. It returns all answers or raises.

    The stage also needs an answer of `benchmark` to each question, so nothing is bought that `benchmark` cannot answer.
    """

    def __init__(self, context: PurchaseContext, benchmark: Backend | None = None) -> None:
        self.context = context
        self.benchmark = benchmark
        self.counts = Counts()
        self.buyer = Buyer(context, self.counts)

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key."""
        keys = {one.question.key: one for one in asked}
        self.counts.questions = len(keys)
        self.context.store.share_again()
        records = self.context.store.get(keys)
        self.counts.from_store = len(records)
        missing = [one for key, one in keys.items() if key not in records]
        if missing:
            with self._recorded():
                records |= self._all_bought(per_snapshot(missing))
        else:
            self._record_run()
        return {key: records[key].answer() for key in keys}

    @property
    def took(self) -> Mapping[str, object]:
        """How many requests count, how many answers were bought, and the share of questions found in the store."""
        counts = self.counts
        hits = 100 * counts.from_store / max(counts.questions, 1)
        return {
            "calls": counts.calls.total() - counts.calls["refunded"],
            "bought": counts.bought,
            "hits": f"{hits:.1f}%",
        }

    def _all_bought(self, batches: list[Batch]) -> dict[str, Record]:
        require_same_clock(self.context.store, [question for batch in batches for question in batch.questions])
        if self.context.api.mode == "offline":
            raise BudgetStop(self._offline(batches))
        first = batches[0].questions[0]
        if self.context.api.pack == "snapshots":
            require_invariance(self.context.store, first)
            batches = packed(batches)
        require_sendable(batches, self.context.forecaster)
        self._require_answerable(batches)
        self._warn_of_other_machines()
        self._require_facts(first)
        records: dict[str, Record] = {}
        elsewhere: list[Batch] = []
        try:
            for batch in progress(batches, "buying"):
                records |= self._bought(batch)
                if (rest := batch.without(records)).asked:
                    elsewhere.append(rest)
            return records | self._bought_elsewhere(elsewhere)
        except BudgetStop as stop:
            raise BudgetStop(f"{str(stop).rstrip('.')}. {self._left_over(batches, records)}") from stop

    def prove_independence(self, asked: Sequence[Asked]) -> bool:
        """Whether the service answers each question independently of its batch; tested once, within the budget."""
        require_packable(asked[0].question)
        candidates = packed(per_snapshot(asked))[0]
        if len(candidates.asked) < 2:
            raise ConfigurationError(
                "there is only one question: the proof of batch invariance needs at least two; ask more symbols or "
                "snapshots."
            )
        first = candidates.questions[0]
        if (proof := proof_of(self.context.store, first)) is not None:
            known = f"{first.model} (epoch {first.model_epoch}) was tested before, with question {proof['key']}"
            print_to_stderr(f"{known}; nothing is sent.")
            return bool(proof["independent"])
        require_sendable([candidates], self.context.forecaster)
        self.context.store.local.require_writable([path_of_proof(first)])
        with self._recorded():
            self._require_facts(first)
            with self._claimed(candidates):
                return prove(self.buyer, candidates)

    def ask_canary(self, asked: Sequence[Asked]) -> Canary:
        """Ask a question with a stored answer again and compare."""
        stored = self.context.store.get(sorted(one.question.key for one in asked))
        batch = canary_of(asked, stored)
        costs = most(batch.questions, self.context.api.tariff)
        money = f", {amount(costs.money)} {self.context.api.tariff.currency}" if self.context.api.tariff else ""
        print_to_stderr(f"A canary costs 1 request, at most {costs.tokens:,} tokens{money}.")
        require_sendable([batch], self.context.forecaster)
        self.counts.questions = self.counts.from_store = 1
        with self._recorded():
            self._require_facts(batch.questions[0])
            with self._claimed(batch):
                return ask_again(self.buyer, batch, stored)

    def _bought(self, batch: Batch, *, all_or_none: bool = True) -> dict[str, Record]:
        """The batch's answers; those that another run bought meanwhile come from the store."""
        with self._claimed(batch):
            records = self.context.store.get([question.key for question in batch.questions])
            self.counts.from_store += len(records)
            rest = batch.without(records)
            if rest.asked:
                require_not_refused(self.context.ledger.objects, rest)
                require_not_late(self.context.ledger.objects, rest, self.context.api.timeout_sec)
                records |= self.buyer.buy(rest, all_or_none=all_or_none)
        return records

    def _bought_elsewhere(self, batches: list[Batch]) -> dict[str, Record]:
        """Wait at most `api.timeout_sec` for what other machines are buying, and buy what they give up.

        Questions that are still held after that do not block the others of their snapshot.
        """
        waited, records = 0.0, dict[str, Record]()
        while batches:
            last = waited >= self.context.api.timeout_sec or not self._may_be_answered(batches)
            for batch in batches:
                records |= self._bought(batch, all_or_none=not last)
            batches = [rest for batch in batches if (rest := batch.without(records)).asked]
            if last and batches:
                raise self._held(batches)
            if batches:
                self.context.clock.wait(POLL_SEC)
                waited += POLL_SEC
        return records

    def _may_be_answered(self, batches: list[Batch]) -> bool:
        attempts = self.context.attempts
        return attempts is None or any(not attempts.is_spent(one.key) for batch in batches for one in batch.questions)

    def _held(self, batches: list[Batch]) -> BudgetStop:
        first, held = batches[0].questions[0].key, sum(len(batch.asked) for batch in batches)
        why = self.context.attempts.holder(first) if self.context.attempts else "came and went"
        return BudgetStop(
            f"{count(held, 'question is', 'questions are')} held by other machines or reached api.max_attempts (the "
            f"first {why}): run again later. If the other run died, `make spend` shows what was paid, and `make "
            f"release KEY={first}` frees the keys of its request."
        )

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Record a purchase in the ledger, however it ends. A signal stops it between two requests."""
        with INTERRUPTS.held_back():
            try:
                yield
            except Interrupted as end:
                raise Interrupted(
                    f"{end}: {self._kept()} in this run, nothing is locked, and the next run continues there.",
                    end.exit_code - 128,
                ) from None
            finally:
                self._record_run()

    def _claimed(self, batch: Batch) -> AbstractContextManager[None]:
        return lock(self.context.store.local, batch.snapshots)

    def _require_facts(self, question: Question) -> None:
        with lock(self.context.store.local, ["model"]):
            require_agreement(self.context.forecaster, question, self.context.store, self.buyer.buy_facts)

    def _require_answerable(self, batches: list[Batch]) -> None:
        """Check, symbol by symbol, that no question can stop the stage after others were paid."""
        if self.benchmark is None:
            return
        every = sorted((one for batch in batches for one in batch.asked), key=lambda one: one.question.symbol)
        try:
            with INTERRUPTS.waiting():  # nothing is locked or in flight
                for one in progress(every, "checking"):
                    self.benchmark.answer(require_finite(Batch((one,))).asked)
        except DataContractError as error:
            raise DataContractError(f"{error} Nothing was bought.") from error

    def _warn_of_other_machines(self) -> None:
        if self.context.store.remote is not None and self.context.attempts is None:
            print_to_stderr(
                "Answers are shared on the DVC remote, but the budget belongs to this machine (api.scope machine): "
                "another machine that buys at the same time may pay for the same questions. api.scope: remote prevents "
                "this."
            )

    def _offline(self, batches: list[Batch]) -> str:
        questions = [question for batch in batches for question in batch.questions]
        first, longer = questions[0], fitting(self.context.store, further_ahead(questions))
        batches, facts = as_sent(batches, self.context.api.pack), missing_facts(self.context.store, first)
        return (
            f"{len(questions)} of {self.counts.questions} questions have no stored answer (the first: {first.place}) "
            f"and api.mode offline buys nothing. They would cost "
            f"{count(len(batches) + facts, 'request')}, {one_per(batches, facts)}: run `make plan`, then set "
            f"api=online, or narrow requests.first_session and requests.last_session. {longer}".rstrip()
        )

    def _kept(self) -> str:
        return f"{count(self.counts.bought, 'answer was', 'answers were')} bought and kept"

    def _left_over(self, batches: list[Batch], records: Mapping[str, Record]) -> str:
        """The requests still to buy, and how many runs, days and months they take under the limits."""
        api, asked = self.context.api, [one for batch in batches for one in batch.without(records).asked]
        here = keys_in(self.context.store.local, (one.question.key for one in asked))
        left = as_sent(per_snapshot(one for one in asked if one.question.key not in here), api.pack)
        periods: dict[Period, int | None] = {}
        with suppress(OSError, PipelineError):  # the ledger itself may be what stopped the run
            periods = needed(self.context.ledger.used(), [most(batch.questions, api.tariff) for batch in left])
        in_periods = "".join(
            f", {PERIODS[period]}: {'never' if many is None else many}" for period, many in periods.items()
        )
        end = "The next run continues there."
        if None in periods.values():
            end = f"A single request is beyond a limit: raise it{' or set api.pack to none' * (api.pack != 'none')}."
        return (
            f"Stopped before the next request; {self._kept()} in this run. Left: "
            f"{count(len(asked) - len(here), 'question')} in {count(len(left), 'request')}; runs "
            f"needed: {_rounds(len(left), api.per_run)} (api.per_run {api.per_run}){in_periods}. {end}"
        )

    def _record_run(self) -> None:
        facts = {
            "questions": self.counts.questions,
            "from_store": self.counts.from_store,
            "bought": self.counts.bought,
            "from_remote": self.context.store.hits_remote,
            "calls": dict(self.counts.calls),
        }
        try:
            self.context.ledger.record_run(facts)
            self.context.after_run()
        except (OSError, PipelineError) as error:
            print_to_stderr(f"the run could not be recorded in the ledger ({error})")


def _rounds(calls: int, limit: int) -> str:
    return str(-(-calls // limit)) if limit else "no number is enough"
