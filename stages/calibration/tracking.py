"""Conformal PID control: an interval that follows the quantile of its own scores, without looking at a window of them.

Counting from the first outcome a symbol is corrected for, with `e` its misses in excess of the nominal share after `t`
outcomes, its offset is

    start + pid_step * e + pid_gain * tan(e * ln(t + 1) / (t * pid_saturation))

P, the step, follows a drift within days; I, the tangent, has little to say until misses pile up, and ever more then.
There is no D: nothing is added that would forecast the scores. `start` is what CQR would have added that day.

*Units*: offsets in the volatility of the row's horizon. The paper's tangent ends in the whole line; a forecast must
end somewhere, so I moves no level by more than `FARTHEST`.
*Time*: like every correction, a day's intervals know the outcomes of earlier sessions only. Excess is counted, not
summed, so cutting off the future changes no bit of the past.
*Source*: Angelopoulos, Candes, Tibshirani (2023), Conformal PID control for time series prediction, equations 4 to 6.
"""

import numpy as np
from numpy.typing import NDArray

from stages.calibration.params import CalibrationParams
from stages.calibration.past import NEVER, Block, Found, Ranks, order_statistics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NOMINAL = np.array([0.1, 0.5, 0.5, 0.1])[:, None]
FARTHEST = 10.0
RIGHT_ANGLE = np.pi / 2
DECIMALS = 9  # of an offset in its table: a tangent's last bits differ between machines


def tracked(block: Block, scores: Floats, ranks: Ranks, params: CalibrationParams) -> Found:
    """Offsets that follow each symbol's scores; `group` is the symbol, `n` the outcomes of its start and since."""
    known = order_statistics(block, scores, ranks, params)
    offsets, n, last_us = np.full(scores.shape, np.nan), np.zeros_like(known.n), np.full_like(known.last_us, NEVER)
    start, misses = np.full((4, len(block.symbols)), np.nan), np.zeros((4, len(block.symbols)))
    seen, seen_before, latest_us = (np.full(len(block.symbols), value) for value in (0, 0, NEVER))
    for today in block.by_session():
        for row in today[~np.isnan(known.offsets[0, today])]:
            symbol = block.symbol[row]
            if np.isnan(start[0, symbol]):
                start[:, symbol], seen_before[symbol] = known.offsets[:, row], known.n[row]
                latest_us[symbol] = known.last_us[row]
        symbol = block.symbol[today]
        offsets[:, today] = start[:, symbol] + _moved(misses[:, symbol], seen[symbol], params)
        n[today], last_us[today] = seen_before[symbol] + seen[symbol], latest_us[symbol]
        for row in today[~np.isnan(scores[0, today] + offsets[0, today])]:
            symbol = block.symbol[row]
            misses[:, symbol] += scores[:, row] > offsets[:, row]
            seen[symbol] += 1
            latest_us[symbol] = max(latest_us[symbol], block.known_us[row])
    return Found(offsets, np.array(block.symbols, dtype=object)[block.symbol], n, last_us)


def _moved(misses: Floats, seen: Ints, params: CalibrationParams) -> Floats:
    """P and I together, after `seen` outcomes of which `misses` were missed."""
    excess = misses - NOMINAL * seen
    angle = excess * np.log1p(seen) / (np.maximum(seen, 1) * params.pid_saturation)
    integral = np.clip(params.pid_gain * np.tan(np.clip(angle, -RIGHT_ANGLE, RIGHT_ANGLE)), -FARTHEST, FARTHEST)
    return np.round(params.pid_step * excess + integral, DECIMALS)
