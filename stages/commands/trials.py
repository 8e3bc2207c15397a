"""The record of choices: every variant ever tried, every study ever judged, and every opening of a holdout.

`trials` writes `sweep.prior_trials` and `sweep.prior_sharpe_var`, which a deflated Sharpe ratio needs, and
`worth.prior_studies`, which raises the evidence that a verdict of worth needs. Entries of an older log are read under
today's names. `open-holdout` opens the holdout for the strategy that the last run judged on the search span, and names
all earlier openings; the opening is to be committed. `MONTH=2025-02` opens one month of `split.holdout_months`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stages.configuration.compose import compose, refuse_to_discard, to_yaml
from stages.configuration.edit_conf import COMMIT, state
from stages.errors import ConfigurationError, GateNotMet, count, shorten
from stages.io.files import read_json
from stages.io.settings import read_params
from stages.io.workspace import require_whole_history
from stages.params.api import ApiParams
from stages.params.study import Study
from stages.runs.evidence import require_evidence
from stages.runs.past_runs import RecordedEntries, entries_of, present_run, recorded_runs
from stages.runs.trial_log import TrialLog, committed_openings, open_log, openings_of
from stages.sessions.spans import ALL
from stages.trading.grid import combos
from stages.trading.holdout import NOT_BEGUN
from stages.trading.strategy import stated_strategy, strategy_id
from stages.trading.trials import (
    Entry,
    context_of,
    prior_sharpe_var,
    prior_studies,
    prior_trials,
    renamed,
)
from stages.worth.study_id import study_id


def trials() -> None:
    """Trial log, git's history and DVC's cache -> what was tried, and its counts in conf/ and params.yaml."""
    log = _exchanged_log()
    recorded = entries_of([*present_run(), *recorded_runs()])
    added = log.add_all(recorded.entries)
    entries = [renamed(entry, recorded.contexts, recorded.strategies) for entry in log.entries()]
    _show(entries, recorded.strategies)
    _show_coverage(recorded, added)
    refuse_to_discard()
    _state_prior(entries, may_lack_some=recorded.missing > 0)


def _exchanged_log() -> TrialLog:
    """The log, synchronised with the remote even if `api.mode` is offline, as in `make budget`."""
    log = open_log(read_params(ApiParams).model_copy(update={"mode": "online", "remote_down": "local"}))
    log.exchange()
    return log


def _show(entries: Sequence[Entry], strategies: Mapping[str, str]) -> None:
    """Print variants and openings by source and study, including openings of commits whose tables are gone."""
    tried: dict[tuple[str, str], set[str]] = {}
    opened: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        if entry.worth is not None:
            continue
        tried.setdefault(entry.family, set()).update(entry.variants)
        opened.setdefault(entry.family, set()).update({entry.opening} - {None})  # type: ignore[arg-type]
    for family, opening, _ in committed_openings():
        strategy = opening.split()[0]
        tried.setdefault(family, set())
        opened.setdefault(family, set()).add(strategies.get(strategy, strategy))
    variants, openings = (sum(map(len, found.values())) for found in (tried, opened))
    studies = len({entry.worth for entry in entries} - {None})
    opened_so = count(openings, "opening")
    judged = count(studies, "study", "studies")
    print(f"trials: {count(variants, 'variant')} ever evaluated, {opened_so} of a holdout, {judged} of worth")
    for source, study in sorted(tried):
        names = ", ".join(sorted(opened[source, study])) or "nobody"
        print(f"  source {source}, study {study}: {count(len(tried[source, study]), 'variant')}, opened for {names}")


def _show_coverage(recorded: RecordedEntries, added: int) -> None:
    new = count(added, "entry was new", "entries were new")
    print(f"  re-read: {count(recorded.runs, 'run')} (this workspace, all commits and experiments), {new}")
    if recorded.missing:
        print(
            f"  {recorded.missing} of their tables are not in DVC's cache (`dvc fetch --all-commits` and `dvc exp pull "
            "-A origin` bring shared ones)"
        )
    if recorded.unfit:
        print(
            f"  {recorded.unfit} of them were left out: their commit holds another params.yaml than they ran with, "
            "or they ended between two stages (as `make study` does)"
        )


def _state_prior(entries: Sequence[Entry], *, may_lack_some: bool) -> None:
    """Write the counts for this source and study.

    The variance is never lowered; the number of variants is not lowered if the log may lack some.
    """
    document = yaml.safe_load(to_yaml(compose()))
    study = Study.parse(document)
    family = (study.source.name, study.report.study)
    context, base = context_of(document), stated_strategy(study, frozenset())
    grid = [f"{context}-{combo.strategy.combo}" for combo in combos(base, study.sweep.grid)]
    sweep = study.sweep
    prior, spread = prior_trials(entries, grid, family), prior_sharpe_var(entries, family)
    highest = max(spread or 0.0, sweep.prior_sharpe_var or 1.0)

    outside = count(prior, "variant of this source and study is", "variants of this source and study are")
    print(f"trials: {outside} not in the grid of {len(grid):,}.")
    ever = prior_trials(entries, (), family)
    if prior < sweep.prior_trials and (may_lack_some or ever < sweep.prior_trials):
        print(
            f"trials: sweep.prior_trials stays {sweep.prior_trials}: the log knows {ever} in all, and may lack some "
            "(missing tables, entries of another machine, another name of the study)."
        )
        prior = sweep.prior_trials
    known = "not known yet" if spread is None else f"{spread:g}"
    print(f"trials: the variance of all their scores (Sharpe ratio over its error without skill) is {known}.")
    studies = prior_studies(entries, study_id(document), study.source.name, study.forecaster.model)
    others = count(studies, "other study", "other studies")
    print(f"trials: {others} judged whether {study.forecaster.model} is worth its price on this source.")
    counted: dict[str, dict[str, float]] = {
        "sweep": {"prior_trials": prior, "prior_sharpe_var": highest},
        "worth": {"prior_studies": max(studies, study.worth.prior_studies)},
    }
    stated = {name: {key: getattr(getattr(study, name), key) for key in values} for name, values in counted.items()}
    changed = {
        name: {key: value for key, value in values.items() if value != _meant(stated[name][key])}
        for name, values in counted.items()
    }
    if not any(changed.values()):
        print("trials: sweep.prior_trials, sweep.prior_sharpe_var and worth.prior_studies already say so.")
        return
    files = " ".join(map(str, state(changed)))
    for name, values in changed.items():
        for key, value in values.items():
            print(f"trials: {name}.{key} = {value} (was: {_said(stated[name][key])}) -> {files}")
    print(f"Next: `make run`, then `{COMMIT} 'Count ...'`.")


def _meant(value: float | None) -> float:
    """The meaning of a stated number; a variance of null means that of luck alone, 1."""
    return 1.0 if value is None else value


def _said(value: float | None) -> str:
    return "null, which means 1" if value is None else f"{value:g}"


MANIFEST = Path("artifacts/list_source/manifest.json")
OOS = Path("artifacts/evaluate/oos.json")


def open_holdout(month: str | None = None) -> None:
    """params, manifest, the last verdict and the trial log -> split.open_holdout in conf/ and params.yaml."""
    require_whole_history()
    refuse_to_discard()
    document = compose()
    require_evidence("evaluate", params=document)
    study, oos = Study.parse(document), read_json(OOS)
    strategy = _judged_strategy(study, oos)
    _require_sessions(oos["held"], month)
    before: Any = study.split.open_holdout
    wanted: Any = {month: strategy} if month else strategy
    if before == strategy or (month and isinstance(before, dict) and before.get(month) == strategy):
        print(f"open-holdout: it is already open for strategy {strategy}.")
        return

    _exchanged_log()
    earlier = openings_of(study.source.name)
    if month and isinstance(before, dict):  # months that are no longer held out open nothing
        wanted = {name: before[name] for name in before if name in oos["held"]} | {month: strategy}
    changed = state({"split": {"open_holdout": wanted}})

    files = " ".join(map(str, changed))
    named = ", ".join(f"{name} ({where})" for name, where in earlier.items()) or "none"
    what = f"{month} of the holdout" if month else "the holdout"
    print(f"open-holdout: strategy {strategy} of study {study.report.study!r} may see {what}. -> {files}")
    print(f"Openings of source {study.source.name!r} before this one: {len(earlier)}. Strategies: {named}.")
    print(f"Put it on the record: `make run`, then `{COMMIT} 'Open the holdout'`.")


def _judged_strategy(study: Study, oos: dict[str, Any]) -> str:
    strategy = strategy_id(study.document(), read_json(MANIFEST), oos["trading"])
    if strategy != oos["strategy_id"]:
        raise ConfigurationError(
            f"the last run judged strategy {oos['strategy_id']}, but params state {strategy}: `make run` first, look "
            "at the search result, then open the holdout."
        )
    if not oos["trading"]:
        raise GateNotMet(
            "no whitelisted symbol passed the forecast gates, so this strategy trades nothing and the holdout stays "
            "sealed. Change the strategy or universe.whitelist first."
        )
    return strategy


def _require_sessions(held: Mapping[str, int], month: str | None) -> None:
    """Refuse to open what does not exist."""
    if not any(held.values()):
        raise GateNotMet(f"{NOT_BEGUN} There is nothing to open; it begins at split.holdout_from.")
    if month is not None and month not in set(held) - {ALL}:
        months = shorten(sorted(set(held) - {ALL})) or "no month of its own (split.holdout_months is null)"
        raise ConfigurationError(f"MONTH {month!r} is not a month of the holdout, which has {months}.")
