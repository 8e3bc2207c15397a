"""The command line: `python -m stages <verb>`; `--help` lists the verbs, `<verb> --help` says what one takes.

The code of a verb is imported only when it runs. `eval "$(python -m stages completion bash)"` gives a shell the command
`stages`, which completes verbs and options. A stage of the graph is `python -m stages.<stage>`, as in dvc.yaml.
"""

import argparse
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from stages.errors import ConfigurationError

KEY_DIGITS = 32
MOST_DIGITS = 100  # Python reads no number of thousands of digits


class Arguments(argparse.ArgumentParser):
    """A parser whose errors exit with 5, as other errors of configuration: exit code 2 means bad data here."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where to look."""
        raise ConfigurationError(f"{self.prog}: {message}: `{self.prog} --help` shows what it takes.")


class Verb(NamedTuple):
    """A function `module:name` of `stages`, its help text, and its keyword arguments."""

    function: str
    help: str
    arguments: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = ()


def arg(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """One argument, as `add_argument` takes it."""
    return names, options


def key(least: int) -> Callable[[str], str]:
    """A reader of a question's key, or of at least `least` of its first digits; it becomes part of paths."""

    def read(text: str) -> str:
        if not re.fullmatch(f"[0-9a-f]{{{least},{KEY_DIGITS}}}", text):
            what = f"{KEY_DIGITS} hexadecimal digits" if least == KEY_DIGITS else "hexadecimal digits of a key"
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return text

    return read


def number(least: int, most: int = 10**9) -> Callable[[str], int]:
    """A reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > MOST_DIGITS or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least} and at most {most:,}")
        return int(text)

    return read


class Words(argparse.Action):
    """A list of words, since a make variable with several words arrives as one."""

    def __call__(self, _: object, namespace: argparse.Namespace, values: Any, __: str | None = None) -> None:
        """Add the words of `values`."""
        setattr(namespace, self.dest, [word for text in values for word in text.split()])


OVERRIDES = arg("overrides", nargs="*", help="Hydra overrides, like requests.history_days=[20,40] or api=online")
KEY = arg("key", type=key(KEY_DIGITS), help="the key, whole")
RUN = "an experiment, a branch, a commit, or workspace"
VERBS = {
    "gate": Verb("gate:main", "the verdict of the last run; exit code 3 unless it is PASS"),
    "demo": Verb("commands.demo:demo", "a first page, of five sessions; nothing here changes"),
    "params": Verb("commands.conf:params", "compose conf/ into params.yaml", (
        arg("--check", action="store_true", help="refuse to discard an applied experiment"),
        arg("--unlisted", action="store_true", help="the source may not be listed yet"),
        arg("--listed", metavar="PRESET", help="only check whether a preset can run: its params and its listing"),
        arg("how", nargs="*", help="for --listed: further words of `dvc exp run`"),
    )),
    "use": Verb("commands.conf:use", "make a preset the active choice", (
        arg("preset", help="a file of conf/preset, without .yaml"),
    )),
    "adopt": Verb("commands.conf:adopt", "keep an applied experiment, or what was proposed, in conf/", (
        arg("what", nargs="?", choices=["rule", "calibration"], help="which proposal (without an experiment: rule)"),
    )),
    "whitelist": Verb("commands.conf:whitelist", "let the symbols trade whose cells are eligible"),
    "new-run": Verb("commands.new_run:new_run", "look into your bars and write a preset for them", (
        arg("preset", help="its name: small letters, digits and _"),
        arg("--uri", required=True, help="a folder, a file or a template with {symbol}, {yyyy}, {mm}, {dd}"),
        arg("--symbols", nargs="+", action=Words, default=[], help="default: those of the files"),
        arg("--first", help="first session; default: that of the files"),
        arg("--last", help="last session"),
        arg("--history", type=number(1), help="whole sessions that a question sends"),
        arg("--holdout", type=number(1), help="sessions that stay sealed"),
        arg("--aliases", nargs="*", action=Words, default=[], metavar="VENDOR=OURS", help="columns, like c=close"),
    )),
    "refresh": Verb("commands.source:refresh", "list the source as it is now, and say what is new or revised"),
    "collect-partitions": Verb("commands.source:collect_partitions", "objects in storage.root that no run uses", (
        arg("--delete", dest="deleting", action="store_true", help="remove them; without this, they are only named"),
    )),
    "show": Verb("commands.experiments:show", "experiments side by side: what differs, verdicts, figures"),
    "experiments": Verb("commands.experiments:experiments", "queue and run the variants of a file of conf/sweeps", (
        arg("name", help="the file, without .txt"),
    )),
    "page": Verb("commands.pages:page", "the page of a run, with what it cost", (
        arg("run", nargs="?", default="workspace", help=RUN),
        arg("--open", dest="opened", choices=["1"], help="show it in a browser"),
    )),
    "compare": Verb("commands.pages:compare", "two runs on one page", (
        arg("a", help=RUN), arg("b", nargs="?", default="workspace", help=RUN),
    )),
    "pr-comment": Verb("commands.pr_comment:pr_comment", "what this change does to a run, as a comment", (
        arg("base", nargs="?", default="main", help="the run to compare with"),
        arg("--pictures", dest="pictures_at", default="", help="address of its pictures; empty: next to the comment"),
    )),
    "open-holdout": Verb("commands.trials:open_holdout", "let the stated strategy see the holdout, on the record", (
        arg("--month", help="one month of split.holdout_months, like 2025-02; without it, everything"),
    )),
    "worth": Verb("commands.worth:worth", "is paying worth it: the verdict of the last run"),
    "study": Verb("commands.worth:study", "buy some sessions at a time until it is known", (
        arg("--step", type=number(1), default=5, help="sessions a step (5)"),
    )),
    "trials": Verb("commands.trials:trials", "every variant ever tried; writes sweep.prior_trials"),
    "plan": Verb("commands.spending:plan", "the price of a run in requests; buys nothing", (OVERRIDES,)),
    "budget": Verb("commands.spending:budget", "requests spent and left", (
        arg("per_day", nargs="?", type=number(0, 10**12), help="new standing limit of requests a UTC day"),
        arg("--clock", choices=["right"], help="count requests dated after today as today's"),
    )),
    "spend": Verb("commands.spending:spend", "runs and requests, oldest first", (
        arg("--usage", choices=["1"], help="ask the vendor what it counted; one request"),
    )),
    "models": Verb("commands.model:models", "the models that your key may use; one request", (OVERRIDES,)),
    "learn-model": Verb("commands.model:learn_model", "write the model's own numbers into conf/", (OVERRIDES,)),
    "identify": Verb("commands.identify:identify", "write the digest of your program's files into conf/", (
        arg("choice", nargs="?", help="a file of conf/forecaster, without .yaml; default: the active one"),
    )),
    "prove-independence": Verb("commands.model:prove_independence", "does a batch answer each series as if alone"),
    "canary": Verb("commands.model:canary", "has the model changed under its name; one request"),
    "verify": Verb("commands.answers:verify", "is every stored answer intact"),
    "show-request": Verb("commands.answers:show_request", "a question and the rows it sends", (
        arg("key", type=key(1), help="the key, or its first digits"),
    )),
    "drop": Verb("commands.answers:drop", "throw a stored answer away, to buy it again", (
        KEY, arg("--yes", action="store_true", help="throw it away; without this, only say what would be"),
    )),
    "release": Verb("commands.answers:release", "let a key be bought again", (KEY,)),
    "adopt-store": Verb("commands.answers:adopt_store", "copy answers and ledger into DVC's present cache", (
        arg("--from", dest="cache", type=Path, help="the cache that DVC used before"),
    )),
    "new-store": Verb("commands.answers:new_store", "continue with the store in DVC's cache now, as another study"),
    "audit": Verb("commands.audit:audit_study", "leakage audit: other futures must not change the past", (
        arg("--instants", type=number(1), default=30, help="how many instants (30)"),
        arg("--seed", type=number(0, 2**32 - 1), default=0, help="which instants (0)"),
        arg("--at-once", type=number(1), default=16, help="symbols in memory at a time (16)"),
    )),
    "null": Verb("commands.null:null", "how often the gates pass by luck", (
        arg("--times", type=number(1), default=100, help="replays with forecasts moved to other dates (100)"),
        arg("--seeds", type=number(1), default=20, help="markets of random walks, some seconds each (20)"),
    )),
    "prepare": Verb("commands.conf:prepare", "what DVC needs in this clone; make asks for it first"),
    "doctor": Verb("commands.doctor:doctor", "is everything here that a run needs"),
    "completion": Verb("commands.command_line:completion", "the command `stages` for your shell, with completion", (
        arg("shell", choices=["bash", "zsh"], help="which shell"),
    )),
}  # fmt: skip


def parser(program: str = "python -m stages") -> argparse.ArgumentParser:
    """Every verb with its arguments."""
    top = Arguments(prog=program, description="The commands beside the pipeline; `dvc repro` runs the pipeline itself.")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        sub = verbs.add_parser(name, help=verb.help, description=verb.help)
        for names, options in verb.arguments:
            sub.add_argument(*names, **options)
    return top


def completion(shell: str) -> None:
    """Print what a shell needs to complete `stages <verb>`."""
    import shtab  # only this verb needs it

    print('stages() { python -m stages "$@"; }')
    print(shtab.complete(parser("stages"), shell))


def main() -> None:
    """Run the function of the verb that was typed."""
    typed = vars(parser().parse_args())
    module, _, name = VERBS[typed.pop("verb")].function.partition(":")
    getattr(import_module(f"stages.{module}"), name)(**typed)
