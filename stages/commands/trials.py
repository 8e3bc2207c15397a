"""`make trials`: every variant ever evaluated and every opening on the log; writes `sweep.prior_trials` from it.

`--present` only puts the variants of the present tables on the log; `make run` does that, because a stage that DVC
restores from its run-cache logs nothing itself.
"""

from collections.abc import Iterable

import yaml

from stages.backtesting.grid import combos
from stages.backtesting.trials import Entry, evaluated, prior_trials
from stages.forecasting.params import ApiParams
from stages.outside.arguments import Arguments
from stages.outside.configuration.adoption import state
from stages.outside.configuration.composition import compose, refuse_to_discard, to_yaml
from stages.outside.configuration.study import Study
from stages.outside.entry import run
from stages.outside.runs.past_runs import Found, entries_of, present_run, recorded_runs
from stages.outside.runs.trials import TrialLog, open_log
from stages.outside.settings import read_params


def main() -> None:
    """Trial log, git's history and DVC's cache -> what was tried, and sweep.prior_trials in conf/ and params.yaml."""
    parser = Arguments(prog="make trials", description="what was ever tried, and sweep.prior_trials")
    parser.add_argument("--present", action="store_true", help="only log what the present tables hold")
    only_present = parser.parse_args().present
    log = open_log(_api(only_present))
    if only_present:
        _add(log, entries_of(present_run()))
        return

    log.exchange()
    found = entries_of([*present_run(), *recorded_runs()])
    added = _add(log, found)
    _show(log.entries())
    _show_coverage(found, added)
    refuse_to_discard()
    _count(log)


def _api(only_present: bool) -> ApiParams:
    """A person's own command asks the remote also offline, as `make budget` does."""
    api = read_params(ApiParams)
    return api if only_present else api.model_copy(update={"mode": "online", "remote_down": "local"})


def _add(log: TrialLog, found: Found) -> int:
    return sum(log.add(entry) for entry in sorted(found.entries, key=repr))


def _show(entries: Iterable[Entry]) -> None:
    tried: dict[tuple[str, str], set[str]] = {}
    opened: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        tried.setdefault(entry.family, set()).update(entry.variants)
        opened.setdefault(entry.family, set()).update({entry.opening} - {None})  # type: ignore[arg-type]
    variants, openings = (sum(map(len, found.values())) for found in (tried, opened))
    print(f"trials: {variants} variants ever evaluated, {openings} openings of a holdout")
    for source, study in sorted(tried):
        names = ", ".join(sorted(opened[source, study])) or "nobody"
        print(f"  source {source}, study {study}: {len(tried[source, study])} variants, opened for {names}")


def _show_coverage(found: Found, added: int) -> None:
    print(f"  re-read: {found.runs} runs (this workspace, all commits and experiments), {added} entries were new")
    if found.missing:
        print(
            f"  {found.missing} of their tables are not in DVC's cache (`dvc fetch --all-commits` brings shared ones)"
        )
    if found.unfit:
        print(f"  {found.unfit} of them stand beside another params.yaml than they ran with, and were left out")


def _count(log: TrialLog) -> None:
    document = yaml.safe_load(to_yaml(compose()))
    study = Study.parse(document)
    base = study.strategy(frozenset())
    now = evaluated(document, (combo.strategy.combo for combo in combos(base, study.sweep.grid)))
    prior, before = prior_trials(log.entries(), now), study.sweep.prior_trials
    told = f"{prior} variants of this source and study are not in the grid of {len(now.variants)}"
    if prior == before:
        print(f"trials: {told}; sweep.prior_trials says so already.")
        return
    files = " ".join(map(str, state({"sweep": {"prior_trials": prior}})))
    print(f"trials: {told}: sweep.prior_trials = {prior} (was: {before}) -> {files}")
    print(f"Next: `make run`, then `git commit -m 'Count ...' {files} params.yaml dvc.lock`.")


if __name__ == "__main__":
    run(main)
