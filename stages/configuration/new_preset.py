"""The text of a preset for the user's own bars: each value that was found or stated, with its reason."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from stages.configuration.edit_text import flow

COMMENT_WIDTH = 112
PRESET = """# @package _global_
# Made by `make new-run`, yours to edit. Values that are not set here come from the groups of conf/.
defaults:
  - override /source: {kind}
  - override /universe: us_equity
  - override /costs: us_equity
source:
  name: {name}
{source}
universe:
  symbols: {symbols}
  # all of them may trade, until `make whitelist` names some by evidence
  first_session: {first}
  last_session: {last}
requests:
  history_days: [{history}]
forecaster:
  lookback_sessions: {lookback}
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
  prior_trials: 0             # `make trials` counts
  prior_sharpe_var: null      # and measures; null means 1
report:
  study: {name}
"""
KEYS = {
    "uri_template": "where the files lie",
    "aliases": "vendor's column: ours (ts, open, high, low, close, volume, symbol)",
    "zone": "zone of naive stamps, e.g. America/New_York",
    "bar_label": "does a stamp name the start or the end of its minute?",
    "bar_label_trusted": "true: by the vendor's documents, where the bars do not show it",
    "unit": "of stamps that are whole numbers since 1970: s, ms, us or ns",
    "price_scale": "what 1 in the file is worth in dollars",
    "stamp_format": "of stamps that are text but not ISO 8601",
    "csv": "lines of names above the rows of CSV files, or columns where there are none",
}


def preset_text(
    name: str, source: Mapping[str, Any], universe: Mapping[str, Any], sizes: Mapping[str, int], why: Mapping[str, str]
) -> str:
    """`source` holds the kind and the keys of `KEYS`; `why` is the evidence for some of them."""
    symbols: Sequence[str] = universe["symbols"]
    return PRESET.format(
        kind=source["kind"],
        name=flow(name),
        source="\n".join(_key(key, source[key], why.get(key, reason)) for key, reason in KEYS.items()),
        symbols=flow(list(symbols), 2),
        first=flow(str(universe["first"])),
        last=flow(str(universe["last"])),
        spreads=flow(dict.fromkeys(symbols, 1.0), 2),
        ticks=flow(dict.fromkeys(symbols, 0.01), 2),
        **sizes,
    )


def _key(key: str, value: Any, reason: str) -> str:
    lines = textwrap.wrap(" ".join(reason.split()), COMMENT_WIDTH, break_long_words=False)
    return "".join(f"  # {line}\n" for line in lines) + f"  {key}: {flow(value, 2)}"
