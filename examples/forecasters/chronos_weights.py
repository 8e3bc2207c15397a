"""An open-weights foundation model, Chronos-2 or Chronos-Bolt, from a folder of weights that the command names.

`uv pip install -c requirements.txt chronos-forecasting==2.3.2` (brings torch). Put `config.json` and
`model.safetensors` into `weights/chronos-2`, keep that folder out of git, and state `command: [python,
examples/forecasters/chronos_weights.py, weights/chronos-2]` with both paths in `files`. Weights are read from disk
alone: a run that fetched them would not know what it asks. Chronos-Bolt knows the levels from 10 to 90 %, so its 5 and
95 % are those.
A forecaster for `forecaster=command` (docs/COMMAND_FORECASTER.md): a question a line in, an answer a line out.
"""

import json
import sys

import torch
from chronos import BaseChronosPipeline

ROWS = 2_048  # latest minutes that are read


def answer(pipeline, question):
    """One list a level with one number a minute ahead."""
    levels = [level / 100 for level in question["levels"]]
    past = torch.tensor(question["y_bp"][-ROWS:], dtype=torch.float32)
    found, _ = pipeline.predict_quantiles([past], question["horizon_min"], quantile_levels=levels)
    steps = found[0].reshape(question["horizon_min"], len(levels)).double()
    return steps.sort(dim=1).values.T.tolist()  # a model may cross its levels, an answer may not


torch.set_num_threads(1)  # sums in one order: the same question has the same answer
pipeline = BaseChronosPipeline.from_pretrained(sys.argv[1], device_map="cpu", local_files_only=True)
for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps({"key": question["key"], "quantiles_bp": answer(pipeline, question)}), flush=True)
