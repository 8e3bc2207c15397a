"""What a purchase needs, and what a run did with it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from stages.forecasting.params import ApiParams, ForecasterParams
from stages.outside.clock import Clock
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.claims import Attempts
from stages.outside.paid.ledger import Ledger
from stages.outside.paid.seller import Seller


@dataclass(frozen=True)
class Shop:
    """Everything a purchase needs; `open_seller` is called only when something must be bought."""

    forecaster: ForecasterParams
    api: ApiParams
    store: AnswerStore
    ledger: Ledger
    clock: Clock
    open_seller: Callable[[], Seller]
    attempts: Attempts | None = None  # only where several machines share one budget
    after_run: Callable[[], None] = lambda: None


@dataclass
class Tally:
    """What a run did, for the ledger."""

    questions: int = 0
    from_store: int = 0
    bought: int = 0
    calls: Counter[str] = field(default_factory=Counter)
