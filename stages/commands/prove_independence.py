"""`make prove-independence`: ask the service one question alone and in company; equal answers license `api.pack`.

Costs two requests at most, within the budget, and says so before; one where an answer is stored, none where the proof
is. Needs api.mode online.
"""

from functools import partial
from pathlib import Path

from stages.configuration.compose import present
from stages.errors import GateNotMet
from stages.forecasting.backend import Asked
from stages.io.questions import read_questions
from stages.io.terminal import run, say
from stages.paid.backend import PaidBackend
from stages.paid.door import open_context, paid_params
from stages.runs.evidence import require_evidence
from stages.runs.scratch import market_of

REQUESTS = Path("artifacts/build_requests/requests")
CANDIDATES = 64


def main() -> None:
    """Some questions of the present run -> a recorded proof."""
    forecaster, api = paid_params("a proof")
    require_evidence("build_requests")
    questions = read_questions(REQUESTS)
    step = max(1, len(questions) // CANDIDATES)
    with market_of(present() or {}) as market:
        chosen = [Asked(one, partial(market.window, one)) for one in questions[::step][:CANDIDATES]]
        backend = PaidBackend(open_context(forecaster, api))
        independent = backend.prove_independence(chosen)
    if not independent:
        raise GateNotMet("a question was answered differently in company: api.pack must stay none; see `make spend`.")
    say("prove-independence", model=forecaster.model, epoch=forecaster.model_epoch, **backend.took)


if __name__ == "__main__":
    run(main)
