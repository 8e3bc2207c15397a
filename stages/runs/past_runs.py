"""Earlier runs: the files of an experiment, branch or commit, and all runs whose tables still exist.

A stage that DVC restores from its run-cache does not run, so it logs no trial. Its variants are still known: dvc.lock
says where each table is in DVC's cache, and the params.yaml of the same commit says what was judged. Both also give the
present names of variants and strategies in entries of an older log.

*Errors*: `ConfigurationError` (exit 5) when there is no such run, when its files are not available or not those of its
dvc.lock, or in a shallow clone. Missing tables raise nothing: they are counted.
"""

import csv
import io
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stages.io.content import LOCK, file_hash
from stages.io.dvc_internals import copy_from_run
from stages.io.settings import PARAMS, read_params, sections_in
from stages.io.workspace import cached, git, require_whole_history
from stages.params.api import ApiParams
from stages.runs.evidence import STUDY, Run, parse_run, read_run, require_fetched
from stages.runs.trial_log import open_log
from stages.trading.strategy import strategy_id
from stages.trading.trials import Entry, context_of, earlier_contexts_of, evaluated, judged_worth, names_trials, opened


def fetch_run(name: str, files: Mapping[str, Path], folder: Path, later: Container[str] = ()) -> dict[str, Path]:
    """Copy files of the run `name`, its params and its lock into `folder`, under their own paths; returns the files.

    The workspace does not change; the files must be those that the lock records. Files named in `later` are left out if
    the run is older than their stage.
    """
    copy_from_run(name, (PARAMS, LOCK), folder)
    run = read_run(folder)
    made = {one["path"] for stage in run.stages for one in run.listed(stage, "outs")}
    wanted = {key: path for key, path in files.items() if key not in later or path.as_posix() in made}
    copy_from_run(name, wanted.values(), folder)
    require_fetched(name, wanted.values(), folder)
    return wanted


COMBOS = {"sweep": "artifacts/sweep/ranking.csv", "backtest": "artifacts/backtest/bt_summary.csv"}
VERDICT = "artifacts/evaluate/oos.json"
WORTH = "artifacts/judge_worth/worth.json"
MANIFEST = "artifacts/list_source/manifest.json"
RECORD_SECTIONS = ("report", "evaluate", "list_source")  # stages that recorded all params; today only the last
AFTER_THE_VARIANTS = {"evaluate", "judge_worth", "report"}


@dataclass
class RecordedEntries:
    """The entries of recorded runs, the number of missing tables, and of runs that do not match their params.yaml.

    `contexts` and `strategies` map names in entries of an older log to the present names.
    """

    entries: set[Entry] = field(default_factory=set)
    contexts: dict[str, str] = field(default_factory=dict)
    strategies: dict[str, str] = field(default_factory=dict)
    runs: int = 0
    missing: int = 0
    unfit: int = 0


def present_run() -> list[Run]:
    """The run that dvc.lock of this workspace records, if there is one."""
    if not (LOCK.exists() and PARAMS.exists()):
        return []
    return [parse_run(PARAMS.read_text(encoding="utf-8"), LOCK.read_text(encoding="utf-8"))]


def log_present_run() -> None:
    """Log the entries of the present tables, in case DVC restored their stages."""
    open_log(read_params(ApiParams)).add_all(entries_of(present_run()).entries)


def recorded_runs() -> Iterator[Run]:
    """Every different run of this pipeline that a commit of any branch, tag or experiment records, oldest first."""
    return (run for run in all_runs() if names_trials(run.params))


def all_runs() -> Iterator[Run]:
    """`recorded_runs`, and those committed without a params.yaml of this pipeline that can be read."""
    require_whole_history()
    seen = set()
    for commit in reversed(git("rev-list", "--all", "--full-history", "--", str(LOCK)).split()):
        listed = (line.split() for line in git("ls-tree", commit, "--", str(PARAMS), str(LOCK)).splitlines())
        there = {path: blob for _, _, blob, path in listed}
        blobs = there.get(str(PARAMS)), there.get(str(LOCK))
        if blobs[1] and blobs not in seen:
            seen.add(blobs)
            params, lock = (git("cat-file", "blob", blob) if blob else "" for blob in blobs)
            yield Run(sections_in(params), parse_run("", lock).stages)


def entries_of(runs: Iterable[Run]) -> RecordedEntries:
    """The variants, studies and openings of these runs whose tables are available."""
    recorded = RecordedEntries()
    for run in runs:
        recorded.runs += 1
        if _is_mixed(run):
            recorded.unfit += 1
            continue
        run = replace(run, params=_with_recorded(run))
        recorded.contexts |= dict.fromkeys(earlier_contexts_of(run.params), context_of(run.params))
        for stage, path in COMBOS.items():
            content = _content(run, stage, path, recorded)
            if content is not None:
                rows = csv.DictReader(io.StringIO(content.decode("utf-8")))
                recorded.entries.add(evaluated(run.params, rows))
        worth = _content(run, "judge_worth", WORTH, recorded)
        if worth is not None:
            judged = json.loads(worth)
            recorded.entries.add(judged_worth(run.params, judged["study_id"], judged["training"]))
        verdict = _content(run, "evaluate", VERDICT, recorded)
        if verdict is not None:
            _add_openings(json.loads(verdict), run, recorded)
    recorded.contexts |= {name: name for name in recorded.contexts.values()}  # a present name stays
    return recorded


def _is_mixed(run: Run) -> bool:
    """Whether its variants were made with other params than its params.yaml, or its stages with several studies."""
    listed = [one for stage in run.stages for kind in ("deps", "outs") for one in run.listed(stage, kind)]
    studies = {one["md5"] for one in listed if one["path"] == STUDY}
    return len(studies) > 1 or bool(run.other_params(set(run.stages) - AFTER_THE_VARIANTS))


def _with_recorded(run: Run) -> dict[str, Any]:
    """Its params as recorded: in params.yaml, a section that no variant depends on may have changed since."""
    recorded: dict[str, Any] = {}
    for stage in RECORD_SECTIONS:
        recorded |= run.stages.get(stage, {}).get("params", {}).get(str(PARAMS), {})
    return {name: recorded.get(name, section) for name, section in run.params.items()}


def _add_openings(oos: Mapping[str, Any], run: Run, recorded: RecordedEntries) -> None:
    """Add the run's openings of the holdout, or of its months, under the strategy's present id."""
    strategy = oos["strategy_id"]
    manifest = _content(run, "list_source", MANIFEST, recorded)
    if manifest is not None:
        recorded.strategies[strategy] = strategy_id(run.params, json.loads(manifest), oos["trading"])
    whole = [None] if oos["status"] == "OPEN" else []
    for month in oos.get("months") or whole:
        recorded.entries.add(opened(run.params, recorded.strategies.get(strategy, strategy), month))


def _content(run: Run, stage: str, path: str, recorded: RecordedEntries) -> bytes | None:
    """A recorded file in DVC's cache; None if its stage never ran, or, counted as missing, if it is gone or altered."""
    digest = next((str(out["md5"]) for out in run.listed(stage, "outs") if out["path"] == path), None)
    if digest is None:
        return None
    copy = cached(digest)
    if not copy.exists() or file_hash(copy) != digest:
        recorded.missing += 1
        return None
    return copy.read_bytes()
