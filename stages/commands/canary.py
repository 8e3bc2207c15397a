"""`make canary`: has the model changed under its name? One stored question is bought again and compared.

One request, counted, whose price is said first; the stored answer stays. Needs api.mode online. Exit 3 when the answers
differ: then what is stored and what would be bought now come from two models, and `forecaster.model_epoch` must say so.
"""

from datetime import UTC, datetime
from functools import partial

from stages.commands.prove_independence import REQUESTS
from stages.configuration.compose import present
from stages.errors import GateNotMet
from stages.forecasting.backend import Asked
from stages.io.questions import read_questions
from stages.io.terminal import run
from stages.paid.backend import PaidBackend
from stages.paid.batch_invariance import TOLERANCE
from stages.paid.door import open_context, paid_params
from stages.runs.evidence import require_evidence
from stages.runs.scratch import market_of


def main() -> None:
    """A stored question of the present run -> whether it is answered as before."""
    forecaster, api = paid_params("a canary")
    require_evidence("build_requests")
    with market_of(present() or {}) as market:
        asked = [Asked(one, partial(market.window, one)) for one in read_questions(REQUESTS)]
        question, same, difference = PaidBackend(open_context(forecaster, api)).ask_canary(asked)
    told = f"{question.symbol} at {question.snapshot_utc:%Y-%m-%d %H:%MZ} (key {question.key[:8]})"
    model, epoch = forecaster.model, forecaster.model_epoch
    apart = f"{difference:.2g} of the answer's range apart, {TOLERANCE:g} allowed"
    if not same:
        raise GateNotMet(
            f"{model} now answers {told} differently ({apart}): the model changed under its name. Stored answers stay; "
            f"new ones belong to a new epoch: forecaster.model_epoch='{_next(epoch)}' asks every question anew."
        )
    print(f"canary: {model} (epoch {epoch}) answers {told} as before: {apart}")


def _next(epoch: str) -> str:
    """The present month, or the present day where that month is the epoch already."""
    today = datetime.now(UTC)
    month = f"{today:%Y-%m}"
    return month if month != epoch else f"{today:%Y-%m-%d}"


if __name__ == "__main__":
    run(main)
