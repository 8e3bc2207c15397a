"""How a command ends where its output has nowhere to go, or its disk fails: one sentence or none, never a traceback."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENDINGS = {
    "a summary": "run(lambda: say('score', cells=84))",
    "many lines": "run(lambda: [print(number) for number in range(100_000)] and None)",
    "paragraphs": "run(lambda: show(['word ' * 2000] * 100))",
    "help": "import sys; sys.argv[1:] = ['--help']; from stages.commands.command_line import main; run(main)",
    "an error": "from stages.errors import GateNotMet\n"
    "def main(): print('FAIL'); raise GateNotMet('it failed.')\nrun(main)",
}
NO_ROOM_IN_TEMPORARY = """
import errno, tempfile
def main(): raise OSError(errno.ENOSPC, 'No space left on device', '/tmp/plan-x/params.yaml')
run(main)"""
A_FILE_AND_A_PROGRAM = """
import subprocess, tempfile
def main():
    with tempfile.TemporaryFile() as kept:
        subprocess.run(["echo", "x"], check=True)
        assert kept.seek(0, 2) == 0
run(main)"""
A_BUG = "def main(): raise FileNotFoundError(2, 'No such file or directory', 'bug')\nrun(main)"


def ended(code: str, stdout: int, both: bool = False, buffered: bool = True) -> tuple[int, str]:
    """Exit code of a process whose output goes to this handle, and what it says on stderr."""
    typed = [
        sys.executable,
        *([] if buffered else ["-u"]),
        "-c",
        f"from stages.io.terminal import run, say, show\n{code}",
    ]
    stderr = stdout if both else subprocess.PIPE
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(typed, stdout=stdout, stderr=stderr, text=True, env=environment, check=False)
    return done.returncode, done.stderr or ""


@pytest.fixture
def left_pipe():
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


OTHERS = ("a summary", "many lines", "paragraphs", "help")  # the same of other kinds of output


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.torture) if name in OTHERS else name for name in ENDINGS]
)
def test_a_reader_that_goes_away_ends_a_command_without_a_traceback(name: str, left_pipe: int):
    code, said = ended(ENDINGS[name], left_pipe)
    assert code == 141
    assert said in {"", "error it failed.\n"}
    assert ended(ENDINGS[name], left_pipe, both=True)[0] in {141, 120}, (
        "120 is Python's own word where it could not write to stderr"
    )


# each is a process: one way to close at once, the others at length
@pytest.mark.parametrize(
    "closed", ["<&- >&- 2>&-", *(pytest.param(one, marks=pytest.mark.torture) for one in (">&-", "2>&-"))]
)
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *(pytest.param(ENDINGS[name], 0, marks=pytest.mark.torture) for name in OTHERS if name != "help"),
        (ENDINGS["help"], 0),
        (ENDINGS["an error"], 3),
        (A_FILE_AND_A_PROGRAM, 0),
    ],
)
def test_a_closed_stream_shows_nothing_and_no_file_takes_its_place(code: str, expected: int, closed: str):
    program = f"from stages.io.terminal import run, say, show\n{code}"
    typed = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(typed, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (expected, False)


def test_without_docstrings_no_run_begins_whose_page_would_fail_at_the_end():
    typed = [sys.executable, "-OO", "-m", "stages", "worth"]
    done = subprocess.run(typed, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith("error Python drops docstrings here (PYTHONOPTIMIZE=2 or -OO)")


def test_an_output_without_room_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        assert ended(ENDINGS["a summary"], full.fileno()) == (
            5, "error the output could not be used: the disk is full: make room and run again.\n",
        )  # fmt: skip


@pytest.mark.parametrize("buffered", [True, False])
def test_an_error_before_any_output_needs_no_room_for_it(buffered: bool):
    code = ENDINGS["an error"].replace("print('FAIL'); ", "")
    with Path("/dev/full").open("w") as full:
        assert ended(code, full.fileno(), buffered=buffered) == (3, "error it failed.\n")


def test_a_disk_that_fails_outside_every_writer_is_one_sentence():
    told = "error /tmp/plan-x/params.yaml could not be used: the disk is full: make room and run again.\n"
    assert ended(NO_ROOM_IN_TEMPORARY, subprocess.DEVNULL) == (5, told)


def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path: Path):
    """As where a container was started with a file that did not exist: its mount is a folder."""
    (tmp_path / "params.yaml").mkdir()
    (tmp_path / "artifacts").touch()
    words = "could not be used: a {} lies where a {} should: move it away.\n"
    for code, said in (
        ("run(lambda: Path('params.yaml').read_text())", f"error params.yaml {words.format('folder', 'file')}"),
        ("run(lambda: Path('artifacts/page').mkdir())", f"error artifacts/page {words.format('file', 'folder')}"),
    ):
        there = f"import os\nfrom pathlib import Path\nos.chdir({str(tmp_path)!r})\n{code}"
        assert ended(there, subprocess.DEVNULL) == (5, said)


def test_a_line_that_goes_on_where_another_stopped_ends_within_the_terminal():
    said, *shown = at_a_terminal(ENDINGS["an error"].replace("it failed.", "it failed. " * 40))
    assert said == "FAIL"
    assert shown[0].startswith("error it failed. ")
    assert len(shown) > 4
    assert max(map(len, shown)) <= 80


def at_a_terminal(code: str) -> list[str]:
    """The lines that a process writes to a terminal of 80 columns, without their colours."""
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    ended(code, terminal, both=True)
    os.close(terminal)
    written = os.read(controller, 1 << 16).decode()
    os.close(controller)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).splitlines()


def test_a_bug_stays_a_traceback(tmp_path, monkeypatch):
    """In a folder without dvc.lock: beside a changed input, the error would name that."""
    monkeypatch.chdir(tmp_path)
    code, said = ended(A_BUG, subprocess.DEVNULL)
    assert code == 1
    assert "Traceback" in said


@pytest.mark.parametrize(("written", "code"), [("rules: {s_stop: 2}", 5), ("rules:\n  s_stop: 1\n", 0)])
def test_a_stage_whose_params_changed_while_it_ran_fails_so_that_dvc_records_nothing(
    tmp_path: Path, written: str, code: int
):
    (tmp_path / "params.yaml").write_text("rules: {s_stop: 1}")
    stage = f"""
