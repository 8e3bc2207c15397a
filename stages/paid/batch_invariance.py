"""Batch invariance: whether a service answers a series the same whatever else is in the request.

`api.pack: snapshots` puts many snapshots, each history cut at its own, into one request. That is sound only if the
series of a request do not influence each other. The proof asks the service itself, once per epoch and kind of question
(what all questions of one request share: model, deployment, options, horizon, clock and columns), and records the
result in the answer store: it compares a question's answer alone with its answer in a batch. The model may treat other
columns differently, so a proof of one kind says nothing about others. Earlier versions recorded one proof for all
kinds: it counts for the kind of the compared question, while that question's answer is stored.

The answer alone is a stored one if possible. The rest of the batch consists of questions without an answer, so only the
compared question is paid twice. If all questions have answers, three of them fill the batch and are paid again. The
compared question has few rows and its company many, since a service might pad a short series.

A canary asks a stored question again, alone: the one with the smallest key among those that were bought alone, else
among all. The new answer is paid, compared and not kept. A difference shows that the model changed, unless the stored
answer had company and no proof says that company changes nothing.

*Errors*: `BudgetStop` when another machine holds one of the questions; `ConfigurationError` (exit 5) without a proof,
for questions that cannot be packed, and for a canary without a stored answer.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import BudgetStop, ConfigurationError
from stages.forecasting.backend import Asked
from stages.io.terminal import print_to_stderr
from stages.paid.answer_store import AnswerStore
from stages.paid.batches import Batch, joint_options, request_settings
from stages.paid.checks import require_not_late, require_not_refused
from stages.paid.client import RequestFailed
from stages.paid.model_facts import identity, read_note, write_note
from stages.paid.purchase import Buyer
from stages.paid.records import Record
from stages.questions.question import Question

TOLERANCE = 1e-4  # of a series' own range: the service computes in float32


def require_packable(question: Question) -> None:
    """Refuse questions that are never packed, and whose proof would say nothing about others."""
    if question.futr_exog:
        raise ConfigurationError(
            f"api.pack snapshots cannot send known future columns ({', '.join(question.futr_exog)}), since each "
            "belongs to one snapshot: api.pack must be none, or requests.futr_exog empty."
        )
    if joint := joint_options(question):
        raise ConfigurationError(
            f"api.pack snapshots cannot send questions with {', '.join(joint)}, since one series then changes the "
            "answer to another: api.pack must be none."
        )


def require_invariance(store: AnswerStore, question: Question) -> None:
    """Refuse to pack without a recorded proof, or questions that cannot be packed."""
    require_packable(question)
    proof = proof_of(store, question)
    if proof is None:
        raise ConfigurationError(
            f"api.pack snapshots needs a proof that {question.model} (epoch {question.model_epoch}) answers each "
            f"series independently, made with questions of this kind ({_kind(question)}): run `make "
            "prove-independence`, which asks the service once, or set api.pack to none."
            f"{_why_not(store, question)}"
        )
    if not proof["independent"]:
        raise ConfigurationError(
            f"{question.model} (epoch {question.model_epoch}) answered one question differently in a batch, by up to "
            f"{proof['largest_difference']:.3g} of its range: packing would change forecasts; set api.pack to none."
        )


def proof_of(store: AnswerStore, question: Question) -> dict[str, Any] | None:
    """The recorded proof for questions of this kind, if there is a sound one."""
    proof = read_note(store, path_of_proof(question), parse_invariance)
    if proof is not None:
        return proof
    earlier, compared = _earlier(store, question)
    return earlier if compared is not None and path_of_proof(compared) == path_of_proof(question) else None


def _earlier(store: AnswerStore, question: Question) -> tuple[dict[str, Any] | None, Question | None]:
    """The proof of an earlier version for this model and epoch, and the question it compared if that is known."""
    proof = read_note(store, f"proofs/{identity(question)}.json", parse_invariance)
    record = next(iter(store.get([proof["key"]]).values()), None) if proof is not None else None
    return proof, Question.parse(record.question.encode()) if record is not None else None


def _kind(question: Question) -> str:
    columns = ", ".join(question.hist_exog) or "none"
    return f"{question.horizon_min} minutes ahead, requests.clock {question.clock}, requests.hist_exog {columns}"


def _why_not(store: AnswerStore, question: Question) -> str:
    """Why the proof of an earlier version, if there is one, does not count."""
    proof, compared = _earlier(store, question)
    if proof is None:
        return ""
    what = f"questions of another kind ({_kind(compared)})" if compared else f"{proof['key']}, whose answer is not here"
    return f" The proof of an earlier version does not count, since it was made with {what}."


def record_invariance(store: AnswerStore, question: Question, difference: float, key: str) -> bool:
    """Record how far the two answers differ; returns whether they count as equal."""
    independent = difference <= TOLERANCE
    document = {"independent": independent, "largest_difference": difference, "tolerance": TOLERANCE, "key": key}
    write_note(store, path_of_proof(question), json.dumps(document, sort_keys=True).encode() + b"\n", parse_invariance)
    return independent


def parse_invariance(content: bytes) -> dict[str, Any]:
    """A recorded proof; raises `ValueError`, `KeyError` or `TypeError` when the note is damaged."""
    proof: dict[str, Any] = json.loads(content)
    if not isinstance(proof["independent"], bool):
        raise ValueError(f"independent is {proof['independent']!r}")
    return {**proof, "largest_difference": float(proof["largest_difference"]), "key": str(proof["key"])}


def difference_of(alone: NDArray[np.float64] | Sequence[Sequence[float]], packed: NDArray[np.float64]) -> float:
    """The largest difference between two answers, as a share of the first answer's range."""
    first = np.asarray(alone, dtype=np.float64)
    return float(np.abs(first - packed).max() / max(np.ptp(first), 1e-9))


