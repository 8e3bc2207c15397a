"""Trials: what counts as one, a variant of the rule judged on one way of making its forecasts.

A combo's id covers rules, costs, method, model and who may trade. The same combo on other bars, questions, forecasters,
corrections or cuts is another test of the data. So a variant is a combo within its context: a digest of the params
upstream of the rule, in canonical form (`params/canonical.py`). `sweep` is in neither, so writing `sweep.prior_trials`
makes no new variant.

*Units*: Sharpe ratios of an entry are per session, not annualised.
*Source*: docs/LUCK.md.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from statistics import variance
from typing import Any

from stages.params.canonical import canonical, digest
from stages.trading.performance import SESSIONS_PER_YEAR

UPSTREAM = ("source", "quality", "features", "requests", "forecaster")
# Params that a combo's id covers already, or that change no figure of a combo.
LEFT_OUT = {
    "universe": ("whitelist",),
    "forecaster": ("trained_until",),
    "calibration": ("method", "methods"),
    "split": ("open_holdout", "walk_forward"),
}
CONTEXT_DIGITS = 8
DECIMALS = 9
VAR_DECIMALS = 4

Params = Mapping[str, Any]
Renamed = Mapping[str, str]

GROWS: Params = {"last_session": None}  # of `requests`: a study that grows by some sessions is no new trial


@dataclass(frozen=True)
class Entry:
    """Variants that were evaluated together, the opening of a holdout, or a study of whether paying is worth it.

    `sharpes` belong to `variants`, over `sessions` each; entries older than this field have none. `worth` is the id of
    a study that judged `forecaster`, over `sessions` so far.
    """

    source: str
    study: str
    variants: tuple[str, ...] = ()
    opening: str | None = None
    sharpes: tuple[float | None, ...] = ()
    sessions: int = 0
    month: str | None = None  # of the holdout, where only one month was opened
    worth: str | None = None
    forecaster: str | None = None

    @property
    def family(self) -> tuple[str, str]:
        """Source and study, which a count of trials refers to."""
        return self.source, self.study

    @property
    def scores(self) -> dict[str, float]:
        """Variant -> its Sharpe ratio in standard errors of a ratio without skill; only variants with a ratio."""
        pairs = zip(self.variants, self.sharpes, strict=False)
        return {variant: ratio * sqrt(self.sessions) for variant, ratio in pairs if ratio is not None}


def evaluated(params: Params, results: Iterable[Mapping[str, Any]]) -> Entry:
    """The entry of combos that were judged under these params.

    `results` are rows of `ranking.csv` or `bt_summary.csv`: `combo`, annual `sharpe` (empty where there is none) and
    `sessions`, which is equal in all of them.
    """
    context = context_of(params)
    rows = {f"{context}-{row['combo']}": row for row in results}
    return Entry(
        params["source"]["name"],
        params["report"]["study"],
        variants=tuple(sorted(rows)),
        sharpes=tuple(_per_session(rows[variant]["sharpe"]) for variant in sorted(rows)),
        sessions=max((int(row["sessions"]) for row in rows.values()), default=0),
    )


def opened(params: Params, strategy_id: str, month: str | None = None) -> Entry:
    """The entry for an opening of a holdout, or of one month of it, under these params."""
    return Entry(params["source"]["name"], params["report"]["study"], opening=strategy_id, month=month)


def judged_worth(params: Params, study_id: str, training: Mapping[str, Any]) -> Entry:
    """The entry for a study of whether the asked forecaster is worth its price, `training` as in `worth.json`.

    Sessions of the training are no evidence of worth, but gates judge them too.
    """
    sessions = training["sessions_before"] + training["sessions_after"]
    source, model = params["source"]["name"], params["forecaster"]["model"]
    return Entry(source, params["report"]["study"], sessions=sessions, worth=study_id, forecaster=model)


def names_trials(params: Params) -> bool:
    """Whether a params.yaml states all that an entry names; a repository may also hold runs of other pipelines."""
    return {*UPSTREAM, *LEFT_OUT, "report"} <= params.keys()


def context_of(params: Params) -> str:
    """A digest of all params upstream of the rule, without the last asked session and what a combo's id covers.

    The first asked session is part of it, since another beginning is another choice of days.
    """
    return _context(params, GROWS)


def _context(params: Params, span: Params) -> str:
    upstream = _upstream(params, LEFT_OUT)
    upstream["requests"] = upstream["requests"] | span
    return digest(canonical(upstream), CONTEXT_DIGITS)


def earlier_contexts_of(params: Params) -> list[str]:
    """The contexts of these params in older entries: before the canonical form, with both asked sessions, with none."""
    left_out = {"universe": ("whitelist",), "calibration": ("method",), "split": ("open_holdout", "walk_forward")}
    text = json.dumps(_upstream(params, left_out), sort_keys=True, separators=(",", ":"), default=str)
    first = hashlib.sha256(text.encode()).hexdigest()[:CONTEXT_DIGITS]
    return [first, _context(params, {}), _context(params, {"first_session": None, **GROWS})]


def renamed(entry: Entry, contexts: Renamed, strategies: Renamed) -> Entry:
    """An entry with the present names of its contexts and its opening; both mappings are by old name."""
    pairs = (variant.partition("-") for variant in entry.variants)
    variants = tuple(f"{contexts.get(context, context)}-{combo}" for context, _, combo in pairs)
    opening = None if entry.opening is None else strategies.get(entry.opening, entry.opening)
    return replace(entry, variants=variants if entry.variants else (), opening=opening)


def prior_trials(entries: Iterable[Entry], now: Iterable[str], family: tuple[str, str]) -> int:
    """How many variants of this source and study were ever evaluated, besides those of the grid `now`."""
    ever = {variant for entry in entries if entry.family == family for variant in entry.variants}
    return len(ever - set(now))


def prior_studies(entries: Iterable[Entry], now: str, source: str, forecaster: str) -> int:
    """How many other studies ever judged whether this forecaster is worth its price on this source."""
    of_family = (entry for entry in entries if (entry.source, entry.forecaster) == (source, forecaster))
    return len({entry.worth for entry in of_family} - {None, now})


def looks(entries: Iterable[Entry], study_id: str) -> int:
    """At how many different numbers of sessions this study was judged; each look is a chance to pass by luck."""
    return len({entry.sessions for entry in entries if entry.worth == study_id} - {0})


def prior_sharpe_var(entries: Iterable[Entry], family: tuple[str, str]) -> float | None:
    """Variance of the scores of all distinct trials of this source and study; None for fewer than two.

    A trial that was logged twice counts once, with its larger score. Trials with exactly the same score count once too:
    twins that made the same trades would make the variance look small.
    """
    together: dict[str, float] = {}
    for entry in entries:
        for variant, score in entry.scores.items() if entry.family == family else ():
            together[variant] = max(score, together.get(variant, score), key=abs)
    distinct = set(together.values())
    return round(variance(distinct), VAR_DECIMALS) if len(distinct) > 1 else None


def _upstream(params: Params, left_out: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    stated: dict[str, Any] = {name: params[name] for name in UPSTREAM}
    for name, keys in left_out.items():
        stated[name] = {key: value for key, value in params[name].items() if key not in keys}
    return stated


def _per_session(annual_sharpe: Any) -> float | None:
    if annual_sharpe in (None, ""):
        return None
    return round(float(annual_sharpe) / sqrt(SESSIONS_PER_YEAR), DECIMALS) + 0.0
