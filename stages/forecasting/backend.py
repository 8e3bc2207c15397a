"""The interface of every forecaster, paid or local, and the soundness of an answer.

Soundness is checked before an answer is kept, and is at least as strict as all later stages require.

*Shapes*: `values_bp` (levels, steps): levels in the question's order, ascending. The steps are the minutes ahead in
`Answer.ahead`; a bought answer has all up to the horizon. `mean_bp` and `most_bp` (horizon,).
*Units*: bp of log return from the last row sent.
*Time*: a backend sees a question's window and nothing later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stages.questions.question import Question
from stages.questions.window import Window


@dataclass(frozen=True)
class Asked:
    """A question and the rows it sends; the window is built only when it is needed."""

    question: Question
    window: Callable[[], Window]


@dataclass(frozen=True)
class Answer:
    """The answer to one question; `source` names model and deployment, `local:<name>` or `command:<model>`.

    `ahead`: the minutes ahead of its steps, None for every minute from the first on.
    """

    key: str
    source: str
    values_bp: NDArray[np.float64]
    ahead: tuple[int, ...] | None = None

    def at(self, horizons_min: tuple[int, ...]) -> NDArray[np.float64]:
        """The values at these minutes ahead, (levels, horizons)."""
        steps = (minutes - 1 if self.ahead is None else self.ahead.index(minutes) for minutes in horizons_min)
        return self.values_bp[:, list(steps)]


class Backend(Protocol):
    """A forecaster that answers all questions, or raises."""

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key."""
        ...

    @property
    def took(self) -> Mapping[str, object]:
        """Facts about the answers for the stage's summary line: requests sent, share answered from the store."""
        ...


CROSSING_TOLERANCE_BP = 1e-6
LEAST_SIGMA_BP = 1.0  # of one step: a price that stood still may still move
MOST_BP = 100_000.0  # 22,026 times the last price: beyond it `last * exp(q / 1e4)` is meaningless


def plausible_bp(y_bp: NDArray[np.float64], horizon: int, sigmas: float) -> NDArray[np.float64]:
    """The largest plausible distance from the last value at each step, from the deviations of what was sent.

    `min(MOST_BP, sigmas * max(LEAST_SIGMA_BP, sqrt(mean(diff(y)^2))) * sqrt(h))`: the deviation is about zero, so a
    steady trend counts; it grows with the root of the step, as in a random walk.
    """
    moved = np.diff(y_bp)
    sigma = float(np.sqrt(np.sum(moved**2) / max(len(moved), 1)))
    steps = np.arange(1, horizon + 1)
    return np.minimum(MOST_BP, sigmas * max(LEAST_SIGMA_BP, sigma) * np.sqrt(steps))


def complaint(
    values_bp: NDArray[np.float64],
    mean_bp: NDArray[np.float64],
    shape: tuple[int, int],
    most_bp: NDArray[np.float64],
) -> str | None:
    """What is wrong with an answer, in a few words; None if it is sound."""
    if values_bp.shape != shape:
        return (
            f"it has {values_bp.shape[0]} levels of {values_bp.shape[1]} steps, where {shape[0]} of {shape[1]} were "
            "asked"
        )
    if mean_bp.shape != shape[1:]:
        return f"its mean has {len(mean_bp)} steps, where {shape[1]} were asked"
    if not (np.isfinite(values_bp).all() and np.isfinite(mean_bp).all()):
        return "it holds nulls, NaN or infinity"
    all_bp = np.vstack([values_bp, mean_bp])
    if (beyond := np.abs(all_bp) > most_bp).any():
        row, step = np.argwhere(beyond)[0]
        return (
            f"it says {all_bp[row, step]:.6g} bp for minute {step + 1}, where at most {most_bp[step]:.6g} is plausible "
            "(api.plausible_sigmas times the deviation of what was sent)"
        )
    if (np.diff(values_bp, axis=0) < -CROSSING_TOLERANCE_BP).any():
        return "its quantiles cross"
    if np.ptp(values_bp) == 0:
        return f"all its values are {values_bp.flat[0]:g}"
    return None
