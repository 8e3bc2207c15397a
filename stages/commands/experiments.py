"""Experiments: a file of conf/sweeps/ queued and run, and a table of all experiments.

`experiments` names each variant by what differs: `k_sigma=0.75`. `show` lists every run with the params that differ
from the commit's, then its verdicts and five figures. DVC fills the row `workspace` from params.yaml and the present
metrics; if these belong to two runs, a line above says so.
"""

import csv
import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, product
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from stages.configuration.compose import compose, set_by
from stages.errors import ConfigurationError, PipelineError, shorten
from stages.io.dvc_command import run_dvc
from stages.io.dvc_state import require_whole_rwlock
from stages.io.workspace import git
from stages.io.wrapped_text import width
from stages.params.study import Study
from stages.runs.evidence import require_evidence

SWEEPS = Path("conf/sweeps")
LONGEST_NAME = 200
Overrides = tuple[str, ...]


def experiments(name: str) -> None:
    """conf/sweeps/<name>.txt -> every variant queued under its name, then run; none if one cannot be composed."""
    require_whole_rwlock()
    path = SWEEPS / f"{name}.txt"
    if name not in (offered := sorted(one.stem for one in SWEEPS.glob("*.txt"))):
        raise ConfigurationError(f"there is no {path}: conf/sweeps/ offers {offered}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeError as error:
        raise ConfigurationError(f"{path} cannot be read ({error}): save it as UTF-8.") from None
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    queued = dict(pair for line in lines for pair in _variants(line))  # a variant stated twice runs once
    if not queued:
        raise ConfigurationError(f"{path} states no variant: write lines like -S rules.k_sigma=0.5,1.")
    for variant in queued:
        try:
            Study.parse(compose(overrides=variant))
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}, {' '.join(variant)}: {error}") from None
    called = _distinct([words or name for words in names(list(queued))])
    _take_back(called, "Queued", "Failed")
    try:
        for words, options in zip(called, queued.items(), strict=True):
            _queue(words, *options)
    except BaseException:  # the next run would run what still waits, also what the file no longer states
        _take_back(called, "Queued")
        raise
    _dvc("exp", "run", "--run-all")
    if failed := [words for words in called if not _is_recorded(words)]:  # DVC's exit code does not say
        raise ConfigurationError(
            f"{shorten(failed)} did not finish (see above); answers and the other variants are kept. Remove the "
            f"cause, then run `make experiments NAME={name}` again."
        )


def _variants(line: str) -> Iterator[tuple[Overrides, Overrides]]:
    """The overrides of each variant of a line like `-S rules.k_sigma=0.5,1`, and its other words for `dvc exp run`."""
    overrides, others = set_by(line.split())
    if others and not overrides:
        raise ConfigurationError(f"{line!r} sets nothing: write lines like -S rules.k_sigma=0.5,1.")
    choices = [_choices(word) for word in overrides]
    return ((variant, tuple(others)) for variant in product(*choices) if variant)


def _choices(word: str) -> list[str]:
    """`key=1,2` -> `key=1`, `key=2`, as Hydra reads it."""
    try:
        override = OverridesParser.create().parse_override(word)
        if not override.is_sweep_override():
            return [word]
        return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
    except HydraException as error:  # also of glob() and interval(), which name no values
        why = " ".join(str(error).splitlines()[0].split())
        raise ConfigurationError(f"{word!r} is not an override ({why}): write key=value, or key=value,value.") from None


def names(variants: Sequence[Overrides]) -> list[str]:
    """The overrides by which each variant differs: `k_sigma=0.75,s_stop=2`; keys in full if their short forms clash.

    A single variant is named by all its overrides. Characters that git allows in no name are left out.
    """
    stated = [dict(word.partition("=")[::2] for word in variant) for variant in variants]
    keys = dict.fromkeys(key for one in stated for key in one)
    differing = [key for key in keys if len(stated) == 1 or len({one.get(key) for one in stated}) > 1]
    short = [key.rpartition(".")[2] for key in differing]
    called = {key: key if short.count(last) > 1 else last for key, last in zip(differing, short, strict=True)}
    return [",".join(_plain(f"{called[key]}={one[key]}") for key in called if key in one) for one in stated]


