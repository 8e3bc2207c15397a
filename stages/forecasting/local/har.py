"""Heterogeneous autoregression of volatility (HAR): the spread follows the volatility of the last hour, day and week.

The pattern p of a minute is the usual size of a return around it, and q = (return / p)^2 what is unusual. Per horizon,
the mean of the next q's is regressed on their overall mean and on four exponentially weighted means of past q's, with
coefficients of at least 0. Past moves divided by their predicted scale, and mirrored, give the quantiles of today's
move per unit of its scale; so the median is 0.

Coefficients and past moves come from complete earlier sessions, so the snapshots of a day share them. With too few of
these sessions, the answer is that of `ewma_fhs`.

*Shapes*: `ahead` (steps,), minutes; `Fit.beta` (5, steps), `Fit.z` (levels, steps), a column for each of them. A
session is a row, with 0 after its close: (sessions, minutes); weighted means (half-lives, sessions, fives of minutes).
*Units*: bp of log return; q is a number.
*Time*: a weighted mean counts the bars before the minute that it predicts.
*Source*: Corsi (2009), J. Financial Econometrics 7(2), on minutes instead of days; coefficients by
`scipy.optimize.nnls`.
"""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stages.forecasting.local.ewma_fhs import SMALLEST_BP, ewma_fhs
from stages.forecasting.quantiles import linear
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Past, Window

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF_LIVES_MIN = (10, 60, 390, 1950)
DECAYS = 0.5 ** (1 / np.array(HALF_LIVES_MIN))
HOUR = HALF_LIVES_MIN.index(60)
AROUND_MIN = 15  # the pattern of a minute is the mean over this many minutes on either side
OPENING_MIN = 5  # these minutes are unlike their neighbours and stand alone
FIRST_MIN, STEP_MIN = 10, 5  # minutes known at the rows of the regression
SMALLEST = 1e-3  # of a variance relative to the pattern
FEWEST_SESSIONS, FEWEST_ROWS = 4, 20
BLOCK = 500  # rows that are decomposed at once, in cache


