"""Local forecasters: they answer on this machine, without key, network or cost, under names of their own.

To add one: a function of question, window and params, a line in `LOCAL_FORECASTERS`, a file in
`conf/forecaster/`, a test.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.backend import Answer, Asked, Backend
from stages.forecasting.ewma_fhs import ewma_fhs
from stages.forecasting.har import Har
from stages.forecasting.naive import persistence, seasonal
from stages.params.forecaster import LOCAL, LocalWindows
from stages.questions.question import Question
from stages.questions.window import Window

Forecast = Callable[[Question, Window, LocalWindows], NDArray[np.float64]]


@dataclass(frozen=True)
class LocalBackend:
    """A function as a backend."""

    name: str
    forecast: Forecast
    params: LocalWindows

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key."""
        source = f"{LOCAL}:{self.name}"
        return {
            one.question.key: Answer(one.question.key, source, self.forecast(one.question, one.window(), self.params))
            for one in asked
        }

    @property
    def took(self) -> Mapping[str, object]:
        """Nothing was sent."""
        return {"calls": 0}


LOCAL_FORECASTERS: dict[str, Callable[[LocalWindows], Backend]] = {
    "seasonal": lambda params: LocalBackend("seasonal", seasonal, params),
    "persistence": lambda params: LocalBackend("persistence", persistence, params),
    "ewma_fhs": lambda params: LocalBackend("ewma_fhs", ewma_fhs, params),
    "har": lambda params: LocalBackend("har", Har(), params),
}
