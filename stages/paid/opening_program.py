"""Opens the answer store, and the backend of a program of the user's; nothing imported here can buy."""

import hashlib
from pathlib import Path
from tempfile import gettempdir

from stages.engine.engine import require_driver
from stages.io.bucket_store import shared_store
from stages.io.object_store import LocalStore, ObjectStore
from stages.io.settings import read_params
from stages.paid.answer_store import AnswerStore
from stages.paid.command import CommandBackend
from stages.paid.locks import Attempts
from stages.paid.shared_answers import Rescue
from stages.paid.store_identity import STORE, id_at, known_store, notes_folder
from stages.params.api import ApiParams
from stages.params.forecaster import ProgramParams


def open_program(program: ProgramParams) -> CommandBackend:
    """The backend of a program of the user's, with the answer store of this workspace."""
    require_driver("a program of forecaster.command")
    api = read_params(ApiParams)
    return CommandBackend(program, api, answer_store(api, known_store(), shared_store(api)))


def answer_store(api: ApiParams, local: LocalStore, remote: ObjectStore | None) -> AnswerStore:
    """The answer store at `local`, shared with `remote` if `api.share` is set.

    If machines share a budget, the first one that finds a damaged remote record releases its key.
    """
    number = id_at(STORE, local) or hashlib.sha256(local.address.encode()).hexdigest()[:32]
    notes = notes_folder()
    outside = [notes.root / f"rescued-{number}"] if notes else []
    outside.append(Path(gettempdir()) / f"forecasts-rescued-{number}")
    one_budget = Attempts(remote, "damage", api.max_attempts) if remote and api.scope == "remote" else None
    return AnswerStore(
        local,
        remote if api.share else None,
        must_share=api.remote_down == "stop",
        rescue=Rescue(local, outside),
        on_damage=one_budget.release_alone if one_budget else None,
    )
