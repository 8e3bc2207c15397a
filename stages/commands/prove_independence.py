"""`make prove-independence`: ask the service one question alone and in company; equal answers license `api.pack`.

Costs two requests at most, within the budget, and says so before; one where an answer is stored, none where the proof
is. Needs api.mode online.
"""

from functools import partial
from pathlib import Path

from stages.errors import ConfigurationError, GateNotMet
from stages.forecasting.backend import Asked
from stages.forecasting.params import LOCAL, ApiParams, ForecasterParams
from stages.outside.configuration.composition import present
from stages.outside.entry import run, say
from stages.outside.paid.backends import open_shop
from stages.outside.paid.buying import PaidBackend
from stages.outside.question_files import read_questions
from stages.outside.runs.evidence import require_evidence
from stages.outside.runs.scratch import market_of
from stages.outside.settings import read_params

REQUESTS = Path("artifacts/build_requests/requests")
CANDIDATES = 64


def main() -> None:
    """Some questions of the present run -> a recorded proof."""
    forecaster, api = read_params(ForecasterParams), read_params(ApiParams)
    if forecaster.deployment == LOCAL or api.mode != "online":
        raise ConfigurationError(
            f"forecaster.name is {forecaster.name} and api.mode {api.mode}: a proof asks the paid service, so choose "
            "forecaster=timegpt and api=online first."
        )
    require_evidence("build_requests")
    questions = read_questions(REQUESTS)
    step = max(1, len(questions) // CANDIDATES)
    with market_of(present() or {}) as market:
        chosen = [Asked(one, partial(market.window, one)) for one in questions[::step][:CANDIDATES]]
        backend = PaidBackend(open_shop(forecaster, api))
        independent = backend.prove_independence(chosen)
    if not independent:
        raise GateNotMet("a question was answered differently in company: api.pack must stay none; see `make spend`.")
    say("prove-independence", model=forecaster.model, epoch=forecaster.model_epoch, **backend.took)


if __name__ == "__main__":
    run(main)
