"""Adaptive conformal inference: a symbol that missed too often gets wider intervals until it no longer does.

The rank of the past score that is picked follows a level alpha per symbol and interval, moved after every outcome, in
order of realisation, by `calibration.aci_gamma * (nominal - missed)`. Over a long run the share of misses comes to the
nominal one whatever the market does; over a short one nothing is promised.

*Time*: like every correction, a day's intervals know the outcomes of earlier sessions only.
*Source*: Gibbs, Candes (2021), Adaptive conformal inference under distribution shift, equation 2.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.calibration.params import CalibrationParams
from stages.calibration.past import NEVER, Block, Found, Ranks, serve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NOMINAL = np.array([0.1, 0.5, 0.5, 0.1])[:, None]
LOWEST, HIGHEST = 0.01, 0.99


def adaptive(block: Block, scores: Floats, ranks: Ranks, params: CalibrationParams) -> Found:
    """Offsets by levels that learn; `ranks` only says when a past is long enough."""
    pieces = list(serve(block, scores, ranks, params))
    offsets, learnt_us = np.full(scores.shape, np.nan), np.full(scores.shape[1], NEVER)
    alpha, last_us = np.repeat(NOMINAL, len(block.symbols), axis=1), np.full(len(block.symbols), NEVER)
    for today in block.by_session():
        learnt_us[today] = last_us[block.symbol[today]]
        for piece in pieces:
            rows, chosen, _ = np.intersect1d(piece.rows, today, assume_unique=True, return_indices=True)
            offsets[:, rows] = piece.pick(chosen, _rank(piece.n[piece.at[chosen]], alpha[:, block.symbol[rows]]))
        for row in today[~np.isnan(scores[0, today] + offsets[0, today])]:
            symbol = block.symbol[row]
            missed = scores[:, row] > offsets[:, row]
            alpha[:, symbol] = np.clip(alpha[:, symbol] + params.aci_gamma * (NOMINAL[:, 0] - missed), LOWEST, HIGHEST)
            last_us[symbol] = block.known_us[row]
    found = Found.of(offsets, pieces)
    return replace(found, last_us=np.maximum(found.last_us, learnt_us))


def _rank(n: Ints, alpha: Floats) -> Ints:
    """ceil((n + 1)(1 - alpha)), kept within what is there; rounded first, so that 63.000000000000007 is 63."""
    wanted = np.ceil(np.round((n + 1) * (1.0 - alpha), 9)).astype(np.int64)
    return np.clip(wanted, 1, n)
