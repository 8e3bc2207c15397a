"""Whether a service answers a series the same whatever travels beside it: the licence to pack.

Packing puts many snapshots, each history cut at its own, into one request. That is sound only if series do not see each
other, which is proved with the service itself, once per model, epoch and deployment, and written down in the store.
*Errors*: `ConfigurationError` (exit 5) without proof, or for questions whose future columns do not travel packed.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import ConfigurationError
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.batches import joint_options
from stages.outside.paid.model_facts import identity
from stages.outside.paid.notes import read_note, write_note
from stages.requests.question import Question

TOLERANCE = 1e-4  # of a series' own range: the service computes in float32


def demand_proof(store: AnswerStore, question: Question) -> None:
    """Packing needs a recorded proof, and questions that may travel packed."""
    if question.futr_exog:
        raise ConfigurationError(
            f"api.pack snapshots cannot send known futures ({', '.join(question.futr_exog)}), which belong to one "
            "snapshot each: set api.pack to none or empty requests.futr_exog."
        )
    if joint := joint_options(question):
        raise ConfigurationError(
            f"api.pack snapshots cannot send questions with {', '.join(joint)}, where one series shapes another's "
            "answer: set api.pack to none."
        )
    proof = proof_of(store, question)
    if proof is None:
        raise ConfigurationError(
            f"api.pack snapshots needs a proof that {question.model} (epoch {question.model_epoch}) answers each "
            "series for itself: `make prove-independence` asks the service once, or set api.pack to none."
        )
    if not proof["independent"]:
        raise ConfigurationError(
            f"{question.model} (epoch {question.model_epoch}) answered one question differently in company, by up to "
            f"{proof['largest_difference']:.3g} of its range: packing would change forecasts; set api.pack to none."
        )


def proof_of(store: AnswerStore, question: Question) -> dict[str, Any] | None:
    """The recorded proof for a question's model, if there is a sound one."""
    return read_note(store, path_of_proof(question), parse_proof)


def record_proof(store: AnswerStore, question: Question, difference: float, key: str) -> bool:
    """Write down how far the answers lay apart; whether that counts as equal."""
    independent = difference <= TOLERANCE
    document = {"independent": independent, "largest_difference": difference, "tolerance": TOLERANCE, "key": key}
    write_note(store, path_of_proof(question), json.dumps(document, sort_keys=True).encode() + b"\n", parse_proof)
    return independent


def parse_proof(content: bytes) -> dict[str, Any]:
    """A recorded proof; `ValueError` and the like when the note is damaged."""
    proof: dict[str, Any] = json.loads(content)
    if not isinstance(proof["independent"], bool):
        raise ValueError(f"independent is {proof['independent']!r}")
    return {**proof, "largest_difference": float(proof["largest_difference"])}


def difference_of(alone: NDArray[np.float64] | Sequence[Sequence[float]], packed: NDArray[np.float64]) -> float:
    """The largest difference between two answers, as a share of the first one's range."""
    first = np.asarray(alone, dtype=np.float64)
    return float(np.abs(first - packed).max() / max(np.ptp(first), 1e-9))


def path_of_proof(question: Question) -> str:
    """Where the proof for a question's model lies."""
    return f"proofs/{identity(question)}.json"
