"""Small facts kept beside the answers and shared like them: a model's numbers, a proof of independence.

*Errors*: none for damage: a damaged note is told, counts as missing, and gives its place to the next sound one.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from stages.errors import PipelineError
from stages.outside.paid.answers import AnswerStore
from stages.outside.places import Place

NOT_SOUND = (ValueError, KeyError, TypeError, AttributeError)  # what parsing a damaged note ends in
T = TypeVar("T")


def read_note(store: AnswerStore, name: str, parse: Callable[[bytes], T]) -> T | None:
    """The note as `parse` gives it; the remote's, if there is no sound one here."""
    here = store.local.read(name)
    if here is not None and (note := _parsed("the note", name, here, parse)) is not None:
        return note
    there = store.shared.read([name]).get(name)
    note = _parsed("the remote's copy of the note", name, there, parse) if there is not None else None
    if here is not None and there is not None and note is not None:
        with suppress(PipelineError):  # a store that may only be read
            store.local.replace(name, there)
    return note


def write_note(store: AnswerStore, name: str, content: bytes, parse: Callable[[bytes], object]) -> None:
    """Keep a note and share it; the first sound one stands."""
    _create_or_mend(store.local, name, content, parse)
    store.shared.ask(lambda place: _create_or_mend(place, name, content, parse), None)


def _parsed(where: str, name: str, content: bytes, parse: Callable[[bytes], T]) -> T | None:
    try:
        return parse(content)
    except NOT_SOUND as error:
        told = f"{where} {name} is damaged ({type(error).__name__}: {error}): it is not used and counts as missing; "
        print(f"{told}the next sound one takes its place.", file=sys.stderr, flush=True)
        return None


def _create_or_mend(place: Place, name: str, content: bytes, parse: Callable[[bytes], object]) -> None:
    """Write the note if there is none, or only a damaged one."""
    if place.create(name, content):
        return
    there = place.read(name) or b""
    try:
        parse(there)
    except NOT_SOUND:
        place.swap(name, there, content)
