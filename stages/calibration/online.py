"""Online calibration: adaptive conformal inference (ACI), and conformal PID control.

ACI: the rank of the picked past score follows a level alpha per symbol and interval, which moves after every outcome,
in order of realisation, by `calibration.aci_gamma * (nominal - missed)`. A symbol with too many misses gets wider
intervals. Over a long run the share of misses approaches the nominal share for any market; a short run has no
guarantee.

PID: counting from the first outcome a symbol is corrected for, with `e` its misses in excess of the nominal share after
`t` outcomes, its offset is

    start + pid_step * e + pid_gain * tan(e * ln(t + 1) / (t * pid_saturation))

P, the step, follows a drift within days. I, the tangent, is small until misses accumulate, then grows quickly. There is
no D, which would forecast the scores. `start` is the CQR offset of the first day. The share of misses approaches the
nominal share only over a long run: in a drift of some months the default step follows too slowly. `bench_drift` prints
the coverage in that case for `pid` and `aci`, which is closer.

*Units*: offsets in the volatility of the row's horizon. In the paper the tangent can give the whole line; here I moves
no level by more than `FARTHEST`.
*Time*: a day's intervals use outcomes of earlier sessions only. Excess is counted, not summed, so cutting off the
future changes no bit of the past.
*Source*: Gibbs, Candes (2021), Adaptive conformal inference under distribution shift, equation 2; Angelopoulos, Candes,
Tibshirani (2023), Conformal PID control for time series prediction, equations 4 to 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.calibration.past import NEVER, Block, Corrections, Floats, Ints, Ranks, Served, order_statistics
from stages.params.calibration import CalibrationParams

NOMINAL = np.array([0.1, 0.5, 0.5, 0.1])[:, None]
LOWEST, HIGHEST = 0.01, 0.99


def adaptive(
    block: Block, scores: Floats, pieces: Sequence[Served], ranks: Ranks, params: CalibrationParams
) -> Corrections:
    """Offsets by adaptive levels; `ranks` has only decided which pasts are long enough."""
    offsets, learnt_us = np.full(scores.shape, np.nan), np.full(scores.shape[1], NEVER)
    alpha, last_us = np.repeat(NOMINAL, len(block.symbols), axis=1), np.full(len(block.symbols), NEVER)
    of_piece, place = np.full(scores.shape[1], len(pieces)), np.zeros(scores.shape[1], np.int64)
    for number, piece in enumerate(pieces):
        of_piece[piece.rows], place[piece.rows] = number, np.arange(len(piece.rows))
    for today in block.by_session():
        learnt_us[today] = last_us[block.symbol[today]]
        for number, piece in enumerate(pieces):
            rows = today[of_piece[today] == number]
            if not len(rows):
                continue
            chosen = place[rows]
            offsets[:, rows] = piece.pick(chosen, _rank(piece.n[chosen], alpha[:, block.symbol[rows]]))
        settled = today[~np.isnan(scores[0, today] + offsets[0, today])]
        steps = params.aci_gamma * (NOMINAL - (scores[:, settled] > offsets[:, settled]))
        symbol, known_us = block.symbol[settled], block.known_us[settled]
        for first, end in pairwise([0, *np.flatnonzero(np.diff(known_us)) + 1, len(settled)]):  # a symbol once in each
            mine = symbol[first:end]
            alpha[:, mine] = np.minimum(np.maximum(alpha[:, mine] + steps[:, first:end], LOWEST), HIGHEST)
        last_us[symbol] = known_us  # of several, the last one
    corrections = Corrections.of(offsets, pieces)
    return replace(corrections, last_us=np.maximum(corrections.last_us, learnt_us))


def _rank(n: Ints, alpha: Floats) -> Ints:
    """ceil((n + 1)(1 - alpha)), at most n; rounded first, so that 63.000000000000007 is 63."""
    return np.minimum(np.ceil(np.round((n + 1) * (1.0 - alpha), 9)).astype(np.int64), n)


FARTHEST = 10.0
RIGHT_ANGLE = np.pi / 2
DECIMALS = 9  # of a stored offset: a tangent's last bits differ between machines


@dataclass
class _Tracks:
    """The state of each symbol. *Shapes*: start, misses (4, symbols), the rest (symbols,)."""

    start: Floats
    misses: Floats
    n_start: Ints
    seen: Ints
    latest_us: Ints

    @classmethod
    def of(cls, n: int) -> "_Tracks":
        never, none = np.full(n, NEVER), np.zeros(n, np.int64)
        return cls(np.full((4, n), np.nan), np.zeros((4, n)), none, none.copy(), never)

    def begin(self, rows: Ints, symbol: Ints, known: Corrections) -> None:
        """Start symbols that are corrected for the first time, at the offset of their first row in `known`."""
        new = ~np.isnan(known.offsets[0, rows]) & np.isnan(self.start[0, symbol])
        if not new.any():
            return
        symbols, first = np.unique(symbol[new], return_index=True)
        origin = rows[new][first]
        self.start[:, symbols], self.n_start[symbols] = known.offsets[:, origin], known.n[origin]
        self.latest_us[symbols] = known.last_us[origin]

    def learn(self, missed: NDArray[np.bool_], symbol: Ints, known_us: Ints) -> None:
        """Add the outcomes of a session. *Shapes*: missed (4, n), symbol and known_us (n,)."""
        np.add.at(self.misses.T, symbol, missed.T)
        np.add.at(self.seen, symbol, 1)
        np.maximum.at(self.latest_us, symbol, known_us)

    def offsets(self, params: CalibrationParams) -> Floats:
        """Start, P and I together, after `seen` outcomes with `misses` misses."""
        excess = self.misses - NOMINAL * self.seen
        angle = excess * np.log1p(self.seen) / (np.maximum(self.seen, 1) * params.pid_saturation)
        integral = np.clip(params.pid_gain * np.tan(np.clip(angle, -RIGHT_ANGLE, RIGHT_ANGLE)), -FARTHEST, FARTHEST)
        return self.start + np.round(params.pid_step * excess + integral, DECIMALS)


def tracked(
    block: Block, scores: Floats, pieces: Sequence[Served], ranks: Ranks, params: CalibrationParams
) -> Corrections:
    """Offsets that follow each symbol's scores; `group` is the symbol, `n` the outcomes of its start and since."""
    known = order_statistics(block, scores, pieces, ranks, params)
    tracks = _Tracks.of(len(block.symbols))
    offsets, n, last_us = np.full(scores.shape, np.nan), np.zeros_like(known.n), np.full_like(known.last_us, NEVER)
    for today in block.by_session():
        symbol = block.symbol[today]
        tracks.begin(today, symbol, known)
        offsets[:, today] = tracks.offsets(params)[:, symbol]
        n[today], last_us[today] = (tracks.n_start + tracks.seen)[symbol], tracks.latest_us[symbol]
        settled = ~np.isnan(scores[0, today] + offsets[0, today])
        rows = today[settled]
        tracks.learn(scores[:, rows] > offsets[:, rows], symbol[settled], block.known_us[rows])
    return Corrections(offsets, np.array(block.symbols, dtype=object)[block.symbol], n, last_us)
