"""What a user types into a variable of make reaches a command as the text it is, whatever a shell would read in it.

Each target runs as typed, with commands that only write down what they were given.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
MARKS = (
    "$(shell touch mark)", "$$(touch mark)", "$(touch mark)", "`touch mark`", "x;touch mark", "x|touch mark",
    "x&touch mark", "x\ntouch mark", "';touch mark;'", '";touch mark;"', "x>mark", "-x", "--help=$(X)", "*",
    "it's #1 %", "~", "\\", "!x", "a\n-b\n@c", "${HOME}",
)  # fmt: skip
ONE_TEXT = {  # target -> its variables, and what stands before each one's text
    "use": {"PRESET": ""},
    "new-run": {
        "PRESET": "", "URI": "--uri=", "SYMBOLS": "--symbols=", "FIRST": "--first=", "LAST": "--last=",
        "HISTORY": "--history=", "HOLDOUT": "--holdout=", "ALIASES": "--aliases=",
    },
    "page": {"RUN": "", "OPEN": "--open="},
    "compare": {"A": "", "B": ""},
    "pr-comment": {"BASE": "", "PICTURES": "--pictures="},
    "open-holdout": {"MONTH": "--month="},
    "audit": {"INSTANTS": "--instants=", "AT_ONCE": "--at-once="},
    "null": {"TIMES": "--times=", "SEEDS": "--seeds="},
    "budget": {"PER_DAY": "", "CLOCK": "--clock="},
    "identify": {"CHOICE": ""},
    "study": {"STEP": "--step="},
    "show-request": {"KEY": ""},
    "adopt-store": {"FROM": "--from="},
    "release": {"KEY": ""},
    "spend": {"USAGE": "--usage="},
    "drop": {"KEY": ""},
    "bench-against": {"BASE": "", "TURNS": "--turns="},
    "mutants": {"N": "--n=", "SEED": "--seed="},
}  # fmt: skip
TURNS = 4  # targets take turns with the texts: what quotes a text is the same for all, as the last test says
WORDS = {"bench-scale": "ARGS", "label-proof": "FEEDS", "bench-worth": "PATHS"}
WORDS |= dict.fromkeys(("plan", "models", "learn-model"), "SET") | dict.fromkeys(
    ("adopt", "whitelist", "collect-partitions"), "ARGS"
)
FILES = {"run": "PRESET", "experiments": "NAME"}
RECORD = '#!/bin/bash\nprintf "%s\\0" "${0##*/}" "$@" END >> "$CALLS"\n'


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Makefile beside an environment whose commands write down their arguments."""
    folder = tmp_path_factory.mktemp("make")
    for path in (".venv/bin", "conf/preset", "conf/sweeps"):
        (folder / path).mkdir(parents=True)
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "conf/preset/mine.yaml").touch()
    for name in ("python", "python3", "dvc", "uv"):
        (folder / ".venv/bin" / name).write_text(RECORD)
        (folder / ".venv/bin" / name).chmod(0o755)
    for name in ("requirements.txt", "requirements-dev.txt", ".venv/runtime", ".venv/dev"):
        (folder / name).touch()
    return folder


