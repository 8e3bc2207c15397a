"""Checks before a request: it must be sendable and finite, and neither refused nor late before.

A question that the service refused is recorded in `refused/<key>.txt` next to the ledger, for all machines that share
it, and is not asked again. `make release KEY=` empties the file. A request whose answer did not come in time may have
been billed, so it is recorded too: an empty file `late/<key>.<day>.<reservation>.<timeout in ms>`, which a second file
with the suffix `.released` closes. A late key is asked again when `api.timeout_sec` is longer than at every earlier
attempt, or after `make release KEY=`. Nothing is deleted.

*Errors*: `ConfigurationError` (exit 5) for questions that the service would refuse, refused before, or did not answer
within a timeout as long as the present one; `DataContractError` (exit 2) for values that JSON cannot carry. All come
before a reservation is made.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from math import ceil
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from stages.errors import ConfigurationError, DataContractError
from stages.forecasting.backend import Asked
from stages.io.object_store import ObjectStore, make_folder, plain_words
from stages.paid.answer_store import AnswerStore
from stages.paid.batches import Batch
from stages.params.forecaster import ForecasterParams
from stages.questions.question import Question

MAX_REQUEST_BYTES = 200_000_000
BYTES_PER_RECORD = 8_192
BYTES_PER_ANSWERED_VALUE = 25
MARK = "\nrefusal "  # follows the service's text; notes of earlier versions end with that text
SPARE_BYTES = 262_144  # for reservations, folders and the block size of the disk


def require_sendable(batches: Sequence[Batch], forecaster: ForecasterParams) -> None:
    """A request must not be too long for the service, too short for quantiles, or hold NaN or infinity."""
    for batch in batches:
        if (size := batch.size) > MAX_REQUEST_BYTES:
            raise ConfigurationError(
                f"the request for {batch.snapshots[0]} would take about {size // 1_000_000} MB, and the service "
                f"accepts at most {MAX_REQUEST_BYTES // 1_000_000}: lower requests.history_days, or remove columns "
                "from requests.hist_exog and futr_exog."
            )
        for one in batch.asked:
            _require_rows(one.question, forecaster)


def require_finite(batch: Batch) -> Batch:
    """The batch with its rows built once.

    The SDK sends NaN as null and infinity as a huge number, so both are refused.
    """
    built = []
    for one in batch.asked:
        build = cache(one.window)
        built.append(Asked(one.question, build))
        window = build()
        for name, values in (("y", window.y_bp), ("hist_exog", window.hist_exog), ("futr_exog", window.futr_exog)):
            if not np.isfinite(values).all():
                question = one.question
                raise DataContractError(
                    f"{name} of {question.place} holds NaN or infinity{_first_of(name, values, question)}; nothing was "
                    "sent: remove the column from requests.hist_exog or futr_exog, change requests.exog_policy, or "
                    "repair the bars (artifacts/check_data/dq_report.json)."
                )
    return Batch(tuple(built))


def room_for(batch: Batch, store: AnswerStore) -> IO[bytes]:
    """An unnamed file as large as the batch's answers, which reserves their disk space until just before they are kept.

    Other writers can only fill the rest of the disk, and a killed process leaves no file behind. Also checks that the
    folder of each answer takes new files.
    """
    folder = store.local.root
    store.require_keepable(question.key for question in batch.questions)
    values = sum((len(one.levels) + 1) * one.horizon_min for one in batch.questions)
    left = SPARE_BYTES + len(batch.asked) * BYTES_PER_RECORD + values * BYTES_PER_ANSWERED_VALUE
    with plain_words(folder):
        make_folder(folder)
        with ExitStack() as on_failure:
            file = on_failure.enter_context(TemporaryFile(dir=folder, buffering=0))
            while left:
                left -= file.write(bytes(left))
            on_failure.pop_all()
        return file


def require_not_refused(objects: ObjectStore, batch: Batch) -> None:
    """Refuse a question that the service refused before for its content."""
    notes = objects.read_many(f"refused/{question.key}.txt" for question in batch.questions)
    for question in batch.questions:
        if note := notes.get(f"refused/{question.key}.txt"):
            raise ConfigurationError(
                f"{question.place} was refused before: {_text(note).partition(MARK)[0]} `make release "
                f"KEY={question.key}` allows it to be asked again."
            )


def remember_refused(objects: ObjectStore, question: Question, reason: str, refusal: str) -> None:
    """Record a question that the service refused when asked alone, and the refusal it belongs to."""
    name, note = f"refused/{question.key}.txt", f"{reason}{MARK}{refusal}\n".encode()
    if not objects.create(name, note):
        objects.swap(name, b"", note)


def forget_refused(objects: ObjectStore, key: str) -> list[str]:
    """Forget the refusal of a key, and of every other key of the same refusal. Returns these keys."""
    found = objects.read_many(f"refused/{name}" for name in objects.names("refused"))
    notes = {name: note for name, note in found.items() if note}
    refusals = {name: _text(note).partition(MARK)[2] or _text(note) for name, note in notes.items()}
    same = [name for name, refusal in refusals.items() if refusal == refusals.get(f"refused/{key}.txt")]
    for name in same:
        objects.swap(name, notes[name], b"")
    return [name.removeprefix("refused/").removesuffix(".txt") for name in same]


def _text(note: bytes) -> str:
    return note.decode("utf-8", "replace")


def _first_of(name: str, values: NDArray[np.float64], question: Question) -> str:
    """Name and row of the first bad exogenous value."""
    if name == "y":
        return ""
    row, column = np.argwhere(~np.isfinite(values))[0]
    ahead = name == "futr_exog"
    names = question.futr_exog if ahead else question.hist_exog + question.futr_exog
    objects = f"{row + 1} minutes ahead" if ahead else f"{len(values) - row} minutes back"
    return f" ({names[column]}, {objects})"


def _require_rows(question: Question, forecaster: ForecasterParams) -> None:
    if question.rows < forecaster.min_rows:
        raise ConfigurationError(
            f"{question.place} has {question.rows} rows of history, and the service needs at least "
            f"{forecaster.min_rows} (forecaster.min_rows): raise requests.history_days."
        )
    exogenous = bool(question.hist_exog or question.futr_exog)
    longest = forecaster.model_spec.row_limit(question.horizon_min, exogenous=exogenous)
    if longest is not None and question.rows > longest:
        raise ConfigurationError(
            f"{question.place} claims {question.rows} rows, but the SDK sends at most {longest}: write the questions "
            "again with `dvc repro -f build_requests`."
        )


LATE = "late"
RELEASED = "released"
NOTE = re.compile(r"^[0-9a-f]{32}\.\d{4}-\d\d-\d\d\.\d+-\d+\.\d+(\.released)?$")


def remember_late(objects: ObjectStore, batch: Batch, timeout_sec: float, call: tuple[str, str]) -> ConfigurationError:
    """Record a request that was not answered in time, by its reservation. Returns the error for the user."""
    for question in batch.questions:
        objects.create(f"{LATE}/{question.key}.{call[0]}.{call[1]}.{ceil(timeout_sec * 1000)}", b"")
    notes = _notes(objects)
    key = max((question.key for question in batch.questions), key=lambda key: len(notes[key]))
    return ConfigurationError(
        f"no answer came within api.timeout_sec {timeout_sec:g}, so the request counts: key {key} may have been billed "
        f"{_times(notes[key])} without an answer. It is not asked again until you raise api.timeout_sec (to "
        f"{2 * timeout_sec:g}, say) or run `make release KEY={key}`."
    )


def require_not_late(objects: ObjectStore, batch: Batch, timeout_sec: float) -> None:
    """Refuse a question that would most likely be billed again without an answer."""
    notes = _notes(objects)
    for question in batch.questions:
        in_vain = notes.get(question.key, [])
        if max(in_vain, default=0) >= ceil(timeout_sec * 1000):
            longest_sec = max(in_vain) / 1000
            raise ConfigurationError(
                f"{question.place} (key {question.key}) may have been billed {_times(in_vain)} without an answer in "
                f"time: raise api.timeout_sec above {longest_sec:g} (to {2 * longest_sec:g}, say), or run `make "
                f"release KEY={question.key}` to ask again with the present timeout."
            )


def release_late(objects: ObjectStore, key: str) -> set[str]:
    """Allow every question of this key's late requests to be asked again. Returns their keys."""
    open_ = _open(objects)
    calls = {name.split(".", 1)[1] for name in open_ if name.startswith(f"{key}.")}
    ended = [name for name in open_ if name.split(".", 1)[1] in calls]
    for name in ended:
        objects.create(f"{LATE}/{name}.{RELEASED}", b"")
    return {name.partition(".")[0] for name in ended}


def _times(notes: list[int]) -> str:
    return "once" if len(notes) == 1 else f"{len(notes)} times"


def _notes(objects: ObjectStore) -> dict[str, list[int]]:
    """The timeouts of open notes by key. *Units*: ms."""
    notes: dict[str, list[int]] = defaultdict(list)
    for name in _open(objects):
        key, _, _, timeout_ms = name.split(".")
        notes[key].append(int(timeout_ms))
    return notes


def _open(objects: ObjectStore) -> list[str]:
    names = list(filter(NOTE.match, objects.names(LATE)))
    ended = {name.removesuffix(f".{RELEASED}") for name in names if name.endswith(f".{RELEASED}")}
    return [name for name in names if name not in ended and not name.endswith(f".{RELEASED}")]
