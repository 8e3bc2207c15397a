"""A program of the user's answers: run once, checked line by line, kept in the store, and in one sentence at fault."""

import json
import re
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from stages.commands.answers import drop
from stages.errors import ConfigurationError, DataContractError, Interrupted
from stages.forecasting.backend import Answer, Asked
from stages.io import program
from stages.io.file_identity import digest_of_files
from stages.io.object_store import LocalStore
from stages.paid.answer_store import AnswerStore
from stages.paid.command import CommandBackend, environment_without_key
from stages.paid.moving import move_store
from stages.paid.opening import paid_params
from stages.paid.store_identity import STORE
from stages.params.api import ApiParams
from stages.params.forecaster import ForecasterParams
from stages.tables.forecasts import is_local, origin
from tests.forecasting.windows import forecaster_params
from tests.support.contexts import API, FORECASTER, asked

LEVEL_BP = [-4.0, -1.0, 0.0, 1.0, 4.0]
HEAD = """
import json, os, signal, sys, time
open("starts", "a").write("x")
def say(document):
    print(json.dumps(document), flush=True)
def sound(question):
    return [[bp * h ** 0.5 for h in range(1, question["horizon_min"] + 1)] for bp in (-4, -1, 0, 1, 4)]
def answer(question, **changes):
    say({"key": question["key"], "quantiles_bp": sound(question)} | changes)
def questions():
    for line in sys.stdin:
        question = json.loads(line)
        open("read", "a").write(question["key"] + chr(10))
        yield question
"""
ANSWERS_EACH = "for question in questions(): answer(question)"


@dataclass(frozen=True)
class Workplace:
    """A folder in which a program of the test is the forecaster, over one store."""

    path: Path

    def backend(self, body: str = ANSWERS_EACH, *, remote: LocalStore | None = None, **api: object) -> CommandBackend:
        """The program with this body, identified."""
        (self.path / "program.py").write_text(HEAD + dedent(body))
        return self.opened(self.params(), remote=remote, **api)

    def params(self, **changes: object) -> ForecasterParams:
        command, files = [sys.executable, "program.py"], ["program.py"]
        stated = {"name": "command", "model": "mine", "command": command, "files": files}
        return forecaster_params(**stated | {"files_sha256": digest_of_files(command, files)} | changes)

    def opened(self, params: ForecasterParams, *, remote: LocalStore | None = None, **api: object) -> CommandBackend:
        return CommandBackend(params, ApiParams(**API | {"mode": "offline"} | api), AnswerStore(self.store, remote))

    @property
    def store(self) -> LocalStore:
        return LocalStore(self.path / "store")

    @property
    def starts(self) -> int:
        return len((self.path / "starts").read_text()) if (self.path / "starts").exists() else 0

    @property
    def read(self) -> list[str]:
        """The keys that the program read, in order, over all its runs."""
        return (self.path / "read").read_text().split()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "GRACE_SEC", 0.2)
    return Workplace(tmp_path)


def questions(params: ForecasterParams, symbols: Sequence[str] = ("AAA", "BBB"), snapshots: int = 2) -> list[Asked]:
    spec = params.model_spec
    facts = {"model": spec.model, "model_epoch": spec.model_epoch, "deployment": spec.deployment}
    return [
        asked(symbol, snapshot, rows=60, options=spec.options, **facts)
        for symbol in symbols
        for snapshot in range(snapshots)
    ]


def answers(backend: CommandBackend, wanted: Sequence[Asked] | None = None) -> dict[str, Answer]:
    return dict(backend.answer(wanted if wanted is not None else questions(backend.program)))


def test_one_process_answers_all_questions_of_all_symbols_under_a_label_of_its_own(place):
    backend = place.backend()
    wanted = questions(backend.program)
    found = answers(backend, wanted)
    assert place.starts == 1
    assert place.read == [one.question.key for one in wanted]
    assert set(found) == set(place.read)
    for one in found.values():
        assert one.source == "command:mine"
        assert one.values_bp[:, 0].tolist() == LEVEL_BP
        assert one.values_bp[:, 3].tolist() == [2 * bp for bp in LEVEL_BP]
    assert backend.took == {"calls": 0, "computed": 4}


