"""All sections of params.yaml together, and the rules between them.

A model checks its own section; rules between sections are checked here, before anything runs.
*Errors*: `ConfigurationError` (exit 5) naming every broken rule, its values, and what to change.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar, get_type_hints

from stages.errors import ConfigurationError
from stages.params.api import ApiParams
from stages.params.calibration import CalibrationParams
from stages.params.days import (
    an_opened_month_may_be_held_out,
    holdout_lies_in_the_record,
    the_stated_history_is_asked,
    the_walk_forward_has_a_fold,
)
from stages.params.features import FeaturesParams
from stages.params.forecaster import COMMAND, ForecasterParams
from stages.params.gates import GatesParams
from stages.params.portfolio import PortfolioParams
from stages.params.quality import QualityParams
from stages.params.report import ReportParams
from stages.params.requests import RequestsParams
from stages.params.rules import CostsParams, RulesParams
from stages.params.section import REMEDY, Section, parse
from stages.params.source import SourceParams
from stages.params.split import SplitParams
from stages.params.storage import StorageParams
from stages.params.sweep import SweepParams
from stages.params.universe import UniverseParams
from stages.params.worth import WorthParams

REGULAR_OPEN_MIN, REGULAR_CLOSE_MIN = 9 * 60 + 30, 16 * 60
VOLATILITY = "sigma_5m"


@dataclass(frozen=True, kw_only=True)
class StageStudy:
    """All sections that can change a result: all but `api` and `storage`, which say how answers and tables are kept."""

    source: SourceParams
    universe: UniverseParams
    quality: QualityParams
    features: FeaturesParams
    requests: RequestsParams
    forecaster: ForecasterParams
    calibration: CalibrationParams
    split: SplitParams
    gates: GatesParams
    rules: RulesParams
    costs: CostsParams
    sweep: SweepParams
    portfolio: PortfolioParams
    worth: WorthParams
    report: ReportParams

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Self:
        """Every section validated, and the rules between them. *Errors*: `ConfigurationError` with all problems."""
        study, found = _parsed(cls, document)
        if study is None or found:
            sentences = " ".join(found)
            raise ConfigurationError(sentences.replace(f" {REMEDY}", "", max(sentences.count(f" {REMEDY}") - 1, 0)))
        return study

    def document(self) -> dict[str, Any]:
        """The sections as in params.yaml."""
        return {name: getattr(self, name).model_dump(mode="json") for name in _models(type(self))}

    def written(self) -> str:
        """`document` as JSON, in the order of params.yaml, which the page shows."""
        return json.dumps(self.document(), indent=2) + "\n"


@dataclass(frozen=True, kw_only=True)
class Study(StageStudy):
    """One run's params, every section as its model."""

    api: ApiParams
    storage: StorageParams


S = TypeVar("S", bound=StageStudy)


def problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with a composition, one sentence each: within its sections, otherwise between them."""
    return _parsed(Study, document)[1]


def _parsed(study: type[S], document: dict[str, Any]) -> tuple[S | None, list[str]]:
    """The study, unless a section is broken; and what is wrong, within its sections or else between them."""
    sections: dict[str, Any] = {}
    unknown = sorted(set(document) - set(_models(Study)), key=str)
    found = [f"{name} is not a known section: remove it from conf/." for name in unknown]
    if absent := [name for name in _models(study) if name not in document]:
        named = ", ".join(map(repr, absent))
        found.append(f"params.yaml has no section {named}: run `make params`, which composes it from conf/.")
    for name, model in _models(study).items():
        if name in absent:
            continue
        try:
            sections[name] = parse(model, document)
        except ConfigurationError as error:
            found.append(str(error))
    if found:
        return None, found
    parsed = study(**sections)
    return parsed, [f"{sentence}." for rule in RULES for sentence in rule(parsed)]


def _models(study: type[StageStudy]) -> dict[str, type[Section]]:
    """The model of each section."""
    return get_type_hints(study)


def artificial_symbols_have_a_market(study: StageStudy) -> Iterator[str]:
    """A synthetic source states a market for every symbol, the context symbol included."""
    market = study.source.synthetic
    if study.source.kind == "synthetic" and market is not None:
        tables = {name: getattr(market, name) for name in ("amplitude_bp", "beta")}
        yield from _without("source.synthetic", tables, "universe", set(study.universe.all_symbols))


def traded_symbols_have_costs(study: StageStudy) -> Iterator[str]:
    """Every whitelisted symbol has a spread and a tick size."""
    tables = {name: getattr(study.costs, name) for name in ("half_spread_ticks", "tick_size")}
    yield from _without("costs", tables, "universe.whitelist", set(study.universe.whitelist))


def named_values_exist(study: StageStudy) -> Iterator[str]:
    """Rule, grid, verdict and questions use only horizons, histories, methods and features that are asked or built.

    Symbols with a horizon or thresholds of their own are symbols of the study.
    """
    rules, grid, requests, quality = study.rules, study.sweep.grid, study.requests, study.quality
    horizons, histories = (
        ("requests.horizons_min", requests.horizons_min),
        ("requests.history_days", requests.history_days),
    )
    own, features = rules.horizon_min_by_symbol, ("features.names", study.features.names)
    yield from _beyond("rules.horizon_min", {rules.horizon_min}, *horizons)
    yield from _beyond("sweep.grid.horizon_min", grid.horizon_min, *horizons)
    yield from _beyond("rules.history_days", {rules.history_days}, *histories)
    yield from _beyond("sweep.grid.history_days", grid.history_days, *histories)
    yield from _beyond("rules.horizon_min_by_symbol", own.values(), *horizons)
    yield from _beyond("rules.horizon_min_by_symbol", own, "universe.symbols", study.universe.symbols)
    yield from _beyond("quality.by_symbol", quality.by_symbol, "universe", study.universe.all_symbols)
    yield from _beyond("worth.horizon_min", {study.worth.horizon_min} - {None}, *horizons)
    yield from _beyond("sweep.grid.method", grid.method, "calibration.methods", study.calibration.methods)
    yield from _beyond("features.required", study.features.required, *features)
    yield from _beyond("requests.hist_exog", requests.hist_exog, *features)
    yield from _beyond("requests.futr_exog", requests.futr_exog, *features)


def volatility_is_built(study: StageStudy) -> Iterator[str]:
    """The volatility of each question is among the features that are built."""
    if VOLATILITY not in study.features.names:
        yield (
            f"features.names {list(study.features.names)} lacks {VOLATILITY}, the volatility that every question, its "
            "correction and its trade are measured by: add it"
        )


def horizons_end_by_the_close(study: StageStudy) -> Iterator[str]:
    """In a regular session every snapshot's asked horizon ends by 16:00 ET."""
    horizon = study.requests.question_horizon_min
    for snapshot in study.requests.snapshots_et:
        if _minute_of(snapshot) + horizon > REGULAR_CLOSE_MIN:
            yield (
                f"the {horizon} minutes of requests.horizons_min end after the close at 16:00 when asked at "
                f"requests.snapshots_et {snapshot!r}: ask earlier, or remove that horizon (see "
                "requests.asked_horizon_min)"
            )


