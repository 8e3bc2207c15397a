"""`make new-run PRESET=x URI=... SYMBOLS="AAPL MSFT"`: a preset for bars of your own, and what its span allows.

Writes `conf/preset/<name>.yaml`, a file to edit; it must compose to a possible run, or nothing is written. Reads no
bars: sessions are the exchange's, so the counts are upper bounds, and `make plan` says the exact price later.
"""

import argparse
import json
import re
from math import ceil
from pathlib import Path
from typing import Any

from stages.errors import ConfigurationError
from stages.outside.arguments import Arguments, whole_number, words
from stages.outside.configuration.composition import CONF, compose
from stages.outside.configuration.study import Study
from stages.outside.entry import run
from stages.outside.files import write_text
from stages.universe.calendar import trading_calendar

NAME = re.compile(r"[a-z][a-z0-9_]*")
TAKEN = {"none", "null", "true", "false"}  # YAML or Hydra would read these as something else
PRESET = """# @package _global_
# Made by `make new-run`, yours to edit. What is not said here stands in the groups of conf/.
defaults:
  - override /source: {kind}
  - override /universe: us_equity
  - override /costs: us_equity
source:
  name: {name}
  uri_template: {uri}
  # vendor's column: ours (ts, open, high, low, close, volume)
  aliases: {aliases}
  zone: null                  # zone of naive stamps, e.g. America/New_York
  bar_label: start            # does a stamp name the start or the end of its minute?
  bar_label_trusted: false    # true: by the vendor's documents, where the bars do not tell
universe:
  symbols: {symbols}
  # who may trade; grow it by evidence: `make whitelist`
  whitelist: {symbols}
  first_session: {first}
  last_session: {last}
requests:
  history_days: [{history}]
forecaster:
  lookback_sessions: {history}
rules:
  history_days: {history}
costs:
  half_spread_ticks: {spreads}
  tick_size: {ticks}
split:
  # one of the three says what is held out: the last sessions, all from a day on, or the last calendar months
  holdout_sessions: {holdout}
  holdout_from: null
  holdout_months: null
  open_holdout: null          # `make open-holdout` writes it, once
sweep:
  grid:
    history_days: [{history}]
  prior_trials: 0             # `make trials` counts
  prior_sharpe_var: null      # and measures; null means 1
report:
  study: {name}
"""


def main() -> None:
    """Name, place and span of some bars -> a preset, and the arithmetic of its sessions."""
    asked = _arguments()
    asked.symbols, asked.aliases = words(asked.symbols), words(asked.aliases)
    path = CONF / "preset" / f"{asked.preset}.yaml"
    _demand_free(asked.preset, path)
    write_text(_preset(asked), path)
    try:
        study = Study.parse(compose(overrides=[f"preset={asked.preset}"]))
    except Exception:
        path.unlink()
        raise
    print(f"new-run: {path}, study {study.report.study!r}.")
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
    snapshots = scored * len(requests.snapshots_et) * len(requests.history_days)
    outcomes_a_day = len(requests.snapshots_et) * len(universe.symbols)
    judged = max(search - ceil(study.calibration.min_outcomes / outcomes_a_day), 0)
    told = [
        f"{sessions} sessions: {sessions - scored} of history, {search} to search, {split.embargo_sessions} embargo, "
        f"{sealed} sealed",
        f"at most {snapshots * len(universe.symbols)} questions in {snapshots} calls at one per snapshot",
        f"about {judged} days to judge forecasts by, after {search - judged} to learn the calibration from",
    ]
    if judged < (wanted := study.gates.min_forecast_days):
        told.append(
            f"too few: gates.min_forecast_days wants {wanted}; take a longer span, more requests.snapshots_et, fewer "
            "requests.history_days, or fewer split.holdout_sessions"
        )
    return told


def _arguments() -> argparse.Namespace:
    parser = Arguments(prog="make new-run", description="a preset for bars of your own")
    parser.add_argument("preset", metavar="PRESET", help="its name: small letters, digits and _")
    parser.add_argument("--uri", required=True, help="template with {symbol}, {yyyy}, {mm}: a path or gs://")
    parser.add_argument("--symbols", nargs="+", required=True)
    parser.add_argument("--first", default="2024-01-02", help="first session")
    parser.add_argument("--last", default="2024-12-31", help="last session")
    parser.add_argument("--history", type=whole_number(1), default=40, help="whole sessions that a question sends")
    parser.add_argument("--holdout", type=whole_number(1), default=30, help="sessions that stay sealed")
    parser.add_argument("--aliases", nargs="*", default=[], metavar="VENDOR=OURS", help="columns, like c=close")
    return parser.parse_args()


def _demand_free(name: str, path: Path) -> None:
    if not NAME.fullmatch(name) or name in TAKEN:
        raise ConfigurationError(
            f"PRESET {name!r} cannot be a name: small letters, digits and _, beginning with a letter."
        )
    if path.exists():
        raise ConfigurationError(f"{path} exists: edit it, or take another name.")


def _preset(asked: argparse.Namespace) -> str:
    facts: dict[str, Any] = {
        "kind": "gcs" if asked.uri.startswith("gs://") else "parquet",
        "name": asked.preset,
        "uri": _quoted(asked.uri),
        "first": _quoted(asked.first),
        "last": _quoted(asked.last),
        "symbols": _flow(asked.symbols),
        "aliases": _flow(_pairs(asked.aliases)),
        "spreads": _flow(dict.fromkeys(asked.symbols, 1.0)),
        "ticks": _flow(dict.fromkeys(asked.symbols, 0.01)),
    }
    return PRESET.format(**facts, **{name: getattr(asked, name) for name in ("history", "holdout")})


def _pairs(aliases: list[str]) -> dict[str, str]:
    if wrong := [one for one in aliases if one.count("=") != 1]:
        raise ConfigurationError(f"ALIASES {wrong} are not VENDOR=OURS: write them like c=close.")
    return dict(one.split("=") for one in aliases)


def _flow(value: dict[str, Any] | list[str]) -> str:
    """A list or mapping on one line; every text in quotes, so that a symbol ON or a column `y` stays a text."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_quoted(one)}" for key, one in value.items())
            + "}"
        )
    return "[" + ", ".join(map(_quoted, value)) + "]"


def _quoted(value: Any) -> str:
    """A scalar of YAML that means itself, also to OmegaConf, which looks for ${...} in it."""
    return json.dumps(value.replace("${", "\\${"), ensure_ascii=False) if isinstance(value, str) else str(value)


if __name__ == "__main__":
    run(main)
