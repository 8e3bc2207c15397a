"""The price stays where it is; the spread is that of past moves over as many minutes. Pure Python.

A forecaster for `forecaster=command` (docs/COMMAND_FORECASTER.md): a question a line in, an answer a line out.
"""

import json
import sys
from statistics import quantiles

ROWS = 2_000  # latest minutes that count: about five sessions


def answer(question):
    """The quantiles of past moves around their middle, one list a level with one number a minute ahead."""
    y_bp, by_step = question["y_bp"][-ROWS:], []
    for step in range(1, question["horizon_min"] + 1):
        moves = [later - earlier for earlier, later in zip(y_bp, y_bp[step:], strict=False)]
        cuts = quantiles(moves, n=100)  # of 1 to 99 %
        by_step.append([cuts[level - 1] - cuts[49] for level in question["levels"]])
    return [list(level) for level in zip(*by_step, strict=True)]


for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps({"key": question["key"], "quantiles_bp": answer(question)}), flush=True)