def test_nothing_is_computed_into_a_place_that_the_store_has_left(place):
    backend = place.backend()
    place.store.create(STORE.file, b"0\n")
    move_store(place.store, LocalStore(place.path / "elsewhere"))
    with pytest.raises(ConfigurationError, match="was moved while this run went on"):
        answers(backend)
    assert place.starts == 0


def test_what_was_answered_is_never_computed_again(place):
    first = answers(place.backend())
    second = place.backend()
    found = answers(second)
    assert {key: one.values_bp.tolist() for key, one in found.items()} == {
        key: one.values_bp.tolist() for key, one in first.items()
    }
    assert (place.starts, second.took["computed"]) == (1, 0)


def test_only_what_is_missing_is_asked(place):
    backend = place.backend()
    wanted = questions(backend.program)
    answers(backend, wanted[:3])
    answers(backend, wanted)
    assert place.read == [one.question.key for one in wanted]


def test_a_program_may_read_everything_first_and_answer_in_any_order(place):
    backend = place.backend("for question in reversed(list(questions())): answer(question)")
    wanted = questions(backend.program, snapshots=3)
    assert set(answers(backend, wanted)) == {one.question.key for one in wanted}


def test_long_questions_and_much_talk_on_stderr_block_nothing(place):
    backend = place.backend("""
        for question in list(questions()):
            sys.stderr.write("talk " * 40_000 + chr(10))
            answer(question)
    """)
    spec = backend.program.model_spec
    wanted = [asked("AAA", n, rows=20_000, options=spec.options, model="mine", deployment="command") for n in range(3)]
    assert len(answers(backend, wanted)) == 3


def test_answers_that_were_computed_elsewhere_come_from_the_shared_store(place, tmp_path):
    remote = LocalStore(tmp_path / "remote")
    wanted = answers(place.backend(remote=remote))
    (tmp_path / "store").rename(tmp_path / "lost")
    assert set(answers(place.backend(remote=remote))) == set(wanted)
    assert place.starts == 1