def volatility_is_known(study: StageStudy) -> Iterator[str]:
    """Where corrections are scaled by volatility, every snapshot is late enough for it to be known."""
    features, calibration = study.features, study.calibration
    if calibration.scale == "none" or calibration.method == "identity":
        return
    needed = min(features.sigma_min_obs, features.sigma_window_min)
    for snapshot in study.requests.snapshots_et:
        known = _minute_of(snapshot) - REGULAR_OPEN_MIN
        if 0 < known < needed:
            yield (
                f"{VOLATILITY} is not known at requests.snapshots_et {snapshot!r}, so no answer would be corrected, "
                f"scored or traded: it needs {needed} bars of the session (features.sigma_min_obs "
                f"{features.sigma_min_obs}, features.sigma_window_min {features.sigma_window_min}), and {known} are "
                "over by then. Ask later, lower features.sigma_min_obs, or set calibration.scale to none"
            )


def corrections_have_a_past(study: StageStudy) -> Iterator[str]:
    """The window can hold as many outcomes, over all symbols and clock times, as a correction needs."""
    calibration = study.calibration
    a_session = len(study.universe.symbols) * study.requests.snapshots_a_session
    most, needed = calibration.window_sessions * a_session, calibration.outcomes_needed
    if most < needed:
        yield (
            f"no forecast would ever be calibrated: calibration.window_sessions {calibration.window_sessions} hold "
            f"{most} outcomes at most ({a_session} a session, of universe.symbols at requests.snapshots_et, within "
            f"requests.max_snapshots_per_day), and calibration.method {calibration.method} needs {needed} "
            f"(calibration.min_outcomes {calibration.min_outcomes}): raise calibration.window_sessions"
        )


def the_judged_rule_trades(study: StageStudy) -> Iterator[str]:
    """Where money decides, some symbol may trade; otherwise both sides earn nothing."""
    if study.worth.decide_by == "money" and not study.universe.whitelist:
        yield (
            "worth.decide_by: money compares what the rule earns, but universe.whitelist is [], so nothing trades: "
            "name a symbol in it, or set worth.decide_by to shape"
        )


def another_candidate_is_left(study: StageStudy) -> Iterator[str]:
    """A candidate other than the asked forecaster is left, since the free mix that it is compared with excludes it."""
    if set(study.worth.candidates) == {study.forecaster.name}:
        yield (
            f"worth.candidates {list(study.worth.candidates)} names only the asked forecaster, which is not part of "
            "the free mix that it is compared with: name another one"
        )


def a_candidate_program_is_stated(study: StageStudy) -> Iterator[str]:
    """A program among the candidates has words that start it."""
    if COMMAND in study.worth.candidates and not study.forecaster.command:
        yield (
            f"worth.candidates {list(study.worth.candidates)} names {COMMAND}, a program of yours, but "
            "forecaster.command is []: state forecaster.command and forecaster.files as conf/forecaster/command.yaml "
            f"does, or remove {COMMAND} from the candidates"
        )


RULES = (
    artificial_symbols_have_a_market,
    traded_symbols_have_costs,
    named_values_exist,
    volatility_is_built,
    horizons_end_by_the_close,
    volatility_is_known,
    corrections_have_a_past,
    holdout_lies_in_the_record,
    an_opened_month_may_be_held_out,
    the_stated_history_is_asked,
    the_walk_forward_has_a_fold,
    the_judged_rule_trades,
    another_candidate_is_left,
    a_candidate_program_is_stated,
)


def _minute_of(clock: str) -> int:
    """Minutes since midnight of `09:45`."""
    hour, minute = map(int, clock.split(":"))
    return 60 * hour + minute


def _beyond(user: str, used: Iterable[Any], name: str, allowed: Iterable[Any]) -> Iterator[str]:
    if unknown := sorted(set(used) - set(allowed)):
        yield f"the values {unknown} of {user} are not among {name} {list(allowed)}: change one of the two"


def _without(section: str, tables: Mapping[str, Mapping[str, Any]], user: str, symbols: set[str]) -> Iterator[str]:
    for name, table in tables.items():
        if missing := sorted(symbols - set(table)):
            yield f"no {section}.{name} for {missing} of {user}: add a value, or remove the symbols"
