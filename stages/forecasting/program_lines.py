"""What a program of the user's reads and writes: a question as a line of JSON, an answer as a line of JSON.

docs/COMMAND_FORECASTER.md is the contract in full. A field of a question may be added; none changes its meaning.

*Shapes*: per row, oldest first, (rows,): `y_bp`, `ts`, `minute` and every column of `hist_exog`; per minute asked,
(horizon,): every column of `futr_exog`; an answer's `quantiles_bp` (levels, horizon).
*Units*: `y_bp` and `quantiles_bp` in bp of log return from the last row; `ts` in Unix seconds.
*Time*: the last row is the last bar known at the snapshot; `ts` is the start of a bar.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.questions.question import Question
from stages.questions.window import Window


def question_line(question: Question, window: Window) -> bytes:
    """The question with the rows it sends."""
    past = dict(zip(question.hist_exog + question.futr_exog, window.hist_exog.T.tolist(), strict=True))
    ahead = dict(zip(question.futr_exog, window.futr_exog.T.tolist(), strict=True))
    document = {
        "key": question.key,
        "symbol": question.symbol,
        "snapshot_utc": f"{question.snapshot_utc:%Y-%m-%dT%H:%M:%SZ}",
        "horizon_min": question.horizon_min,
        "levels": list(question.levels),
        "y_bp": window.y_bp.tolist(),
        "ts": (window.ts_us // 1_000_000).tolist(),
        "minute": window.minute.tolist(),
        "hist_exog": past,
        "futr_exog": ahead,
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def answer_in(line: bytes) -> tuple[str, NDArray[np.float64]]:
    """The key and the quantiles of an answer. `ValueError` says what the line is instead."""
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    key = reply.get("key") if isinstance(reply, dict) else None
    if not isinstance(key, str):
        raise ValueError("no object with the `key` of a question")
    return key, _table(reply.get("quantiles_bp"))


def _table(rows: Any) -> NDArray[np.float64]:
    """A list of lists of numbers as an array; null is NaN."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise ValueError("an answer whose `quantiles_bp` is not a list of lists")
    if any(type(value) not in (int, float, type(None)) for row in rows for value in row):
        raise ValueError("an answer whose `quantiles_bp` holds something other than numbers")
    if len({len(row) for row in rows}) != 1:
        raise ValueError("an answer whose levels are of different lengths")
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError:
        raise ValueError("an answer whose `quantiles_bp` holds a number too large for a float") from None
