"""Commands that write conf/ and params.yaml, and `prepare`, the first step of every run through make.

`prepare` sets up DVC in this clone, and stops if a kill left a torn file of DVC's. `params` composes conf/ into
params.yaml and checks that the run it describes is possible. With `--check`, the first step of `make run`, it also
prepares, refuses to discard an applied experiment, and refuses a source that is not listed (unless `--unlisted`). `use`
makes a preset the standing choice, so that later `-S` overrides apply to it. `adopt` keeps an applied experiment, or
what the sweep (`rule`) or the calibration tournament (`calibration`) proposes. `whitelist` sets universe.whitelist to
the symbols whose cell of the stated strategy is eligible: this too is a choice made on the search span, so it is
committed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.configuration.compose import (
    applied_experiment,
    compose,
    describe,
    differences,
    present,
    refuse_to_discard,
    set_back,
    set_by,
    write_params,
)
from stages.configuration.edit_conf import COMMIT, adopt_params, all_or_nothing, choose, other_preset_of, state
from stages.errors import ConfigurationError, DataContractError, GateNotMet
from stages.fetching.listing import listing_path, read_listing
from stages.io.atomic import remove_leftovers
from stages.io.content import LOCK
from stages.io.dvc_state import own_site_cache, require_whole_rwlock
from stages.io.file_identity import require_unchanged
from stages.io.files import read_json
from stages.params.study import Study
from stages.runs.evidence import Findings, read_run, require_evidence
from stages.trading.strategy import eligible_cells, stated_strategy

ARTIFACTS = Path("artifacts")


def prepare() -> None:
    """Give DVC's state a folder of this user, refuse torn locks, and remove leftovers of killed runs."""
    own_site_cache()
    remove_leftovers(ARTIFACTS)
    require_whole_rwlock()
    if LOCK.exists():
        read_run(params={})


def params(how: list[str], check: bool = False, unlisted: bool = False, listed: str | None = None) -> None:
    """conf/ -> params.yaml."""
    if how and listed is None:
        raise ConfigurationError(
            f"`params` composes conf/ as it stands, so {' '.join(how)} has no effect: `make use PRESET=...` makes a "
            "choice, and `dvc exp run -S key=value` an experiment."
        )
    if check or listed is not None:
        prepare()
    if listed is not None:
        require_listed(listed, how)
    else:
        write(check=check, unlisted=unlisted)


def write(*, check: bool, unlisted: bool) -> None:
    """Compose conf/ into params.yaml, unless that would lose something."""
    document = compose()
    study = Study.parse(document)
    if check:
        require_unchanged(study.forecaster)
        refuse_to_discard()
    elif discarded := _discarded():
        print(f"params: discarded {discarded}")
    if not check and (older := set_back()):
        print(f"params: {older}.")
    write_params(document)
    ran = read_run() if LOCK.exists() and not check else None  # dvc would say nothing of a torn lock
    if unlisted:
        return
    if check:
        read_listing(study.source)  # nor more than that a file is missing
    elif ran and ARTIFACTS.exists() and (other := ran.other_params(ran.stages)):
        print(f"params: {Findings(params=other).complaint}. Next: `make run`.")


def _discarded() -> str:
    """The applied experiment that composing again discards, as text."""
    try:
        return describe(applied_experiment())
    except ConfigurationError as error:  # conf/ composes, so params.yaml is at fault
        return f"what it held: {error}"


def require_listed(preset: str, how: list[str]) -> None:
    """Refuse a run of a preset that is impossible, before DVC writes its params.

    `how` are the words of `dvc exp run`.
    *Errors*: `DataContractError` if its source is not listed; DVC would only say that a file is missing.
    """
    listing = listing_path(Study.parse(compose(overrides=[f"preset={preset}", *set_by(how)[0]])).source)
    if not listing.exists():
        raise DataContractError(
            f"{listing} is missing: `make use PRESET={preset}` and `make refresh` list the source of that preset."
        )


def use(preset: str) -> None:
    """A preset's name -> conf/config.yaml and params.yaml."""
    refuse_to_discard()
    with all_or_nothing():
        path = choose("preset", preset)
        document = compose()
        study = Study.parse(document)
        write_params(document)
    following = "`make run`" if listing_path(study.source).exists() else "`make refresh`, which lists the source"
    print(f"{path}: preset {preset} is now active, study {study.report.study!r}. Next: {following}.")


