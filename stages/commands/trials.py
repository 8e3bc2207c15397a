"""`make trials`: every variant ever evaluated and every opening on the log; what a deflated Sharpe must know of them.

It writes `sweep.prior_trials` and `sweep.prior_sharpe_var`. Entries of an older log are read under today's names.
`--present` only puts the variants of the present tables on the log; `make run` does that, because a stage that DVC
restores from its run-cache logs nothing itself.
"""

from collections.abc import Iterable, Sequence

import yaml

from stages.configuration.compose import compose, refuse_to_discard, to_yaml
from stages.configuration.edit_conf import state
from stages.io.arguments import Arguments
from stages.io.settings import read_params
from stages.io.terminal import run
from stages.params.forecaster import ApiParams
from stages.params.study import Study
from stages.runs.past_runs import Found, entries_of, present_run, recorded_runs
from stages.runs.trial_log import TrialLog, open_log
from stages.trading.grid import combos
from stages.trading.identity import stated_strategy
from stages.trading.trials import Entry, context_of, prior_sharpe_var, prior_trials, under_todays_names


def main() -> None:
    """Trial log, git's history and DVC's cache -> what was tried, and what `sweep` says of it in conf/, params.yaml."""
    parser = Arguments(prog="make trials", description="what was ever tried, and what sweep.prior_* say of it")
    parser.add_argument("--present", action="store_true", help="only log what the present tables hold")
    only_present = parser.parse_args().present
    log = open_log(_api(only_present))
    if only_present:
        _add(log, entries_of(present_run()))
        return

    log.exchange()
    found = entries_of([*present_run(), *recorded_runs()])
    added = _add(log, found)
    entries = [under_todays_names(entry, found.contexts, found.strategies) for entry in log.entries()]
    _show(entries)
    _show_coverage(found, added)
    refuse_to_discard()
    _state_prior(entries)


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


def _state_prior(entries: Sequence[Entry]) -> None:
    """Write what the log says of this source and study; the variance is never lowered."""
    document = yaml.safe_load(to_yaml(compose()))
    study = Study.parse(document)
    family = (study.source.name, study.report.study)
    context, base = context_of(document), stated_strategy(study, frozenset())
    grid = [f"{context}-{combo.strategy.combo}" for combo in combos(base, study.sweep.grid)]
    sweep = study.sweep
    prior, spread = prior_trials(entries, grid, family), prior_sharpe_var(entries, family)
    highest = max(spread or 0.0, sweep.prior_sharpe_var or 1.0)

    print(f"trials: {prior} variants of this source and study are not in the grid of {len(grid)}.")
    told = "not known yet" if spread is None else f"{spread:g}"
    print(f"trials: the variance of all their scores (Sharpe ratio over its error without skill) is {told}.")
    changed: dict[str, float] = {"prior_trials": prior} if prior != sweep.prior_trials else {}
    if highest > (sweep.prior_sharpe_var or 1.0):
        changed["prior_sharpe_var"] = highest
    if not changed:
        print("trials: sweep.prior_trials and sweep.prior_sharpe_var say so already.")
        return
    files = " ".join(map(str, state({"sweep": changed})))
    for name, value in changed.items():
        print(f"trials: sweep.{name} = {value} (was: {_said(getattr(sweep, name))}) -> {files}")
    print(f"Next: `make run`, then `git commit -m 'Count ...' {files} params.yaml dvc.lock`.")


def _said(value: float | None) -> str:
    return "null, which means 1" if value is None else f"{value:g}"


if __name__ == "__main__":
    run(main)
