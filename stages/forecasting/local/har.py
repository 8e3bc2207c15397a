"""Heterogeneous autoregression of volatility (HAR): the spread follows the volatility of the last hour, day and week.

The pattern p of a minute is the usual size of a return around it, and q = (return / p)^2 the relative variance. Per
horizon, the mean of the next q's is regressed on the overall mean and on four exponentially weighted means of past q's,
with coefficients of at least 0. Past moves divided by their predicted scale, with both signs, give the quantiles of
today's move per unit of its scale; so the median is 0.

Coefficients and past moves come from complete earlier sessions, so the snapshots of a day share them. With too few of
these sessions, the answer is that of `ewma_fhs`.

*Shapes*: `ahead` (steps,), minutes; `Fit.beta` (5, steps), `Fit.z` (levels, steps), a column for each of them.
*Units*: bp of log return; q is a number.
*Time*: a weighted mean counts the bars before the minute that it predicts.
*Source*: Corsi (2009), J. Financial Econometrics 7(2), on minutes instead of days; coefficients by
`scipy.optimize.nnls`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stages.forecasting.local.ewma_fhs import SMALLEST_BP, ewma_fhs, ewma_from
from stages.forecasting.quantiles import linear
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Past, Window

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF_LIVES_MIN = (10, 60, 390, 1950)
HOUR = HALF_LIVES_MIN.index(60)
AROUND_MIN = 15  # the pattern of a minute is the mean over this many minutes on either side
OPENING_MIN = 5  # these minutes differ from their neighbours and are not smoothed
FIRST_MIN, STEP_MIN = 10, 5  # minutes known at the rows of the regression
SMALLEST = 1e-3  # of a variance relative to the pattern
SMALLEST_SHARE = 0.1  # of the usual return: the least that a minute is assumed to move
FEWEST_SESSIONS, FEWEST_ROWS = 4, 20


@dataclass(frozen=True)
class Fit:
    """The model fitted on complete sessions, for the sessions after them."""

    ahead: Ints
    pattern: Floats  # by minute of the session
    mean: float
    ewma: Floats  # after the last complete session
    beta: Floats
    z: Floats

    def answer(self, today: Floats) -> Floats:
        """Quantiles in bp after today's returns so far, (levels, steps)."""
        known = len(today)
        now = _ewma((today / self.pattern[:known]) ** 2, self.ewma)[-1]
        variance = np.maximum(np.array([self.mean, *now]) @ self.beta, SMALLEST)
        usual = np.cumsum(self.pattern[known : known + self.ahead[-1]] ** 2)[self.ahead - 1]
        scaled: Floats = self.z * np.sqrt(variance * usual)
        return scaled


def har(question: Question, window: Window, ahead: Ints, params: LocalWindows) -> Floats:
    """Quantiles in bp, (levels, steps)."""
    past, fit = window.past.latest(params.lookback_sessions), None
    if len(past) >= FEWEST_SESSIONS:
        fit = past.once(fit_sessions, tuple(ahead.tolist()), question.horizon_min, question.levels)
    if fit is None:
        return ewma_fhs(question, window, ahead, params)
    return fit.answer(window.returns[window.today] / UNITS_PER_BP)


def fit_sessions(past: Past, steps: tuple[int, ...], horizon: int, levels: tuple[int, ...]) -> Fit | None:
    """The fit on complete sessions for these minutes ahead; None if too few rows have the whole horizon ahead."""
    ahead, minute = np.array(steps), past.minute
    bp = past.returns / UNITS_PER_BP
    pattern = usual_by_minute(bp, minute, int(minute.max()) + 1 + horizon)
    q = (bp / pattern[minute]) ** 2
    before = _ewma(q, np.full(len(HALF_LIVES_MIN), q.mean()))

    rows, left = _rows(past.starts)
    if np.count_nonzero(left >= horizon) < FEWEST_ROWS:
        return None
    x = np.column_stack([np.full(len(rows), q.mean()), before[rows]])
    weight = 1 / np.maximum(x[:, 1 + HOUR], SMALLEST)
    future = _sums(q, rows, left, ahead) / ahead[:, None] * weight
    usual = _sums(pattern[minute] ** 2, rows, left, ahead)
    moves = np.abs(_sums(past.returns, rows, left, ahead) / UNITS_PER_BP)

    beta, z = np.empty((x.shape[1], len(ahead))), np.empty((len(levels), len(ahead)))
    for some, seen in _with_equal_rows(left, ahead):
        beta[:, some] = non_negative(x[:seen] * weight[:seen, None], future[some, :seen])
        variance = np.maximum(beta[:, some].T @ x[:seen].T, SMALLEST)
        size = np.sort(moves[some, :seen] / np.sqrt(variance * usual[some, :seen]))
        z[:, some] = linear(np.concatenate([-size[:, ::-1], size], axis=1), levels)  # with both signs
    return Fit(ahead, pattern, float(q.mean()), before[-1], beta, z)


