"""The one door to every forecaster: local ones answer here, TimeGPT is bought."""

import json

from stages.errors import ConfigurationError
from stages.forecasting.backend import Backend
from stages.forecasting.params import LOCAL, ApiParams, ForecasterParams
from stages.outside.clock import SystemClock
from stages.outside.driver import demand_driver
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.buying import PaidBackend
from stages.outside.paid.claims import Attempts, home_of
from stages.outside.paid.ledger import Ledger, Limits
from stages.outside.paid.ledger_face import budget_face
from stages.outside.paid.seller import Seller
from stages.outside.paid.shop import Shop
from stages.outside.places import Folder, Place
from stages.outside.settings import read_params
from stages.outside.sharing import shared_place
from stages.outside.workspace import experiment_name, main_root, store_root

FACE = "artifacts/api_budget.json"


def open_backend(forecaster: ForecasterParams) -> Backend:
    """The backend that `forecaster.name` names; local runs import neither the SDK nor pandas."""
    if forecaster.deployment == LOCAL:
        from stages.forecasting.local import LOCAL_FORECASTERS  # prices and purchases need no scipy

        return LOCAL_FORECASTERS[forecaster.name](forecaster)
    demand_driver("the paid backend")
    return PaidBackend(open_shop(forecaster, read_params(ApiParams)))


def open_shop(forecaster: ForecasterParams, api: ApiParams) -> Shop:
    """Store, ledger and seller of this workspace."""
    local, remote = Folder(store_root()), shared_place(api)
    ledger = open_ledger(api, local, remote)
    attempts = None
    if ledger.place is not local:
        attempts = Attempts(ledger.place, ledger.run, api.max_attempts, home_of(local))

    def open_seller() -> Seller:
        from stages.outside.paid.timegpt import TimeGPT  # only buyers pay for its import

        return TimeGPT(forecaster, api.timeout_sec)

    store = AnswerStore(local, remote if api.share else None, must_share=api.remote_down == "stop")
    return Shop(forecaster, api, store, ledger, ledger.clock, open_seller, attempts, lambda: write_face(ledger))


def demand_online(api: ApiParams) -> None:
    """Refuse a command that asks the service about itself while params say that nothing is asked."""
    if api.mode != "online":
        raise ConfigurationError(
            "api.mode is offline: this command asks the paid service, so choose api: online first."
        )


def open_ledger(api: ApiParams, local: Folder, remote: Place | None) -> Ledger:
    """The ledger: beside the local store, or on the remote where machines share one budget."""
    limits = Limits(per_run=api.per_run, per_day=api.per_day, cooldown_sec=api.cooldown_sec)
    place: Place = local
    if api.scope == "remote" and api.mode == "online":
        if remote is None:
            raise ConfigurationError(
                "api.scope remote keeps the budget on DVC's default remote, and none is set: `dvc remote add -d`."
            )
        place = remote
    return Ledger(place, local.root / "budget", limits, SystemClock(), experiment_name())


def ledger_anywhere(api: ApiParams) -> Ledger:
    """The ledger wherever it lies, for commands that only look at it; the network is asked also offline."""
    asked = api.model_copy(update={"mode": "online"})
    remote = shared_place(asked) if api.scope == "remote" else None
    return open_ledger(asked, Folder(store_root()), remote)


def remote_anywhere(api: ApiParams) -> Place | None:
    """The place of shared answers, asked also offline."""
    return shared_place(api.model_copy(update={"mode": "online"})) if api.share else None


def write_face(ledger: Ledger) -> None:
    """The ledger's readable face in the main repository; no stage owns it, no hash covers it."""
    text = json.dumps(budget_face(ledger), indent=2, sort_keys=True) + "\n"
    Folder(main_root()).replace(FACE, text.encode())