from pathlib import Path
from stages.io.settings import read_document
from stages.io.terminal import run
def main():
    read_document()
    Path("params.yaml").write_text({written!r})
run(main)"""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DVC_STAGE": "backtest"}
    done = subprocess.run(
        [sys.executable, "-c", stage], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "params.yaml changed while this stage ran" in done.stderr) == (code, code == 5)


HARMFUL = "AAPL\x1b]0;title\x07\x1b[2J\r\u202e\x9b\udcff.csv"
SHOWN = r"AAPL\x1b]0;title\x07\x1b[2J\r\u202e\x9b\udcff.csv"
SAYING = {
    "a line": "def main(): print(NAME)\nrun(main)",
    "a sentence": "run(lambda: show([NAME]))",
    "a summary": "run(lambda: say('fetch', file=NAME))",
    "a line on stderr": "from stages.io.terminal import print_to_stderr\nrun(lambda: print_to_stderr(NAME))",
    "an error": "from stages.errors import GateNotMet\ndef main(): raise GateNotMet(NAME)\nrun(main)",
}


# two processes each: the others at length
@pytest.mark.parametrize(
    "name", [name if name == "an error" else pytest.param(name, marks=pytest.mark.torture) for name in SAYING]
)
def test_a_name_does_nothing_to_the_terminal_or_log_that_shows_it(name: str):
    code = f"NAME = {HARMFUL!r}\n{SAYING[name]}"
    reader, writer = os.pipe()
    ended(code, writer, both=True)
    os.close(writer)
    with os.fdopen(reader, newline="") as pipe:
        assert SHOWN in pipe.read()

    assert SHOWN in "".join(at_a_terminal(code))
    assert "\x07" not in "".join(at_a_terminal(code))


def test_an_error_has_no_colours_but_its_first_word():
    (line,) = at_a_terminal(
        "from stages.errors import GateNotMet\ndef main(): raise GateNotMet('\\x1b[8mno')\nrun(main)"
    )
    assert line == r"error \x1b[8mno"
