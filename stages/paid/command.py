"""Answers of a program of the user's: from the answer store, or computed by one run of it and kept there.

Nothing is paid, so nothing is reserved or counted, and `api.mode` does not matter. Each sound answer is kept when it is
read: after a crash, the next run asks only the rest. One run of a program asks at a time, so that no two compute the
same answer.

*Errors*: `ConfigurationError` (exit 5) before the program starts, when its files are not those that params state;
`DataContractError` (exit 2), in one sentence, for everything it does against its contract; `Interrupted`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataContractError, Interrupted
from stages.forecasting.backend import Answer, Asked, complaint, plausible_bp
from stages.forecasting.program_lines import answer_in, question_line
from stages.io.clock import INTERRUPTS, SystemClock, stamp
from stages.io.file_identity import require_identity
from stages.io.program import Program, ProgramFailed
from stages.io.settings import SHORTEST_KEY
from stages.io.terminal import print_to_stderr, progress
from stages.paid.answer_store import AnswerStore
from stages.paid.locks import lock
from stages.paid.records import Record, record_of
from stages.params.api import KEY_NAME, ApiParams
from stages.params.forecaster import COMMAND, ProgramParams
from stages.questions.question import Question

MEDIAN = 50


class CommandBackend:
    """The backend that runs a program, at most once. It returns all answers or raises."""

    def __init__(self, program: ProgramParams, api: ApiParams, store: AnswerStore) -> None:
        self.program, self.name = program, program.program_name
        self.api = api
        self.store = store
        self.computed = 0

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key. The questions are those of the program's own model spec."""
        keys = {one.question.key: one for one in asked}
        self.store.share_again()
        records = self.store.get(keys)
        if len(records) < len(keys):
            with INTERRUPTS.held_back(), lock(self.store.local, [self._name]):
                records |= self.store.get(sorted(keys.keys() - records.keys()))  # another run may have computed them
                if missing := {key: one for key, one in keys.items() if key not in records}:
                    records |= self._computed(missing)
        return {key: records[key].answer() for key in keys}

    @property
    def took(self) -> Mapping[str, object]:
        """How many answers the program computed now."""
        return {"calls": 0, "computed": self.computed}

    @property
    def _name(self) -> str:
        return f"program-{str(self.program.files_sha256)[:12]}"

    def _computed(self, missing: Mapping[str, Asked]) -> dict[str, Record]:
        require_identity(self.program)
        records: dict[str, Record] = {}
        try:
            with Program(self.program.command, self.api.silence_sec, environment_without_key(os.environ)) as program:
                for record in progress(self._records(program, missing), "computing", len(missing)):
                    records[record.key] = record
        except ProgramFailed as error:
            raise DataContractError(
                f"the program {self.name} {error}. {self.computed} of {len(missing)} answers were computed and kept, "
                "and the next run asks for the rest."
            ) from None
        except Interrupted as end:
            raise Interrupted(
                f"{end}: {self.computed} of {len(missing)} answers were computed and kept, and the next run continues "
                "there.",
                end.exit_code - 128,
            ) from None
        return records

    def _records(self, program: Program, missing: Mapping[str, Asked]) -> Iterator[Record]:
        """A kept record for each answer, as it comes."""
        bounds: dict[str, NDArray[np.float64]] = {}
        answered: set[str] = set()
        for line in program.answers(self._lines(missing.values(), bounds)):
            try:
                key, values_bp = answer_in(line)
            except ValueError as error:
                text = line[:80].decode("utf-8", "replace").strip()
                raise program.failed(f"wrote {error}: {text!r}") from None
            if key not in bounds or key in answered:
                what = "a question twice" if key in answered else "a question that it was not asked"
                raise program.failed(f"answered {what}, `key` {key[:40]!r}")
            question = missing[key].question
            self._require_sound(program, question, values_bp, bounds[key])
            answered.add(key)
            yield self._kept(question, values_bp)
        end = program.ending()
        if left := [one.question for key, one in missing.items() if key not in answered]:
            raise program.failed(f"{end or 'ended'} without an answer to {_named(left[0])}")
        if end:
            print_to_stderr(f"the program {self.name} {end}, after all its answers.")

    def _lines(self, asked: Iterable[Asked], bounds: dict[str, NDArray[np.float64]]) -> Iterator[bytes]:
        """The question lines; `bounds` gets the largest plausible answer to each before it is sent."""
        for one in asked:
            window, sigmas = one.window(), self.api.plausible_sigmas
            bounds[one.question.key] = plausible_bp(window.y_bp, one.question.horizon_min, sigmas)
            yield question_line(one.question, window)

    def _require_sound(
        self, program: Program, question: Question, values_bp: NDArray[np.float64], most_bp: NDArray[np.float64]
    ) -> None:
        shape = (len(question.levels), question.horizon_min)
        if wrong := complaint(values_bp, values_bp[0], shape, most_bp):
            raise program.failed(f"gave an unsound answer to {_named(question)}: {wrong}")

    def _kept(self, question: Question, values_bp: NDArray[np.float64]) -> Record:
        record = record_of(
            question,
            values_bp=values_bp.tolist(),
            mean_bp=values_bp[question.levels.index(MEDIAN)].tolist(),
            sdk=COMMAND,
            call="",
            series_in_call=1,
            company=1,
            input_tokens=None,
            paid_utc=stamp(SystemClock().now()),
        )
        kept = self.store.keep(record)
        self.computed += 1
        return self.store.share(kept)


def environment_without_key(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables without the API key, and without others that repeat it."""
    key = variables.get(KEY_NAME, "").strip()
    is_key = len(key) >= SHORTEST_KEY
    return {name: value for name, value in variables.items() if name != KEY_NAME and not (is_key and key in value)}


def _named(question: Question) -> str:
    return f"{question.place} (key {question.key})"