def test_changed_weights_stop_the_run_before_the_program_starts(place, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/w.bin").write_bytes(b"one")
    place.backend()
    command, files = [sys.executable, "program.py", "weights"], ["program.py", "weights"]
    stated = place.params(command=command, files=files, files_sha256=digest_of_files(command, files))
    (tmp_path / "weights/w.bin").write_bytes(b"two")
    with pytest.raises(ConfigurationError, match=r"they changed, and DVC cannot see them\. `make identify` accepts"):
        answers(place.opened(stated))
    assert place.starts == 0

    after = stated.model_copy(update={"files_sha256": digest_of_files(command, files)})
    assert not {one.question.key for one in questions(stated)} & {one.question.key for one in questions(after)}
    assert len(answers(place.opened(after))) == 4


def test_with_every_answer_in_the_store_the_program_is_not_needed(place, tmp_path):
    backend = place.backend()
    wanted = answers(backend)
    (tmp_path / "program.py").unlink()
    assert set(answers(place.opened(backend.program))) == set(wanted)


FAULTS = {
    "no JSON": ("print('Loading...', flush=True)", r"wrote no JSON: 'Loading\.\.\.'; it wrote nothing on stderr"),
    "no quantiles": ("say({'key': question['key']})", "wrote an answer whose `quantiles_bp` is not a list of lists"),
    "too few levels": (
        "answer(question, quantiles_bp=sound(question)[:4])",
        "4 levels of 20 steps, where 5 of 20 were asked",
    ),
    "NaN": ("answer(question, quantiles_bp=[[float('nan')] * 20] * 5)", "it holds nulls, NaN or infinity"),
    "crossing": ("answer(question, quantiles_bp=sound(question)[::-1])", "its quantiles cross"),
    "prices": ("answer(question, quantiles_bp=[[19_000.0 + n] * 20 for n in range(5)])", "says 19000 bp for minute 1"),
    "another question": (
        "say({'key': 'x' * 32, 'quantiles_bp': [[0.0]]})",
        "answered a question that it was not asked",
    ),
    "the same twice": ("answer(first)", "answered a question twice, `key` '[0-9a-f]{32}'"),
    "a crash": ("raise SystemExit(3)", r"ended with exit code 3 without an answer to AAA at 2024-09-03 15:30Z \(key "),
    "a kill": ("os.kill(os.getpid(), 9)", r"was ended by signal 9 \(Killed\) without an answer"),
    "an early end": ("break", "mine ended without an answer to AAA at"),
    "silence": ("time.sleep(60)", r"gave no answer for 0\.3 s \(api\.silence_sec\), so it was ended"),
    "empty lines": (
        "while True: print(flush=True); time.sleep(0.01)",
        r"gave no answer for 0\.3 s \(api\.silence_sec\), so it was ended",
    ),
    "an endless line": ("sys.stdout.write('x' * 99_999); sys.stdout.flush()", "wrote a line of more than 9,000 bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_and_what_was_sound_before_it_is_kept_whole(place, monkeypatch, fault):
    """The first question is answered well, then comes the fault."""
    does, told = FAULTS[fault]
    monkeypatch.setattr(program, "LONGEST_LINE", 9_000)
    backend = place.backend(
        f"""
        for number, question in enumerate(questions()):
            if number == 1:
                {does}
            answer(question)
            first = question
        """,
        silence_sec=0.3 if fault in ("silence", "empty lines") else 5.0,
    )
    wanted = questions(backend.program)
    with pytest.raises(DataContractError, match=told) as error:
        answers(backend, wanted)
    assert str(error.value).startswith("the program mine ")
    assert "1 of 4 answers were computed and kept, and the next run asks for the rest" in str(error.value)
    assert set(backend.store.get(one.question.key for one in wanted)) == {wanted[0].question.key}


def test_after_a_crash_the_next_run_asks_the_rest_only(place):
    crash = """
        for number, question in enumerate(questions()):
            if number == 2 and not os.path.exists("mended"):
                sys.exit("out of memory at question 2")
            answer(question)
    """
    backend = place.backend(crash)
    wanted = [one.question.key for one in questions(backend.program)]
    with pytest.raises(DataContractError, match="2 of 4 answers were computed and kept"):
        answers(backend)
    (place.path / "mended").touch()
    (place.path / "read").unlink()
    assert set(answers(place.backend(crash))) == set(wanted)
    assert place.read == wanted[2:]


def test_the_last_lines_on_stderr_are_shown(place, capsys):
    backend = place.backend("""
        for n in range(30):
            print(f"line {n}", file=sys.stderr)
        raise ValueError("no weights here")
    """)
    with pytest.raises(
        DataContractError, match=r"exit code 1 without an answer .*; its last lines on stderr are above"
    ):
        answers(backend)
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1] == "  | ValueError: no weights here"
    assert len(shown) == 10
    assert "  | line 5" not in shown


def test_an_exit_code_after_all_answers_is_reported_and_costs_nothing(place, capsys):
    assert len(answers(place.backend(f"{ANSWERS_EACH}\nsys.exit(7)"))) == 4
    assert "the program mine ended with exit code 7, after all its answers" in capsys.readouterr().err


def test_a_program_that_does_not_exist_cannot_be_started(place):
    backend = place.backend()
    nowhere = backend.program.model_copy(update={"command": ("no-such-program", "program.py")})
    with pytest.raises(ConfigurationError, match=r"`no-such-program program\.py` .* cannot be started \(No such file"):
        answers(place.opened(nowhere))


def test_the_api_key_does_not_reach_the_program(place, monkeypatch):
    monkeypatch.setenv("NIXTLA_API_KEY", "nxt-secret")
    monkeypatch.setenv("COPIED", "Bearer nxt-secret")
    monkeypatch.setenv("HARMLESS", "seen")
    answers(place.backend(f"open('environment', 'w').write(json.dumps(dict(os.environ)))\n{ANSWERS_EACH}"))
    seen = json.loads((place.path / "environment").read_text())
    assert seen["HARMLESS"] == "seen"
    assert "nxt-secret" not in json.dumps(seen)
    assert environment_without_key({"NIXTLA_API_KEY": " ", "A": "b c"}) == {"A": "b c"}
    assert environment_without_key({"NIXTLA_API_KEY": "test", "PATH": "/home/tester/bin"}) == {
        "PATH": "/home/tester/bin"
    }


def wait_for_end(process: int) -> None:
    """Return when no such process runs; one that nobody waited for is a zombie."""
    with suppress(FileNotFoundError):
        while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)


def test_what_the_program_started_ends_with_it(place):
    answers(
        place.backend(f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        open("child", "w").write(str(child.pid))
        {ANSWERS_EACH}
    """)
    )
    wait_for_end(int((place.path / "child").read_text()))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_the_program_at_once_and_what_it_answered_is_kept(place, signum):
    backend = place.backend(f"""
        open("pid", "w").write(str(os.getpid()))
        for question in questions():
            answer(question)
            while not os.path.exists("store/" + question["key"][:2] + "/" + question["key"][2:] + ".json"):
                time.sleep(0.01)
            time.sleep(0.3)
            os.kill(os.getppid(), {int(signum)})
            time.sleep(60)
    """)
    wanted = questions(backend.program)
    with pytest.raises(Interrupted, match="1 of 4 answers were computed and kept, and the next run continues") as end:
        answers(backend, wanted)
    assert end.value.exit_code == 128 + signum
    assert set(backend.store.get(one.question.key for one in wanted)) == {wanted[0].question.key}
    wait_for_end(int((place.path / "pid").read_text()))


def test_bars_that_are_no_longer_those_of_a_question_are_no_fault_of_the_program(place):
    backend = place.backend()
    first, second, *_ = questions(backend.program)
    with pytest.raises(DataContractError, match="the bars no longer hold the rows"):
        answers(backend, [first, replace(second, window=_changed)])
    assert len(backend.store.get([first.question.key])) == 1


def _changed():
    raise DataContractError("the bars no longer hold the rows of this question")


def test_the_model_may_be_online_or_offline_and_no_ledger_is_begun(place, tmp_path):
    assert len(answers(place.backend(mode="online"))) == 4
    assert not (tmp_path / "store/budget").exists()


def test_a_computed_answer_that_is_dropped_is_computed_again(place, capsys, monkeypatch):
    backend = place.backend()
    key = next(iter(answers(backend)))
    monkeypatch.setattr("stages.commands.answers.read_params", lambda _: backend.api)
    monkeypatch.setattr("stages.commands.answers.store_anywhere", lambda _: backend.store)
    monkeypatch.setattr("stages.commands.answers.ledger_anywhere", lambda _: SimpleNamespace(objects=place.store))
    drop(key)
    told = capsys.readouterr().out
    assert re.search(
        r"by mine at command\n  computed \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n  its values: -17\.8885 to", told
    )
    assert "asking again runs the program" in told
    drop(key, yes=True)
    said = capsys.readouterr().out
    assert "the next run of its stage asks its question again" in said
    assert "`dvc repro -sf forecast`" in said, "DVC sees no answers, so a stage that ran with it is up to date"
    again = place.backend()
    assert set(answers(again)) >= {key}
    assert (place.starts, again.took["computed"]) == (2, 1)


def test_what_asks_the_paid_service_refuses_a_program(place, monkeypatch):
    backend = place.backend(mode="online")
    sections = {ForecasterParams: backend.program, ApiParams: backend.api}
    monkeypatch.setattr("stages.paid.opening.read_params", sections.__getitem__)
    with pytest.raises(
        ConfigurationError, match=r"forecaster.name is command .* set forecaster=timegpt and api=online"
    ):
        paid_params("a proof")


def test_what_asks_the_paid_service_has_the_params_of_both(monkeypatch):
    url = {"base_url": "https://api.nixtla.io"}
    sections = {ForecasterParams: ForecasterParams(**FORECASTER | url), ApiParams: ApiParams(**API)}
    monkeypatch.setattr("stages.paid.opening.read_params", sections.__getitem__)
    assert paid_params("a proof") == tuple(sections.values())


def test_no_page_calls_a_program_timegpt():
    assert is_local(["command:mine", "local:persistence"])
    assert not is_local(["command:mine", "timegpt-2.1@https://api.nixtla.io"])
    assert origin(["command:mine"], "parquet", "spy") == "Local program “mine” (not TimeGPT) on bars of “spy”"