@dataclass(frozen=True)
class Fit:
    """What complete sessions say about the days after them."""

    ahead: Ints
    pattern: Floats  # by minute of the session
    mean: float
    ewma: Floats  # after the last complete session
    beta: Floats
    z: Floats

    def answer(self, today: Floats) -> Floats:
        """Quantiles in bp after today's returns so far, (levels, steps)."""
        known = len(today)
        now = self.ewma * DECAYS**known + _weights(known) @ (today / self.pattern[:known]) ** 2
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
    """The fit on complete sessions, for so many minutes ahead; None where too few rows see the horizon."""
    ahead, lengths = np.array(steps), np.diff(past.starts)
    session, minute = _rows(lengths)
    left = lengths[session] - minute
    if np.count_nonzero(left >= horizon) < FEWEST_ROWS:
        return None
    pattern, q = _unusual(past, lengths, horizon)
    mean = float(q.sum() / len(past.returns))
    before, last = ewma_before(q, lengths, mean)
    seen = np.searchsorted(-left, -ahead, side="right")  # so many rows, from the first on, see each step to its end
    x = np.column_stack([np.full(len(minute), mean), before[:, session, minute // STEP_MIN].T])
    beta = _coefficients(x, _means_ahead(q, session, minute, ahead, seen), seen)

    usual, known = np.cumsum(np.append(0, pattern**2)), past.starts[session] + minute - 1
    z = np.empty((len(levels), len(ahead)))
    for step, rows in enumerate(seen):
        variance = np.maximum(x[:rows] @ beta[:, step], SMALLEST) * _next(usual, minute[:rows], ahead[step])
        move = np.abs(_next(past.level, known[:rows], ahead[step])) / UNITS_PER_BP
        size = np.sort(move / np.sqrt(variance))
        z[:, step] = linear(np.concatenate([-size[::-1], size])[None], levels)[:, 0]  # with both signs
    return Fit(ahead, pattern, mean, last, beta, z)


def _unusual(past: Past, lengths: Ints, horizon: int) -> tuple[Floats, Floats]:
    """The pattern, up to a horizon after the longest session, and q: a row a session, a whole number of fives long."""
    longest = int(lengths.max())
    held = np.arange(-(-longest // STEP_MIN) * STEP_MIN) < lengths[:, None]
    bp = np.zeros(held.shape)
    bp[held] = past.returns / UNITS_PER_BP
    pattern = usual_by_minute((bp[:, :longest] ** 2).sum(axis=0) / held[:, :longest].sum(axis=0), horizon)
    bp[:, :longest] /= pattern[:longest]
    return pattern, bp**2


def _means_ahead(q: Floats, session: Ints, minute: Ints, ahead: Ints, seen: Ints) -> Floats:
    """The mean of the next q's, (rows, steps), and 0 where the session ends before."""
    total = np.zeros((len(q), q.shape[1] + 1))
    np.cumsum(q, axis=1, out=total[:, 1:])
    means, at = np.zeros((len(minute), len(ahead))), session * total.shape[1] + minute
    for step, rows in enumerate(seen):
        means[:rows, step] = _next(total, at[:rows], ahead[step]) / ahead[step]
    return means


def _coefficients(x: Floats, future: Floats, seen: Ints) -> Floats:
    """Of each step, by rows that count in proportion to the last hour's volatility."""
    both = np.column_stack([x, future])
    both /= np.maximum(x[:, 1 + HOUR], SMALLEST)[:, None]
    n, fewest = x.shape[1], seen.min()
    shared = both[:0]  # for the rows that every step sees, their triangle
    for block in np.split(both[:fewest], range(BLOCK, fewest, BLOCK)):
        shared = _triangle(np.concatenate([shared, block]))
    stacked = (np.concatenate([shared, both[fewest:rows]]) for rows in seen)
    return np.column_stack([non_negative(rows[:, :n], rows[:, n + step]) for step, rows in enumerate(stacked)])


def usual_by_minute(square: Floats, beyond: int) -> Floats:
    """Root mean square return around each minute of a session, and around the opening minutes of each alone.

    `square`: the mean square return of each minute. Minutes `beyond` the close take the mean of the last five.
    """
    last = np.full(beyond + AROUND_MIN, square[-OPENING_MIN:].mean())
    padded = np.concatenate([np.full(AROUND_MIN, square[:OPENING_MIN].mean()), square, last])
    around = sliding_window_view(padded, 2 * AROUND_MIN + 1).mean(axis=1)
    around[:OPENING_MIN] = square[:OPENING_MIN]
    usual: Floats = np.maximum(np.sqrt(around), SMALLEST_BP)
    return usual


def ewma_before(q: Floats, lengths: Ints, start: float) -> tuple[Floats, Floats]:
    """The weighted means before each five minutes of each session, and after the last session, (half-lives,).

    A product of matrices adds up five minutes, another one those of a session; from session to session it is a sum.
    """
    minutes = q.shape[1]
    fives = (_weights(STEP_MIN) @ q.reshape(-1, STEP_MIN).T).reshape(len(DECAYS), len(q), -1)
    within = fives @ _fading(minutes // STEP_MIN)
    faded = DECAYS ** lengths[:, None]
    added = within[:, :, -1].T * DECAYS ** (lengths[:, None] - minutes)
    by_session = zip(faded, added, strict=True)
    *opens, last = accumulate(by_session, lambda mean, of: mean * of[0] + of[1], initial=np.full(len(DECAYS), start))
    within += np.transpose(opens)[:, :, None] * (DECAYS[:, None] ** np.arange(0, minutes + 1, STEP_MIN))[:, None]
    return within, last


@cache
def _weights(minutes: int) -> Floats:
    """What each of the last minutes, oldest first, weighs in the means, (half-lives, minutes)."""
    weights: Floats = (1 - DECAYS[:, None]) * DECAYS[:, None] ** np.arange(minutes)[::-1]
    return weights


@cache
def _fading(fives: int) -> Floats:
    """What is left of each five minutes at the start of each later one, (half-lives, fives, fives + 1)."""
    since = np.arange(fives + 1) - np.arange(1, fives + 1)[:, None]
    fading: Floats = np.where(since >= 0, DECAYS[:, None, None] ** (STEP_MIN * np.maximum(since, 0)), 0)
    return fading


def non_negative(x: Floats, y: Floats) -> Floats:
    """Least-squares coefficients of at least 0, from the triangle of both: five rows instead of thousands."""
    from scipy.optimize import nnls  # a slow import

    n = x.shape[1]
    triangle = _triangle(np.column_stack([x, y]))[:n]
    coefficients: Floats = nnls(triangle[:, :n], triangle[:, n])[0]
    return coefficients


def _triangle(rows: Floats) -> Floats:
    """The triangle of a QR decomposition, whose columns have the same least squares."""
    triangle: Floats = np.asarray(np.linalg.qr(rows, mode="r"))
    return triangle


def _rows(lengths: Ints) -> tuple[Ints, Ints]:
    """Rows of the regression: the session and the minute of each, those with the most minutes left first.

    The first session is left out: its weighted means have hardly any past.
    """
    minutes = np.arange(FIRST_MIN, lengths.max(), STEP_MIN)
    left = lengths[1:, None] - minutes
    order = np.argsort(-left, axis=None, kind="stable")[: np.count_nonzero(left > 0)]
    session, at = np.unravel_index(order, left.shape)
    return 1 + session, minutes[at]


def _next(total: NDArray[Any], at: Ints, minutes: int) -> NDArray[Any]:
    """The sums over the next minutes, from running totals."""
    sums: NDArray[Any] = total.take(at + minutes) - total.take(at)
    return sums
