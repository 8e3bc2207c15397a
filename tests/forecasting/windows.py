"""Windows and questions for tests of forecasters."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.local import ewma_fhs as of_fhs
from stages.forecasting.local import har as of_har
from stages.forecasting.local import persistence as of_persistence
from stages.forecasting.local import seasonal as of_seasonal
from stages.forecasting.local_backend import Forecast
from stages.params.forecaster import ForecasterParams, LocalWindows
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Past, Window
from tests.features.made_bars import section
from tests.questions.test_question import QUESTION

NO_COLUMNS = np.empty((0, 0))


def forecaster_params(**changes) -> ForecasterParams:
    """The committed section `forecaster`, with changes."""
    return ForecasterParams.model_validate(section("forecaster") | changes)


def question(horizon_min: int = 5, **changes) -> Question:
    """A question of five levels."""
    return replace(QUESTION, horizon_min=horizon_min, **changes)


def window(sessions_bp: list[list[float]]) -> Window:
    """Sessions of returns in bp, the last one in progress."""
    lengths = [len(session) for session in sessions_bp]
    minute = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
    returns = np.rint(np.concatenate(sessions_bp) * np.float64(UNITS_PER_BP)).astype(np.int64)
    return Window(
        ts_us=np.arange(len(returns)),
        session=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        minute=minute,
        returns=returns,
        hist_exog=NO_COLUMNS,
        futr_exog=NO_COLUMNS,
        past=Past.of(minute, returns),
    )


def changed(rows: Window, returns: NDArray[np.int64], first: int = 0) -> Window:
    """The rows from the `first` on, with these returns."""
    cut = {name: getattr(rows, name)[first:] for name in ("ts_us", "session", "minute")}
    return replace(rows, **cut, returns=returns[first:], past=Past.of(cut["minute"], returns[first:]))


def random_window(seed: int, sessions: int = 8, n_bars: int = 60, today: int = 20) -> Window:
    """Normal returns of 5 bp a minute."""
    rng = np.random.default_rng(seed)
    return window([rng.normal(0, 5, n).tolist() for n in [n_bars] * sessions + [today]])


def each_minute(forecast: Forecast) -> Callable[[Question, Window, LocalWindows], NDArray[np.float64]]:
    """A local forecaster, asked for every minute up to the horizon."""

    def answer(asked: Question, rows: Window, params: LocalWindows) -> NDArray[np.float64]:
        return forecast(asked, rows, np.arange(1, asked.horizon_min + 1), params)

    return answer


persistence, seasonal, fhs, har = (
    each_minute(one) for one in (of_persistence.persistence, of_seasonal.seasonal, of_fhs.ewma_fhs, of_har.har)
)
