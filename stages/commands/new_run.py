"""`make new-run PRESET=x URI=folder`: inspects your bars, writes a preset for them, and says what their span allows.

From the files it infers where symbol and date are in their names, the columns, the unit, the zone, the label and the
span. Each is printed with its evidence and written to `conf/preset/<name>.yaml`, which you may edit. What you state
takes precedence. The preset must compose to a possible run, or nothing is written. If the files cannot be read yet, a
template and SYMBOLS are enough, and the rest is left to you.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from stages.configuration.compose import CONF, compose
from stages.configuration.new_preset import KEYS, preset_text
from stages.errors import ConfigurationError, DataContractError, PipelineError, count
from stages.fetching.inspection import UNSTATED, Inspection, inspect
from stages.io.files import write_text
from stages.params.quality import DialectParams, QualityParams
from stages.params.section import EARLIEST, LATEST, parse
from stages.params.source import COLUMNS, SourceParams
from stages.params.study import Study
from stages.quality.gate import check_symbol
from stages.quality.ingest import as_labelled, in_our_columns
from stages.quality.proposals import hours_of, label_of, proposal, sessions_of, step_of, zone_of
from stages.quality.verdicts import HardFailure
from stages.sessions.calendar import trading_calendar
from stages.trading.performance import MIN_SESSIONS
from stages.worth.plan import calibrating_sessions

NAME = re.compile(r"[a-z][a-z0-9_]*")
TAKEN = {"none", "null", "true", "false", "inf", "nan"}  # Hydra would read these as something else
FIRST, LAST = date(2024, 1, 2), date(2024, 12, 31)  # if neither you nor the files say
HISTORY, HOLDOUT = 40, 30  # at most
LEAST_LOOKBACK = 2
Facts = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What the user stated about the bars; None or empty is inferred from them."""

    preset: str
    uri: str
    symbols: list[str]
    aliases: list[str]
    first: str | None
    last: str | None
    history: int | None
    holdout: int | None


def new_run(**typed: Any) -> None:
    """Name and location of bars -> a preset, the evidence for it, and what its span allows."""
    asked = Asked(**typed)
    path = CONF / "preset" / f"{asked.preset}.yaml"
    _require_free(asked.preset, path)
    source, universe, why = _proposal(asked)
    write_text(preset_text(asked.preset, source, universe, _lengths(asked, universe), why), path)
    try:
        study = Study.parse(compose(overrides=[f"preset={asked.preset}"]))
    except Exception:
        path.unlink()
        raise
    print(f"new-run: {path}, study {study.report.study!r}.")
    for key, reason in why.items():
        print(f"  {key:<13} {reason}")
    for sentence in sizes(study):
        print(f"  {sentence}")
    print(f"Edit it; then `make use PRESET={asked.preset}`, `make refresh`, `make plan`.")


def sizes(study: Study) -> list[str]:
    """What the span allows: sessions in each part, questions and calls, and whether the gates could ever decide."""
    universe, requests, split = study.universe, study.requests, study.split
    sessions = trading_calendar(universe.first_session, universe.last_session).height
    scored = max(sessions - min(requests.history_days), 0)
    sealed = split.holdout_sessions or 0
    search = max(scored - sealed - split.embargo_sessions, 0)
    snapshots = scored * requests.snapshots_a_session * len(requests.history_days)
    judged = max(search - calibrating_sessions(study), 0)
    sentences = [
        f"{count(sessions, 'session')}: {sessions - scored} of history, {search} to search, "
        f"{split.embargo_sessions} embargo, {sealed} sealed",
        f"at most {count(snapshots * len(universe.symbols), 'question')} in {count(snapshots, 'call')} at one per "
        "snapshot",
        f"about {count(judged, 'day')} to judge forecasts by, after {search - judged} to learn the calibration from",
    ]
    least = max(MIN_SESSIONS, study.gates.min_trading_sessions)
    if judged < (wanted := study.gates.min_forecast_days):
        less = "or fewer requests.history_days"
        if sealed > least:
            less = "fewer requests.history_days, or fewer split.holdout_sessions"
        sentences.append(
            f"too few: gates.min_forecast_days requires {wanted}; take a longer span, more requests.snapshots_et, "
            f"{less}"
        )
    if sealed < least:
        sentences.append(
            f"too few sealed: the Sharpe ratio of the holdout needs {least} sessions; take a longer span, or more "
            "split.holdout_sessions"
        )
    return sentences


def _proposal(asked: Asked) -> tuple[Facts, Facts, dict[str, str]]:
    """Keys of `source`, symbols and span, and their evidence; only what was typed if the files cannot be read."""
    aliases = _pairs(asked.aliases)
    typed = UNSTATED | {
        "kind": "gcs" if asked.uri.startswith("gs://") else "parquet",
        "uri_template": asked.uri,
        "aliases": aliases,
    }
    span = {"first": asked.first or FIRST, "last": asked.last or LAST}
    if "{" in asked.uri:
        parse(SourceParams, {"source": typed})
    try:
        seen = inspect(asked.uri, asked.symbols, aliases)
    except PipelineError as error:
        if not (asked.symbols and "{" in asked.uri):
            raise type(error)(f"URI {asked.uri}: {error}") from None
        print(f"new-run: the bars were not examined, so every value that you did not state is a guess: {error}")
        return typed, {"symbols": asked.symbols} | span, {}
    source, found, why = _clock_and_label(seen)
    source = {key: source[key] for key in (*KEYS, "kind")}
    return source, {"symbols": list(seen.symbols)} | found | {
        key: value for key, value in (("first", asked.first), ("last", asked.last)) if value
    }, seen.evidence | why  # fmt: skip