def path_of_proof(question: Question) -> str:
    """Path of the proof for questions of this kind."""
    kind = hashlib.sha256(json.dumps(request_settings(question)).encode()).hexdigest()[:16]
    return f"proofs/{identity(question)}-{kind}.json"


CANDIDATES = 64
COMPANY = 7
PAID_AGAIN = 3


def candidates_among(questions: Iterable[Question]) -> list[Question]:
    """Some of the questions, from the one with the fewest rows to the one with the most."""
    every = sorted(questions, key=lambda one: one.rows)
    count = min(CANDIDATES, len(every))
    return [every[number * (len(every) - 1) // max(1, count - 1)] for number in range(count)]


@dataclass(frozen=True)
class Comparison:
    """The question that is compared, the rest of its batch, and the keys among them that already have an answer."""

    chosen: Asked
    company: tuple[Asked, ...]
    answered: frozenset[str]

    @property
    def batch(self) -> Batch:
        """All in one request; the compared question is off the centre, so that a reversed order would show."""
        before = (1 + len(self.company)) // 2 - 1
        return Batch((*self.company[:before], self.chosen, *self.company[before:]))


def comparison_of(candidates: Batch, stored: Mapping[str, Record]) -> Comparison:
    """The cheapest comparison: a stored answer that had the smallest batch, or a short question."""
    asked = candidates.asked
    had = {key: (record.company, record.series_in_call) for key, record in stored.items()}
    answered = [one for one in asked if one.question.key in stored]
    answered.sort(key=lambda one: (had[one.question.key], one.question.rows))
    chosen = answered[0] if answered else min((asked[len(asked) // 2 - 1], *asked), key=lambda one: one.question.rows)
    new = [one for one in asked if one.question.key not in stored and one is not chosen]
    new.sort(key=lambda one: -one.question.rows)
    company = new[:: max(1, len(new) // COMPANY)][:COMPANY] or answered[1 : 1 + PAID_AGAIN]
    if answered and len(company) > 1 and had[chosen.question.key][1] == 1 + len(company):
        company = company[1:]  # an answer that depends on the size of its batch must come from another size
    known = {one.question.key for one in company if one.question.key in stored}
    return Comparison(chosen, tuple(company), frozenset({chosen.question.key, *known}))


def prove(buyer: Buyer, candidates: Batch) -> bool:
    """Ask, compare and record the result; returns whether the answers are equal. The caller holds all locks."""
    store = buyer.context.store
    stored = store.get([one.key for one in candidates.questions])
    comparison = comparison_of(candidates, stored)
    unanswered = comparison.batch.without(stored)
    require_not_refused(buyer.context.ledger.objects, unanswered)
    require_not_late(buyer.context.ledger.objects, comparison.batch, buyer.context.api.timeout_sec)
    key, together, again = comparison.chosen.question.key, len(comparison.batch.asked), comparison.answered
    buyer.counts.questions, buyer.counts.from_store = together, together - len(unanswered.asked)
    requests = "2 requests: one question alone, then" if key not in stored else "1 request:"
    print_to_stderr(
        f"This proof costs {requests} {together} in one batch; {len(again)} of them already have an answer and are "
        "paid again."
    )
    try:
        alone = stored.get(key) or buyer.buy(Batch((comparison.chosen,))).get(key)
        answered = buyer.ask(comparison.batch, again=again) if alone else None
    except RequestFailed as failure:
        raise failure.error from None
    if alone is None or answered is None:
        raise BudgetStop("another machine is buying these questions: run `make prove-independence` again later.")
    values_bp = answered.response.values_bp[[question.key for question in answered.batch.questions].index(key)]
    difference = difference_of(alone.values_bp, values_bp)
    if difference <= TOLERANCE:  # first, since a proof costs less than the answers
        buyer.keep(answered, unless=again)
    else:
        buyer.drop(answered, "kept nothing: the answers depend on their batch")
    return record_invariance(store, comparison.chosen.question, difference, key)


@dataclass(frozen=True)
class Canary:
    """A stored question asked again, alone; `difference` is that of the answers, as a share of the stored one's range.

    `others`: series that shared the request of the stored answer and may have changed it; 0 after a proof that none do.
    """

    question: Question
    difference: float
    others: int

    @property
    def is_as_before(self) -> bool:
        """Whether the answers count as equal."""
        return self.difference <= TOLERANCE


def canary_of(asked: Sequence[Asked], stored: Mapping[str, Record]) -> Batch:
    """The question to ask again."""
    answered = [one for one in asked if one.question.key in stored]
    if not answered:
        raise ConfigurationError(
            "none of these questions has a stored answer to compare with: buy one first (`make run` with api=online)."
        )
    had_company = {key: record.series_in_call > 1 for key, record in stored.items()}
    return Batch((min(answered, key=lambda one: (had_company[one.question.key], one.question.key)),))


def ask_again(buyer: Buyer, batch: Batch, stored: Mapping[str, Record]) -> Canary:
    """Ask a canary's question again, and compare."""
    question = batch.questions[0]
    record, proof = stored[question.key], proof_of(buyer.context.store, question)
    require_not_late(buyer.context.ledger.objects, batch, buyer.context.api.timeout_sec)
    try:
        answered = buyer.ask(batch, again=[question.key])
    except RequestFailed as failure:
        raise failure.error from None
    if answered is None:
        raise BudgetStop("another run holds this question: run `make canary` again later.")
    buyer.drop(answered, "a canary: compared, not kept")
    others = 0 if proof is not None and proof["independent"] else record.series_in_call - 1
    return Canary(question, difference_of(record.values_bp, answered.response.values_bp[0]), others)
