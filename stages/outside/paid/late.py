"""Requests whose answer did not come in time: remembered by key, since each may have been billed.

A note is an empty file `late/<key>.<day>.<seat>.<timeout in ms>` beside the ledger; `.released` behind its name ends
it. Nothing is deleted. A key is asked again when `api.timeout_sec` is longer than at every such request, or when a
person releases it.

*Errors*: `ConfigurationError` (exit 5) for a question that was asked in vain with a timeout as long as the present one.
"""

from collections import defaultdict
from math import ceil

from stages.errors import ConfigurationError
from stages.outside.paid.batches import Batch
from stages.outside.places import Place

FOLDER = "late"
RELEASED = "released"


def remember_late(place: Place, batch: Batch, timeout_sec: float, call: tuple[str, str]) -> ConfigurationError:
    """Note a request that was not answered in time, by its seat; what the user hears."""
    for question in batch.questions:
        place.create(f"{FOLDER}/{question.key}.{call[0]}.{call[1]}.{ceil(timeout_sec * 1000)}", b"")
    notes = _notes(place)
    key = max((question.key for question in batch.questions), key=lambda key: len(notes[key]))
    return ConfigurationError(
        f"no answer came within api.timeout_sec {timeout_sec:g}, so it counts: key {key} may have been billed "
        f"{_times(notes[key])} without an answer. It is not asked again until api.timeout_sec is longer "
        f"({2 * timeout_sec:g}, say) or you say `make release KEY={key}`."
    )


def demand_not_late(place: Place, batch: Batch, timeout_sec: float) -> None:
    """Do not ask again what would most likely be billed without an answer once more."""
    notes = _notes(place)
    for question in batch.questions:
        in_vain = notes.get(question.key, [])
        if max(in_vain, default=0) >= ceil(timeout_sec * 1000):
            longest_sec = max(in_vain) / 1000
            raise ConfigurationError(
                f"{question.symbol} at {question.snapshot_utc:%Y-%m-%d %H:%MZ} (key {question.key}) may have been "
                f"billed {_times(in_vain)} without an answer in time: raise api.timeout_sec above {longest_sec:g} "
                f"({2 * longest_sec:g}, say), or `make release KEY={question.key}` lets it be asked again as it is."
            )


def release_late(place: Place, key: str) -> int:
    """Let every question of this key's late requests be asked again; how many notes that ends."""
    open_ = _open(place)
    calls = {name.split(".", 1)[1] for name in open_ if name.startswith(f"{key}.")}
    ended = [name for name in open_ if name.split(".", 1)[1] in calls]
    for name in ended:
        place.create(f"{FOLDER}/{name}.{RELEASED}", b"")
    return len(ended)


def _times(notes: list[int]) -> str:
    return "once" if len(notes) == 1 else f"{len(notes)} times"


def _notes(place: Place) -> dict[str, list[int]]:
    """The timeouts of open notes by key. *Units*: ms."""
    notes: dict[str, list[int]] = defaultdict(list)
    for name in _open(place):
        key, _, _, timeout_ms = name.split(".")
        notes[key].append(int(timeout_ms))
    return notes


def _open(place: Place) -> list[str]:
    names = place.names(FOLDER)
    ended = {name.removesuffix(f".{RELEASED}") for name in names if name.endswith(f".{RELEASED}")}
    return [name for name in names if name not in ended and not name.endswith(f".{RELEASED}")]