def made(folder: Path, target: str, *, exported: bool = False, **variables: str) -> tuple[int, list[list[str]]]:
    """Exit code of `make TARGET NAME=text ...`, and each command it started, word by word; nothing else happened."""
    calls, before = folder / "calls", {*folder.rglob("*")}
    typed = ["make", target, *(f"{name}={text}" for name, text in variables.items() if not exported)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "CALLS": str(calls)} | variables
    done = subprocess.run(typed, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = [one.split("\0")[:-1] for one in calls.read_text().split("END\0")[:-1]] if calls.exists() else []
    calls.unlink(missing_ok=True)
    assert {*folder.rglob("*")} == before, (typed, done.stderr)
    return done.returncode, found


@pytest.mark.parametrize("target", ONE_TEXT)
def test_a_text_arrives_whole_and_nothing_in_it_is_run(bench, target):
    for number in range(list(ONE_TEXT).index(target) % TURNS, len(MARKS), TURNS):  # each variable beside others
        texts = {name: MARKS[(number + i) % len(MARKS)] for i, name in enumerate(ONE_TEXT[target])}
        code, [[command, *words]] = made(bench, target, **texts)
        assert (code, command, words[0]) == (0, "python", "-m")
        for name, before in ONE_TEXT[target].items():
            assert f"{before}{texts[name]}" in words, (name, texts[name])
            assert before or words.index(texts[name]) > words.index("--"), "what begins with a dash is no option"


@pytest.mark.parametrize("target", WORDS)
def test_of_several_words_each_arrives_whole(bench, target):
    for text in MARKS[list(WORDS).index(target) % TURNS :: TURNS]:
        code, [[_, *words]] = made(bench, target, **{WORDS[target]: f"one {text}"})
        assert code == 0
        assert words[-1 - len(text.split()) :] == ["one", *text.split()]


@pytest.mark.parametrize("target", FILES)
def test_a_name_that_is_no_file_of_conf_starts_nothing(bench, target):
    (bench / "outside.yaml").touch()
    (bench / "outside.txt").touch()
    for text in (*MARKS, "../../outside", f"{bench}/outside"):
        code, calls = made(bench, target, **{FILES[target]: text})
        assert (code, calls) == (2, []), text


def test_how_a_preset_runs_is_words(bench):
    code, [listed, words] = made(bench, "run", PRESET="mine", HOW="--temp $(touch mark) *")
    assert listed[3:] == ["params", "--listed=mine", "--", *words[7:]]
    assert code == 0
    assert words[4:] == ["--name=mine", "-S", "preset=mine", "--temp", "$(touch", "mark)", "*"]


@pytest.mark.parametrize(
    ("target", "variables"), [("run", {}), ("run", {"PRESET": "mine"}), ("sweep", {}), ("experiments", {"NAME": "one"})]
)
def test_dvc_runs_only_after_a_command_that_gives_it_what_it_needs(bench, target, variables):
    """`params --check`, `params --listed` and `prepare` do: a folder of its own, and no torn lock."""
    (bench / "conf/sweeps/one.txt").write_text("-S a=1")
    code, [first, *following] = made(bench, target, **variables)
    assert code == 0
    assert first[:3] == ["python", "-m", "stages"]
    assert first[3] == "prepare" or (first[3] == "params" and first[4].startswith(("--check", "--listed")))
    assert following[0][0] == "dvc" or following[0][3] == "experiments"


def test_a_variable_of_the_environment_is_a_text_as_well(bench):
    for text in MARKS:
        code, [words] = made(bench, "pr-comment", exported=True, BASE=text)
        assert (code, words[-2:]) == (0, ["--", text])


def test_a_variable_that_no_target_knows_is_not_run_either_and_reaches_commands_as_it_was_typed(bench):
    (bench / ".venv/bin/python").write_text('#!/bin/bash\nprintf "%s" "$NIXTLA_API_KEY" > "$CALLS"\n')
    subprocess.run(
        ["make", "budget", "NIXTLA_API_KEY=a$(shell touch mark)$$b"],
        cwd=bench, env={"PATH": os.environ["PATH"], "CALLS": str(bench / "calls")}, check=True, capture_output=True,
    )  # fmt: skip
    (bench / ".venv/bin/python").write_text(RECORD)
    assert (bench / "calls").read_text() == "a$(shell touch mark)$$b"
    (bench / "calls").unlink()
    assert not (bench / "mark").exists()


def test_a_recipe_names_what_is_typed_only_through_what_quotes_it_and_every_variable_is_tried_here():
    recipes = "\n".join(line for line in MAKEFILE.splitlines() if line.startswith("\t"))
    ours = set(re.findall(r"^override ([A-Z]+) :?=", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"\$[({]([A-Z_]+)[)}]", recipes)) <= ours
    tried = {name for names in ONE_TEXT.values() for name in names} | set(WORDS.values()) | {"PRESET", "NAME", "HOW"}
    typed = re.findall(r"\$\(call (?:quoted|given|split|known),(\w+)|\$\(call option,[^,]+,(\w+)", recipes)
    assert {one or other for one, other in typed} - {"PYTHON"} == tried
