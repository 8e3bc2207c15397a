"""Opens the backend that params name.

Local forecasters answer here, a program's answers are stored or computed, TimeGPT's are stored or bought.
"""

import json

import polars as pl

from stages.engine.engine import require_driver
from stages.errors import ConfigurationError
from stages.forecasting.answering import benchmark_backend
from stages.forecasting.backend import Backend
from stages.forecasting.local_backend import local_backend
from stages.io.bucket_store import shared_store
from stages.io.clock import SystemClock
from stages.io.file_identity import require_unchanged
from stages.io.object_store import LocalStore, ObjectStore
from stages.io.settings import read_params
from stages.io.workspace import experiment_name, main_root, store_root
from stages.paid.answer_store import AnswerStore
from stages.paid.backend import PaidBackend
from stages.paid.budget_report import budget_report
from stages.paid.client import Client
from stages.paid.context import PurchaseContext
from stages.paid.ledger import Ledger
from stages.paid.limits import Limits
from stages.paid.locks import Attempts, home_of
from stages.paid.opening_program import answer_store, open_program
from stages.paid.store_identity import LEDGER, STORE, begun_store, known_store, remember, require_known
from stages.params.api import ApiParams
from stages.params.forecaster import COMMAND, ForecasterParams
from stages.params.requests import RequestsParams
from stages.params.split import CutParams
from stages.params.worth import JudgedHistory
from stages.sessions.spans import require_search_span

REPORT_PATH = "artifacts/api_budget.json"


def open_backend(forecaster: ForecasterParams, requests: RequestsParams) -> Backend:
    """The backend that `forecaster.name` names; local runs import neither the SDK nor pandas."""
    if forecaster.name == COMMAND:
        return open_program(forecaster)
    if not forecaster.is_paid:
        return local_backend(forecaster.name, forecaster, requests.horizons_min)
    require_driver("the paid backend")
    require_unchanged(forecaster)  # a program that competes beside would end the run after answers were bought
    return PaidBackend(open_context(forecaster, read_params(ApiParams)), benchmark_backend(forecaster, requests))


def require_stated_search_span(schedule: pl.DataFrame, calendar: pl.DataFrame) -> None:
    """`require_search_span` of params.yaml, read here and declared by no stage, since it changes no answer."""
    require_search_span(schedule, calendar, read_params(CutParams), read_params(JudgedHistory).history_days)


def open_context(forecaster: ForecasterParams, api: ApiParams) -> PurchaseContext:
    """Store, ledger and client of this workspace. Online, this repository remembers which store and ledger it uses."""
    online = api.mode == "online"
    local, remote = begun_store() if online else known_store(), shared_store(api)
    ledger = open_ledger(api, local, remote)
    attempts = None
    if ledger.objects is not local:
        if online:
            remember(LEDGER, ledger.objects)
        attempts = Attempts(ledger.objects, ledger.run, api.max_attempts, home_of(local))

    def open_client() -> Client:
        from stages.paid.timegpt import TimeGPT  # only buyers pay for its import

        return TimeGPT(forecaster, api.timeout_sec)

    store = answer_store(api, local, remote)
    return PurchaseContext(
        forecaster, api, store, ledger, ledger.clock, open_client, attempts, lambda: write_budget_report(ledger)
    )


def require_online(api: ApiParams) -> None:
    """Refuse a command that asks the service about itself while `api.mode` is offline."""
    if api.mode != "online":
        raise ConfigurationError("api.mode is offline: this command asks the paid service, so set api=online first.")


def paid_params(what: str) -> tuple[ForecasterParams, ApiParams]:
    """The sections `forecaster` and `api`, which must name the paid service and be online."""
    forecaster, api = read_params(ForecasterParams), read_params(ApiParams)
    if not forecaster.is_paid or api.mode != "online":
        raise ConfigurationError(
            f"forecaster.name is {forecaster.name} and api.mode {api.mode}: {what} asks the paid service, so set "
            "forecaster=timegpt and api=online first."
        )
    return forecaster, api


def store_anywhere(api: ApiParams) -> AnswerStore:
    """The store for commands that only read it; a shared bucket is read in offline mode too."""
    asked = api.model_copy(update={"mode": "online"})
    return answer_store(asked, known_store(), shared_store(asked) if api.share else None)


def open_ledger(api: ApiParams, local: LocalStore, remote: ObjectStore | None) -> Ledger:
    """The ledger: beside the local store, or on the remote where machines share one budget."""
    objects: ObjectStore = local
    if api.scope == "remote" and api.mode == "online":
        if remote is None:
            raise ConfigurationError(
                "api.scope remote keeps the budget on DVC's default remote, and none is set: `dvc remote add -d`."
            )
        objects = remote
        require_known(LEDGER, remote)
    return Ledger(objects, local.root / "budget", Limits.of(api), SystemClock(), experiment_name())


def ledger_anywhere(api: ApiParams) -> Ledger:
    """The ledger for commands that only read it, also on a remote in offline mode."""
    asked = api.model_copy(update={"mode": "online"})
    remote = shared_store(asked) if api.scope == "remote" else None
    return open_ledger(asked, known_store(), remote)


def begin_here(api: ApiParams) -> None:
    """From now on, the store and ledger are those at DVC's cache and `api.scope`."""
    remember(STORE, LocalStore(store_root()))
    remote = shared_store(api.model_copy(update={"mode": "online"})) if api.scope == "remote" else None
    if remote is not None:
        remember(LEDGER, remote)


def write_budget_report(ledger: Ledger) -> None:
    """Write the budget report in the main repository. No stage owns the file and no hash covers it."""
    text = json.dumps(budget_report(ledger), indent=2, sort_keys=True) + "\n"
    LocalStore(main_root()).replace(REPORT_PATH, text.encode())
