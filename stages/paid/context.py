"""The context of a purchase: params, store, ledger and client; and the counts of a run."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from stages.io.clock import Clock
from stages.paid.answer_store import AnswerStore
from stages.paid.client import Client
from stages.paid.ledger import Ledger
from stages.paid.locks import Attempts
from stages.params.api import ApiParams
from stages.params.forecaster import ForecasterParams


@dataclass(frozen=True)
class PurchaseContext:
    """Everything a purchase needs; `open_client` is called only when something must be bought."""

    forecaster: ForecasterParams
    api: ApiParams
    store: AnswerStore
    ledger: Ledger
    clock: Clock
    open_client: Callable[[], Client]
    attempts: Attempts | None = None  # only where several machines share one budget
    after_run: Callable[[], None] = lambda: None


@dataclass
class Counts:
    """What a run did, for the ledger."""

    questions: int = 0
    from_store: int = 0
    bought: int = 0
    calls: Counter[str] = field(default_factory=Counter)
