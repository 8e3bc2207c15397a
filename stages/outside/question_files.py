"""Questions on disk: the canonical bytes, one file each, named by symbol, snapshot in UTC and the key's first digits.

Above `MOST_FILES` the same bytes stand as lines of one file: DVC hashes thousands of small files slowly.
*Errors*: `DataContractError` for a file that is not the canonical form of a question.
"""

from collections.abc import Sequence
from pathlib import Path

from stages.errors import DataContractError
from stages.outside.files import clear
from stages.requests.question import Question

MOST_FILES = 6_000
LINES = "questions.jsonl"


def write_questions(questions: Sequence[Question], folder: Path) -> None:
    """The folder then holds these questions and nothing else."""
    clear(folder)
    ordered = sorted(questions, key=_order)
    if len(ordered) > MOST_FILES:
        (folder / LINES).write_bytes(b"".join(question.canonical() for question in ordered))
        return
    for question in ordered:
        path = folder / file_name(question)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(question.canonical())


def read_questions(folder: Path) -> list[Question]:
    """Every question of the folder, sorted by symbol, snapshot and key."""
    if not folder.is_dir():
        raise DataContractError(f"{folder} is missing: `dvc repro build_requests` makes it.")
    contents = [(path, path.read_bytes()) for path in folder.rglob("*.json")]
    for path in folder.glob(LINES):
        contents += [(path, line) for line in path.read_bytes().splitlines(keepends=True)]
    return sorted((_parse(path, content) for path, content in contents), key=_order)


def file_name(question: Question) -> str:
    """`AAPL/2024-09-03T1430Z-0f3c9a1e.json`."""
    return f"{question.symbol}/{question.snapshot_utc:%Y-%m-%dT%H%MZ}-{question.key[:8]}.json"


def _parse(path: Path, content: bytes) -> Question:
    try:
        return Question.parse(content)
    except DataContractError as error:
        raise DataContractError(f"{path}: {error} `dvc repro build_requests` writes it anew.") from error


def _order(question: Question) -> tuple[str, str, str]:
    return question.symbol, question.snapshot_utc.isoformat(), question.key
