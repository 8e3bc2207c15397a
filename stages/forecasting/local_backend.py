"""Local forecasters: they answer on this machine, without key, network or cost.

They answer only for the minutes ahead in `requests.horizons_min`. A local forecaster is a file of `local/` with a
`Forecast` of the same name. It may share results from complete sessions with the other questions of a day
(`Past.once`). If it needs more past than `har` and `persistence`, `_warm_up` of `free.py` must say so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.backend import Answer, Asked, Backend
from stages.params.forecaster import LOCAL, LocalWindows
from stages.questions.question import Question
from stages.questions.window import Window

# Of a question, its rows, the minutes ahead (steps,) and params: quantiles in bp, (levels, steps).
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


def local_backend(name: str, params: LocalWindows, horizons_min: tuple[int, ...]) -> Backend:
    """The forecaster `name` of `params.LocalName` as a backend for these minutes ahead."""
    forecast = getattr(import_module(f"stages.forecasting.local.{name}"), name)
    return LocalBackend(name, forecast, params, tuple(sorted(horizons_min)))