PROPOSALS = {
    "rule": Path("artifacts/sweep/proposal.json"),
    "calibration": Path("artifacts/score_forecasts/calibration_proposal.json"),
}


SOURCE, STUDY, MODEL = ("source", "name"), ("report", "study"), ("forecaster", "model")
# Key that `make trials` writes -> the keys that say what it counts.
COUNTED = {
    ("sweep", "prior_trials"): (SOURCE, STUDY),
    ("sweep", "prior_sharpe_var"): (SOURCE, STUDY),
    ("worth", "prior_studies"): (SOURCE, MODEL),
}


def adopt(what: str | None = None) -> None:
    """An applied experiment or a proposal -> conf/ and params.yaml."""
    before = compose()
    if what:
        refuse_to_discard()
    if applied_experiment():
        if older := set_back():
            raise ConfigurationError(f"{older}; then `make adopt` again.")
        experiment = present() or {}
        Study.parse(experiment)  # a hand may have written it
        other = other_preset_of(experiment)
        stated = [before, *([compose(overrides=[f"preset={other}"])] if other else [])]
        changed = adopt_params(_with_counts(experiment, stated), other)
    else:
        changed = state(_adopted(before, PROPOSALS[what or "rule"]))
    if adopted := differences(present() or {}, before):
        files = " ".join(map(str, changed))
        print(f"adopt: {describe(adopted, 'was')} -> {files}")
        print(f"Next: `make run`, then `{COMMIT} 'Adopt ...'`.")
    else:
        print("adopt: conf/ already says so.")


def _with_counts(experiment: dict[str, Any], stated: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The experiment's params, with each count of `make trials` at least as high as conf/ states for the same thing.

    `stated` is what conf/ composes to, with the standing preset and with that of the experiment's study.
    """
    for conf in stated:
        for (section, key), of in COUNTED.items():
            value = conf[section][key] or 0
            same = all(experiment[part][name] == conf[part][name] for part, name in of)
            if same and value > (experiment[section][key] or 0):
                print(f"adopt: {section}.{key} stays {value:g}: the experiment ran before that was counted")
                experiment = experiment | {section: experiment[section] | {key: value}}
    return experiment


def _adopted(conf: dict[str, Any], path: Path) -> dict[str, Any]:
    require_evidence(path.parent.name)
    if edited := differences(conf, present() or {}):
        raise ConfigurationError(f"conf/ was edited since the last run: {describe(edited, 'then')}. `make run` first.")
    proposal = read_json(path)
    if proposal["params"] is None:
        raise GateNotMet(f"{path} proposes nothing: {proposal['why']}")
    return dict(proposal["params"])


GATES = Path("artifacts/score_forecasts/forecast_gates.json")


def whitelist() -> None:
    """forecast_gates.json -> universe.whitelist in conf/ and params.yaml."""
    refuse_to_discard()
    document = compose()
    require_evidence("score_forecasts", params=document)
    study = Study.parse(document)

    before, proposed = list(study.universe.whitelist), _proposed(study)
    if proposed == before:
        print(f"whitelist: conf/ already says {before}.")
        return
    files = " ".join(map(str, state({"universe": {"whitelist": proposed}})))

    print(f"whitelist: universe.whitelist = {proposed} (was: {before}) -> {files}")
    print(f"Next: `make run`, then `{COMMIT} 'Whitelist ...'`.")


def _proposed(study: Study) -> list[str]:
    """The symbols that could trade if all were whitelisted, in the order of the universe."""
    stated = stated_strategy(study, eligible_cells(read_json(GATES)))
    everyone = replace(stated, whitelist=study.universe.symbols)
    proposed = [symbol for symbol in study.universe.symbols if everyone.may_trade(symbol)]
    if not proposed:
        raise GateNotMet(
            f"{GATES} finds no symbol eligible with rules.history_days = {study.rules.history_days}, "
            f"rules.horizon_min = {study.rules.horizon_min} and calibration.method = {study.calibration.method}: "
            f"universe.whitelist stays {list(study.universe.whitelist)}. State a strategy whose cells passed."
        )
    return proposed
