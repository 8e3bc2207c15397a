"""Purchase contexts for tests: the product's own parts over temporary folders and the stand-in service."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from stages.forecasting.backend import Asked
from stages.io.clock import Clock, SystemClock
from stages.io.object_store import LocalStore, ObjectStore
from stages.paid.answer_store import AnswerStore
from stages.paid.backend import PaidBackend
from stages.paid.client import Client
from stages.paid.context import PurchaseContext
from stages.paid.ledger import Ledger
from stages.paid.limits import Limits
from stages.paid.locks import Attempts, home_of
from stages.paid.reservations import DAYS, ReservationLog
from stages.paid.shared_answers import Rescue
from stages.params.api import ApiParams
from stages.params.forecaster import ForecasterParams
from stages.questions.question import Question
from stages.questions.window import Past, Window
from tests.questions.digests import digest_of
from tests.support.timegpt_server import INPUT_SIZE, MODEL_HORIZON

sys.modules.setdefault("dask.dataframe", None)  # Nixtla's libraries would import it, for a second and for nothing

ROWS = 1100
FIRST_SNAPSHOT = datetime(2024, 9, 3, 14, 30, tzinfo=UTC)
LEVELS = (5, 25, 50, 75, 95)

FORECASTER = {
    "name": "timegpt",
    "model": "timegpt-2.1",
    "model_epoch": "2026-11",
    "base_url": None,
    "input_size": INPUT_SIZE,
    "model_horizon": MODEL_HORIZON,
    "min_rows": 1008,
    "finetune_steps": 0,
    "finetune_depth": 1,
    "finetune_loss": "default",
    "finetuned_model_id": None,
    "multivariate": False,
    "clean_ex_first": True,
    "lookback_sessions": 40,
    "ewma_half_life_min": 60.0,
    "fhs_paths": 1000,
    "command": [],
    "files": [],
    "files_sha256": None,
    "trained_until": None,
}
API = {
    "mode": "online",
    "per_run": 1000,
    "per_day": 1000,
    "per_minute": None,
    "per_month": None,
    "tokens_per_day": None,
    "tokens_per_month": None,
    "money_per_day": None,
    "money_per_month": None,
    "tariff": None,
    "cooldown_sec": 0.0,
    "scope": "machine",
    "pack": "none",
    "share": True,
    "timeout_sec": 5.0,
    "silence_sec": 5.0,
    "max_attempts": 3,
    "remote_down": "local",
    "plausible_sigmas": 100.0,
}


@cache
def window_of(symbol: str, snapshot: int, rows: int) -> tuple[Window, str]:
    """Made-up returns that belong to this question alone, and their digest."""
    seed = [snapshot, rows, *symbol.encode()]
    minute = np.arange(rows, dtype=np.int32)
    returns = np.random.default_rng(seed).integers(-5_000_000, 5_000_000, rows)
    window = Window(
        ts_us=np.arange(rows, dtype=np.int64) * 60_000_000,
        session=np.zeros(rows, dtype=np.int32),
        minute=minute,
        returns=returns,
        hist_exog=np.zeros((rows, 0)),
        futr_exog=np.zeros((20, 0)),
        past=Past.of(minute, returns),
    )
    return window, digest_of(window)


def asked(symbol: str = "AAA", snapshot: int = 0, rows: int = ROWS, **changes: Any) -> Asked:
    """The question of a symbol at the n-th snapshot."""
    at = FIRST_SNAPSHOT + timedelta(hours=snapshot)
    window, digest = window_of(symbol, snapshot, rows)
    facts: dict[str, Any] = {
        "symbol": symbol,
        "snapshot_utc": at,
        "model": "timegpt-2.1",
        "model_epoch": "2026-11",
        "deployment": "stand-in",
        "options": {},
        "target": "cumret_bp",
        "freq": "min",
        "horizon_min": 20,
        "levels": LEVELS,
        "start_utc": at - timedelta(minutes=rows),
        "end_utc": at - timedelta(minutes=1),
        "rows": rows,
        "y_sha256": digest,
    }
    return Asked(Question(**{**facts, **changes}), lambda: window)


def questions(symbols: Sequence[str], snapshots: range) -> list[Asked]:
    """All symbols at all snapshots."""
    return [asked(symbol, snapshot) for snapshot in snapshots for symbol in symbols]


@dataclass
class ContextFactory:
    """Opens one purchase context after another over the same store; each is a run of its own."""

    root: Path
    url: str
    remote: ObjectStore | None = None
    api: dict[str, Any] = field(default_factory=dict)
    forecaster: dict[str, Any] = field(default_factory=dict)
    know_model: bool = True
    rescue: tuple[Path, ...] = ()

    def context(self, clock: Clock | None = None, **api: Any) -> PurchaseContext:
        """A purchase context; keyword arguments change section `api`."""
        params = ApiParams(**{**API, **self.api, **api})
        forecaster = ForecasterParams(**{**FORECASTER, "base_url": self.url, **self.forecaster})
        local, clock = LocalStore(self.root), clock or SystemClock()
        if self.know_model:
            _tell_facts(local)
        limits = Limits.of(params)
        objects = self.remote if params.scope == "remote" and self.remote else local
        ledger = Ledger(objects, self.root / "budget", limits, clock, "workspace")
        attempts = None
        if objects is not local:
            attempts = Attempts(objects, ledger.run, params.max_attempts, home_of(local))

        def open_client() -> Client:
            from stages.paid.timegpt import TimeGPT

            return TimeGPT(forecaster, params.timeout_sec)

        store = AnswerStore(
            local,
            self.remote,
            must_share=params.remote_down == "stop",
            rescue=Rescue(local, self.rescue),
            on_damage=attempts.release if attempts else None,
        )
        return PurchaseContext(forecaster, params, store, ledger, clock, open_client, attempts)

    def backend(self, clock: Clock | None = None, **api: Any) -> PaidBackend:
        """A run of the buyer."""
        return PaidBackend(self.context(clock, **api))


def _tell_facts(local: LocalStore) -> None:
    """Put the model's facts where a first run would have put them."""
    from stages.paid.model_facts import path_of_facts

    content = f'{{"horizon": {MODEL_HORIZON}, "input_size": {INPUT_SIZE}}}\n'
    local.create(path_of_facts(asked().question), content.encode())


def states(contexts: ContextFactory) -> dict[str, int]:
    """How many reservations of the ledger are in which state."""
    objects = contexts.context().ledger.objects
    rows = (ReservationLog(objects, f"{DAYS}/{day}").taken() for day in objects.names(DAYS))
    return dict(Counter(reservation.state for row in rows for reservation in row.values()))


def everything_under(folder: Path) -> str:
    """The text of every file."""
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())