def usual_by_minute(bp: Floats, minute: NDArray[np.int32], length: int) -> Floats:
    """Root mean square return around each minute of a session; opening minutes are not smoothed.

    Minutes beyond the longest session take the mean of its last five. No value is below a tenth of the usual return:
    with coarse ticks an opening minute may never have moved before, and its next tick is no sign of a volatile day.
    """
    square = np.bincount(minute, weights=bp**2) / np.bincount(minute)
    last = np.full(length - len(square) + AROUND_MIN, square[-OPENING_MIN:].mean())
    padded = np.concatenate([np.full(AROUND_MIN, square[:OPENING_MIN].mean()), square, last])
    around = sliding_window_view(padded, 2 * AROUND_MIN + 1).mean(axis=1)
    around[:OPENING_MIN] = square[:OPENING_MIN]
    usual: Floats = np.maximum(np.sqrt(around), max(SMALLEST_BP, SMALLEST_SHARE * float(np.sqrt(np.mean(bp**2)))))
    return usual


def non_negative(x: Floats, y: Floats) -> Floats:
    """Least-squares coefficients of at least 0, a column for each row of `y`.

    The R factor of a QR decomposition of `x` and `y` gives the same least squares in five rows.
    """
    from scipy.optimize import nnls  # a slow import

    n = x.shape[1]
    triangle: Floats = np.asarray(np.linalg.qr(np.column_stack([x, y.T]), mode="r"))[:n]
    return np.column_stack([nnls(triangle[:, :n], target)[0] for target in triangle[:, n:].T])


def _ewma(q: Floats, start: Floats) -> Floats:
    """The weighted means before each bar, and after the last, (bars + 1, half-lives)."""
    pairs = zip(HALF_LIVES_MIN, start, strict=True)
    return np.column_stack([ewma_from(float(first), q, 0.5 ** (1 / minutes)) for minutes, first in pairs])


def _rows(starts: Ints) -> tuple[Ints, Ints]:
    """Rows of the regression, as the number of bars before them, and the number of bars left in the session.

    Rows with the most bars left come first. The first session is left out, as its weighted means have hardly any past.
    """
    lengths = np.diff(starts)[1:, None]
    minutes = np.arange(FIRST_MIN, lengths.max(), STEP_MIN)
    rows, left = starts[1:-1, None] + minutes, lengths - minutes
    some = left > 0
    rows, left = rows[some], left[some]
    order = np.argsort(-left, kind="stable")
    return rows[order], left[order]


def _sums(values: NDArray[np.generic], rows: Ints, left: Ints, ahead: Ints) -> Floats:
    """Sums over the next `ahead` bars, (steps, rows), cut off at the end of the session."""
    total = np.concatenate([[0], np.cumsum(values)])
    sums: Floats = total[rows + np.minimum(ahead[:, None], left)] - total[rows]
    return sums


def _with_equal_rows(left: Ints, ahead: Ints) -> list[tuple[slice, int]]:
    """Slices of steps that fit into the session from the same rows, and the number of these rows, the first ones."""
    seen = np.searchsorted(-left, -ahead, side="right")
    first = np.flatnonzero(np.diff(seen, prepend=-1))
    return [(slice(begin, end), int(seen[begin])) for begin, end in pairwise([*first, len(ahead)])]