def _distinct(called: Sequence[str]) -> list[str]:
    """The names made distinct and short enough for a file's name: a second `k_sigma=1` is `k_sigma=1-2`."""
    given: list[str] = []
    for one in (name[:LONGEST_NAME].rstrip(".") for name in called):
        numbered = (one if number == 1 else f"{one}-{number}" for number in count(1))
        given.append(next(name for name in numbered if name not in given))
    return given


def _plain(text: str) -> str:
    return re.sub(r"[^\w.,=+-]|\.(?=\.)|\.lock$", "", text).rstrip(".")


def _queue(name: str, variant: Overrides, options: Overrides) -> None:
    """Queue one variant in place of an earlier experiment of this name on this commit."""
    if _is_recorded(name):
        _dvc("exp", "remove", "-q", name)
    _dvc("exp", "run", "--queue", "--name", name, *(part for word in variant for part in ("-S", word)), *options)


def _take_back(called: Sequence[str], *states: str) -> None:
    """Remove the tasks of DVC's queue that have one of these names and are in one of these states."""
    lines = run_dvc("queue", "status", captured=True).stdout.splitlines()
    listed = [words for line in lines if len(words := line.split()) > 2]  # task, name, time of day, state
    if tasks := [task for task, name, *_, state in listed if name in called and state in states]:
        _dvc("queue", "remove", "-q", *tasks)


def _is_recorded(name: str) -> bool:
    """Whether an experiment of this name ran on the present commit."""
    head = git("rev-parse", "HEAD").strip()
    return bool(git("for-each-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}"))


def _dvc(*words: str) -> None:
    if run_dvc(*words).returncode:
        raise ConfigurationError(
            f"`dvc {' '.join(words[:2])}` failed (see above); what ran before is kept. Remove the cause, then run it "
            "again."
        )


VERDICTS = {"verdict": 14, "worth": 14}
FIGURES = {"net_bp": 8, "sharpe": 8, "oos_sharpe": 12, "trades": 8, "over_free_pct": 14}
UNKNOWN = ("", "!", None)  # DVC's signs of a figure that a run does not have
WORKSPACE = "workspace"
LONGEST = 40
Row = Mapping[str, str]


def show() -> None:
    """Print every run, after a warning if the workspace's row belongs to two runs."""
    try:
        require_evidence("evaluate")
    except PipelineError as error:
        print(f"show: do not read the row `workspace`: {error}", flush=True)
    done = run_dvc("exp", "show", "--csv", captured=True)
    if done.returncode:
        raise ConfigurationError(f"`dvc exp show` fails: {done.stderr.strip().removeprefix('ERROR: ')}")
    print("\n".join(table(list(csv.DictReader(io.StringIO(done.stdout))), width())))


def table(rows: Sequence[Row], columns: int) -> Iterator[str]:
    """Two lines a run, `columns` wide at most: what differs from the commit, then verdicts and figures."""
    here = next((row for row in rows if row["rev"] != WORKSPACE), rows[0])  # no commit yet: only the workspace
    keys = [key for key in here if "." in key and "/" not in key]
    read = [row for row in rows if any(row[key] not in UNKNOWN for key in keys)]  # none for a damaged lock
    params = [key for key in keys if any(row[key] != here[key] for row in read)]
    yield "run: params that differ from the commit"
    yield _line({name: name for name in (*VERDICTS, *FIGURES)})
    for row in rows:
        changed = [f"{key}={_short(row[key])}" for key in params if row is here or row[key] != here[key]]
        head = f"{row.get('Experiment') or row['rev']}: {' '.join(changed)}".removesuffix(": ")
        yield from textwrap.wrap(head, columns, subsequent_indent="    ", break_on_hyphens=False)
        state = row.get("State")  # DVC omits the column if no row has a state
        yield _line(row if state in ("Success", *UNKNOWN) else {"verdict": str(state)})


def _line(row: Row) -> str:
    """The verdicts and figures of a run in their columns."""
    shown = {name: "-" if row.get(name) in UNKNOWN else row[name] for name in (*VERDICTS, *FIGURES)}
    verdicts = "".join(f"{shown[name]:<{wide}}" for name, wide in VERDICTS.items())
    return f"  {verdicts}{''.join(f'{shown[name]:>{wide}}' for name, wide in FIGURES.items())}".rstrip()


def _short(value: str | None) -> str:
    text = "-" if value in UNKNOWN else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
