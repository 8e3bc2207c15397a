"""Local forecasters: they answer on this machine, without key, network or cost, under names of their own.

They answer only for the minutes ahead that are read, `requests.horizons_min`.

To add one: a function of question, window, minutes ahead and params, a line in `LOCAL_FORECASTERS`, its name in
`LocalName` and `LOCAL_OPTIONS` of `stages/params/forecaster.py`, a file in `conf/forecaster/`, a test.
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

Forecast = Callable[[Question, Window, NDArray[np.int64], LocalWindows], NDArray[np.float64]]


@dataclass(frozen=True)
class LocalBackend:
    """A function as a backend."""

    name: str
    forecast: Forecast
    params: LocalWindows
    horizons_min: tuple[int, ...]

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key."""
        return {one.question.key: self._answer(one.question, one.window()) for one in asked}

    def _answer(self, question: Question, window: Window) -> Answer:
        values_bp = self.forecast(question, window, np.array(self.horizons_min), self.params)
        return Answer(question.key, f"{LOCAL}:{self.name}", values_bp, self.horizons_min)

    @property
    def took(self) -> Mapping[str, object]:
        """Nothing was sent."""
        return {"calls": 0}


LOCAL_FORECASTERS: dict[str, Callable[[], Forecast]] = {
    "seasonal": lambda: seasonal,
    "persistence": lambda: persistence,
    "ewma_fhs": lambda: ewma_fhs,
    "har": Har,
}


def local_backend(name: str, params: LocalWindows, horizons_min: tuple[int, ...]) -> Backend:
    """The forecaster of this name as a backend for these minutes ahead."""
    return LocalBackend(name, LOCAL_FORECASTERS[name](), params, tuple(sorted(horizons_min)))
