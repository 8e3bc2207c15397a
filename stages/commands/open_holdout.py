"""`make open-holdout`: let the one strategy that params state see the holdout, on the record.

The strategy must be the one that the last run judged on the search span: nobody opens a holdout for a rule whose search
result does not exist yet. The opening is a commit; this command writes it, and names the openings before it.
`MONTH=2025-02` opens one month of `split.holdout_months` and leaves the others as they are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.configuration.compose import compose, refuse_to_discard
from stages.configuration.edit_conf import state
from stages.errors import ConfigurationError, GateNotMet, shorten
from stages.io.arguments import Arguments
from stages.io.files import read_json
from stages.io.terminal import run
from stages.params.study import Study
from stages.runs.evidence import require_evidence
from stages.runs.spans import openings_of
from stages.sessions.spans import ALL
from stages.trading.holdout import NOT_BEGUN
from stages.trading.identity import strategy_id

MANIFEST = Path("artifacts/list_source/manifest.json")
OOS = Path("artifacts/evaluate/oos.json")


def main() -> None:
    """params, manifest and the last verdict -> split.open_holdout in conf/ and params.yaml."""
    parser = Arguments(prog="make open-holdout", description="let the stated strategy see the holdout, on the record")
    parser.add_argument("--month", help="one month of split.holdout_months, like 2025-02; without it, everything")
    month = parser.parse_args().month
    refuse_to_discard()
    document = compose()
    require_evidence("evaluate", params=document)
    study, oos = Study.parse(document), read_json(OOS)
    strategy = _judged_strategy(study, oos)
    _require_sessions(oos["held"], month)
    before, wanted = study.split.open_holdout, {month: strategy} if month else strategy
    if before == strategy or (month and isinstance(before, dict) and before.get(month) == strategy):
        print(f"open-holdout: it is open for strategy {strategy} already.")
        return

    earlier = openings_of(study.source.name)
    if month and isinstance(before, dict):  # months that are held out no more would stop `evaluate`
        wanted = {name: before[name] for name in before if name in oos["held"]} | {month: strategy}
    changed = state({"split": {"open_holdout": wanted}})

    files = " ".join(map(str, changed))
    named = ", ".join(f"{name} ({where})" for name, where in earlier.items()) or "none"
    what = f"{month} of the holdout" if month else "the holdout"
    print(f"open-holdout: strategy {strategy} of study {study.report.study!r} may see {what}. -> {files}")
    print(f"Openings of source {study.source.name!r} before this one: {len(earlier)}. Strategies: {named}.")
    print(f"Put it on the record: `make run`, then `git commit -m 'Open the holdout' {files} params.yaml dvc.lock`.")


def _judged_strategy(study: Study, oos: dict[str, Any]) -> str:
    strategy = strategy_id(study, read_json(MANIFEST), oos["trading"])
    if strategy != oos["strategy_id"]:
        raise ConfigurationError(
            f"the last run judged strategy {oos['strategy_id']}, but params state {strategy}: `make run` first, look "
            "at the search result, then open the holdout."
        )
    if not oos["trading"]:
        raise GateNotMet(
            "no whitelisted symbol passed the forecast gates, so this strategy trades nothing: the holdout would tell "
            "nothing and stays sealed."
        )
    return strategy


def _require_sessions(held: Mapping[str, int], month: str | None) -> None:
    """Refuse to open what does not exist."""
    if not any(held.values()):
        raise GateNotMet(f"{NOT_BEGUN} There is nothing to open; it begins at split.holdout_from.")
    if month is not None and month not in set(held) - {ALL}:
        months = shorten(sorted(set(held) - {ALL})) or "no month of its own (split.holdout_months is null)"
        raise ConfigurationError(f"MONTH {month!r} is no month of the holdout, which has {months}.")


if __name__ == "__main__":
    run(main)
