"""Questions on disk: one file of canonical bytes each, named by symbol, snapshot in UTC and first digits of the key.

More than `MOST_FILES` questions are the lines of one file, since DVC hashes thousands of small files slowly.
*Errors*: `DataContractError` for a file that is not the canonical form of a question.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

import polars as pl

from stages.errors import DataContractError
from stages.io.atomic import replaced_directory
from stages.questions.question import Question, key_of
from stages.tables.contract import UTC_MICROSECONDS

MOST_FILES = 6_000
LINES = "questions.jsonl"


def write_questions(lines: Iterable[bytes], folder: Path) -> None:
    """Write exactly these questions to the folder, as canonical bytes in reading order."""
    further = iter(lines)
    first = list(islice(further, MOST_FILES + 1))
    with replaced_directory(folder) as new:
        if len(first) > MOST_FILES:
            with (new / LINES).open("wb") as file:
                file.writelines(chain(first, further))
            return
        for line in first:
            path = new / file_name(Question.parse(line))
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(line)


def read_questions(folder: Path) -> list[Question]:
    """Every question of the folder, sorted by symbol, snapshot and key."""
    return sorted((_parse(path, content) for path, content in _contents(folder)), key=_order)


def read_last_rows(folder: Path) -> pl.DataFrame:
    """The `symbol` and `key` of every question, and `end_utc`, the start of the last bar that it sent."""
    rows = [_last_row(path, content) for path, content in _contents(folder)]
    return pl.DataFrame(rows, {"symbol": pl.String, "key": pl.String, "end_utc": UTC_MICROSECONDS}, orient="row")


def _last_row(path: Path, content: bytes) -> tuple[str, str, datetime]:
    try:
        question = json.loads(content)
        return question["symbol"], key_of(content), datetime.fromisoformat(question["end_utc"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataContractError(
            f"{path}: this is not a question ({error}): `dvc repro build_requests` writes it again."
        ) from error


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The bytes of every question, and the file that holds them."""
    if not folder.is_dir():
        raise DataContractError(f"{folder} is missing: run `dvc repro build_requests`.")
    yield from ((path, path.read_bytes()) for path in folder.rglob("*.json"))
    for path in folder.glob(LINES):
        yield from ((path, line) for line in path.read_bytes().splitlines(keepends=True))


def file_name(question: Question) -> str:
    """`AAPL/2024-09-03T1430Z-0f3c9a1e.json`."""
    return f"{question.symbol}/{question.snapshot_utc:%Y-%m-%dT%H%MZ}-{question.key[:8]}.json"


def _parse(path: Path, content: bytes) -> Question:
    try:
        return Question.parse(content)
    except DataContractError as error:
        raise DataContractError(f"{path}: {error} `dvc repro build_requests` writes it again.") from error


def _order(question: Question) -> tuple[str, str, str]:
    return question.symbol, question.snapshot_utc.isoformat(), question.key
