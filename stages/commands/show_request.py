"""`make show-request KEY=...`: a question in full, and the rows it sends, rebuilt from the bars and checked."""

from pathlib import Path

import polars as pl

from stages.configuration.compose import present
from stages.errors import ConfigurationError
from stages.io.arguments import Arguments, key_digits
from stages.io.questions import read_questions
from stages.io.terminal import run
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Window
from stages.runs.evidence import require_evidence
from stages.runs.scratch import market_of

REQUESTS = Path("artifacts/build_requests/requests")


def main() -> None:
    """Key (or its first digits) -> question and rows as CSV."""
    parser = Arguments(prog="make show-request", description="a question and the rows it sends")
    parser.add_argument("key", type=key_digits(1), help="the key, or its first digits")
    key = parser.parse_args().key
    require_evidence("build_requests")
    found = [question for question in read_questions(REQUESTS) if question.key.startswith(key)]
    if len(found) != 1:
        raise ConfigurationError(f"{len(found)} questions of {REQUESTS} have a key that starts with {key!r}: name one.")
    question = found[0]
    with market_of(present() or {}) as market:
        window = market.window(question)
    print(f"{question.key}  {question.canonical().decode().strip()}")
    print(_rows(question, window).write_csv(datetime_format="%Y-%m-%dT%H:%MZ"), end="")


def _rows(question: Question, window: Window) -> pl.DataFrame:
    names = (*question.hist_exog, *question.futr_exog)
    return pl.DataFrame(
        {
            "ts": pl.from_epoch(pl.Series(window.ts_us), time_unit="us"),
            "minute": window.minute,
            "return_bp": window.returns / UNITS_PER_BP,
            "y_bp": window.y_bp,
            **{name: window.hist_exog[:, column] for column, name in enumerate(names)},
        }
    )


if __name__ == "__main__":
    run(main)
