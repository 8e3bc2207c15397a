"""The one door to every forecaster: local ones answer here, TimeGPT is bought."""

from stages.forecasting.backend import Backend
from stages.forecasting.local import LOCAL_FORECASTERS
from stages.forecasting.params import ApiParams, ForecasterParams
from stages.outside.answers import AnswerStore
from stages.outside.buying import PaidBackend, Shop
from stages.outside.clock import SystemClock
from stages.outside.ledger import Ledger, Limits
from stages.outside.places import Folder
from stages.outside.seller import Seller
from stages.outside.settings import read_params
from stages.outside.workspace import experiment_name, store_root


def open_backend(forecaster: ForecasterParams) -> Backend:
    """The backend that `forecaster.name` names; local runs import neither the SDK nor pandas."""
    if forecaster.name in LOCAL_FORECASTERS:
        return LOCAL_FORECASTERS[forecaster.name](forecaster)
    return PaidBackend(open_shop(forecaster, read_params(ApiParams)))


def open_shop(forecaster: ForecasterParams, api: ApiParams) -> Shop:
    """Store, ledger and seller of this workspace."""
    clock = SystemClock()
    local = Folder(store_root())
    limits = Limits(per_run=api.per_run, per_day=api.per_day, cooldown_sec=api.cooldown_sec)
    ledger = Ledger(local, local.root / "budget", limits, clock, experiment_name())
    store = AnswerStore(local, None)

    def open_seller() -> Seller:
        from stages.outside.timegpt import TimeGPT  # only buyers pay for its import

        return TimeGPT(forecaster, api.timeout_sec)

    return Shop(forecaster, api, store, ledger, clock, open_seller, after_run=lambda: None)
