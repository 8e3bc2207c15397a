"""What every forecaster, bought or local, offers the pipeline.

*Shapes*: an answer's `values_bp` is (levels, horizon): level in the question's order, step h-1 is h minutes ahead.
*Units*: bp of log return from the last row sent.
*Time*: a backend sees a question's window and nothing later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stages.requests.question import Question
from stages.requests.window import Window


@dataclass(frozen=True)
class Asked:
    """A question and the rows it sends; the window is built only when somebody must look at it."""

    question: Question
    window: Callable[[], Window]


@dataclass(frozen=True)
class Answer:
    """The answer to one question; `source` says model and deployment, or `local:<name>`."""

    key: str
    source: str
    values_bp: NDArray[np.float64]


class Backend(Protocol):
    """Answers questions; raises rather than return part of them."""

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key."""
        ...

    @property
    def took(self) -> Mapping[str, object]:
        """What the answers took, in the words of the stage's line: requests sent, share answered from the store."""
        ...
