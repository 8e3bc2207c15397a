"""The forecaster of the library skaters, `uv pip install -c requirements.txt skaters==0.16.0`.

It is online, so it reads the latest returns one by one and then knows the distribution of the next. Over h minutes the
distance from the mean grows with the root of h, as in a random walk. Its authors advise against it for prices.
A forecaster for `forecaster=command` (docs/COMMAND_FORECASTER.md): a question a line in, an answer a line out.
"""

import json
import sys
from itertools import pairwise

from skaters import laplace

RETURNS = 390  # latest minutes that count: one session


def answer(question):
    """One list a level with one number a minute ahead."""
    y_bp = question["y_bp"][-RETURNS - 1 :]
    forecaster, state = laplace(k=1), None
    for before, after in pairwise(y_bp):
        (minute, *_), state = forecaster(after - before, state)  # a state a question: no answer depends on another
    steps = range(1, question["horizon_min"] + 1)
    away = [minute.quantile(level / 100) - minute.mean for level in question["levels"]]
    return [[step * minute.mean + step**0.5 * one for step in steps] for one in away]


for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps({"key": question["key"], "quantiles_bp": answer(question)}), flush=True)
