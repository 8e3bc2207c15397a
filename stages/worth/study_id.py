"""The study's id: a short hash of everything that was decided before the first day of evidence.

The id covers the params of `source`, `universe`, `requests`, `forecaster`, `calibration` and `worth` in canonical form
(`params/canonical.py`); if money decides, also `rules` and `costs`. It covers `rules.history_days` unless that is the
first of `requests.history_days`, since another history has other answers. It leaves out what may change while a study
grows: its last session, the end of the record, the plan, the planned deviation, prices, and the count of other studies.
It covers the first session, since another beginning after a look is another choice of days.

Another id is another study, whose evidence begins at 1. So whoever changes the question after a look raises
`worth.prior_studies`, and with it the required evidence.
"""

from collections.abc import Mapping
from typing import Any

from stages.params.canonical import canonical, digest

SECTIONS = ("source", "universe", "requests", "forecaster", "calibration", "worth")
OF_MONEY = ("rules", "costs")
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "universe": ("last_session",),
    "requests": ("last_session",),
    "calibration": ("methods",),
    "worth": (
        "planned_sessions",
        "planned_sd",
        "prior_studies",
        "price_per_call",
        "price_per_million_tokens",
        "notional",
    ),
}
HEX_DIGITS = 11


def study_id(params: Mapping[str, Any]) -> str:
    """The id of the study that a document like params.yaml states."""
    names = (*SECTIONS, *(OF_MONEY if params["worth"]["decide_by"] == "money" else ()))
    kept: dict[str, Any] = {
        name: {key: value for key, value in params[name].items() if key not in LEFT_OUT.get(name, ())} for name in names
    }
    if kept["worth"]["horizon_min"] is None:
        kept["worth"]["horizon_min"] = params["rules"]["horizon_min"]
    judged = params["rules"]["history_days"]
    if judged != params["requests"]["history_days"][0]:
        kept["worth"]["history_days"] = judged
    return "w" + digest(canonical(kept), HEX_DIGITS)