def _clock_and_label(seen: Inspection) -> tuple[Facts, Facts, dict[str, str]]:
    """Keys of `source` with zone and label, the span, and their evidence, from the sample."""
    source, symbol = seen.source.model_dump(mode="json"), seen.symbols[0]
    dialect = DialectParams(**{key: source[key] for key in DialectParams.model_fields})
    why: dict[str, str] = {}
    try:
        ours = in_our_columns(symbol, seen.sample, dialect)
        calendar = _calendar(ours)
        if ours.schema["ts"] in (pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("ns")) and dialect.zone is None:
            zone, why["zone"] = zone_of(ours, calendar)
            if zone is None:
                named = calendar["session"].filter(calendar["session"].is_in(ours["ts"].dt.date().implode()))
                _require_sessions(symbol, named)
                return source, {"first": named.min(), "last": named.max()}, why
            dialect = dialect.model_copy(update={"zone": zone})
        stamps = as_labelled(symbol, seen.sample, dialect, calendar)
    except HardFailure as failure:
        raise DataContractError(f"{symbol}: {failure.detail}") from None
    if (step := step_of(stamps, calendar)) != 1:
        raise DataContractError(f"the bars of {symbol} are {step} minutes apart: get minute bars.")
    label, why["bar_label"] = label_of(stamps, calendar)
    why["hours"] = hours_of(stamps, calendar)
    sessions = sessions_of(stamps, calendar)
    _require_sessions(symbol, sessions, why.get("zone"))
    span = {"first": sessions[0], "last": sessions[-1]}
    why["span"] = f"rows of {symbol} lie in sessions from {span['first']} to {span['last']}"
    if beyond := ours.height - int(ours["ts"].dt.date().is_between(EARLIEST, LATEST).sum()):
        why["span"] += f"; stamps beyond {EARLIEST} to {LATEST}: {beyond} (see whether all files have one unit)"
    dialect = dialect.model_copy(update={"bar_label": label or "start"})
    if reason := _minutes_without_a_trade(
        symbol, seen.sample, dialect, calendar.filter(pl.col("session").is_in(sessions.implode()))
    ):
        why["quality"] = reason
    return source | {"zone": dialect.zone, "bar_label": dialect.bar_label}, span, why


def _require_sessions(symbol: str, sessions: pl.Series, zone: str | None = None) -> None:
    if sessions.is_empty():
        raise DataContractError(f"no row of {symbol} lies in a session of the exchange{f': {zone}' if zone else ''}.")


def _minutes_without_a_trade(symbol: str, sample: pl.DataFrame, dialect: DialectParams, sessions: pl.DataFrame) -> str:
    """What to state if the sample lacks scattered minutes; empty if it does not."""
    quality = parse(QualityParams, compose())
    days = check_symbol(symbol, sample, dialect, sessions, quality).days
    fitting = proposal(days, quality)
    if fitting is None:
        return ""
    return (
        f"{fitting.absent_share:.1%} of the minutes of {symbol} have no bar, scattered: if the vendor sends none "
        f"without a trade, add {fitting.stated(symbol)}; then {fitting.usable} of {fitting.sessions} sessions are "
        "usable"
    )


def _calendar(ours: pl.DataFrame) -> pl.DataFrame:
    """The sessions around the stamps, within the dates that params allow."""
    days = ours["ts"].dt.date().drop_nulls().sort()
    possible = days.filter(days.is_between(EARLIEST, LATEST)).to_list()
    if not possible:
        raise DataContractError(
            f"the stamps run from {days[0]} to {days[-1]}, and sessions lie between {EARLIEST} and {LATEST}: "
            "convert the stamps at the source."
        )
    return trading_calendar(possible[0] - timedelta(days=4), possible[-1] + timedelta(days=4))


def _lengths(asked: Asked, universe: Mapping[str, Any]) -> dict[str, int]:
    """History and holdout, as stated, or else so short that most of the span is searched."""
    try:
        first, last = (date.fromisoformat(str(universe[key])) for key in ("first", "last"))
    except ValueError:
        raise ConfigurationError(
            f"FIRST {universe['first']} and LAST {universe['last']} are not days like 2024-01-31."
        ) from None
    if not EARLIEST <= first <= last <= LATEST:
        raise ConfigurationError(
            f"FIRST {first} and LAST {last} are not in order between {EARLIEST} and {LATEST}: correct them."
        )
    sessions = trading_calendar(first, last).height
    history = min(HISTORY, max(1, round((sessions - 50) / 4)))
    holdout = min(HOLDOUT, max(1, round(0.23 * sessions)))
    history, holdout = asked.history or history, asked.holdout or holdout
    return {"history": history, "holdout": holdout, "lookback": max(LEAST_LOOKBACK, history)}


def _require_free(name: str, path: Path) -> None:
    if not NAME.fullmatch(name) or name in TAKEN:
        raise ConfigurationError(
            f"PRESET {name!r} cannot be a name: small letters, digits and _, beginning with a letter."
        )
    if path.exists():
        raise ConfigurationError(
            f"{path} exists: edit it, then `make use PRESET={name}`, `make refresh`, `make run`; or take another name."
        )


def _pairs(aliases: list[str]) -> dict[str, str]:
    if wrong := [one for one in aliases if one.count("=") != 1 or one.partition("=")[2] not in COLUMNS]:
        raise ConfigurationError(
            f"ALIASES {wrong} are not VENDOR=OURS: write them like c=close; ours are {', '.join(COLUMNS)}."
        )
    pairs = dict(one.split("=") for one in aliases)
    if len({*pairs.values()}) < len(aliases):
        raise ConfigurationError(f"ALIASES {aliases} name a column twice: state each once.")
    return pairs
