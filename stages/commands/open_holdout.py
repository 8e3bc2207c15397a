"""`make open-holdout`: let the one strategy that params state see the holdout, on the record.

The strategy must be the one that the last run judged on the search span: nobody opens a holdout for a rule whose search
result does not exist yet. The opening is a commit; this command writes it, and names the openings before it.
"""

from pathlib import Path
from typing import Any

from stages.errors import ConfigurationError, GateNotMet
from stages.outside.configuration.adoption import state
from stages.outside.configuration.composition import compose, refuse_to_discard
from stages.outside.configuration.openings import openings_of
from stages.outside.configuration.study import Study
from stages.outside.entry import run
from stages.outside.files import read_json
from stages.outside.runs.evidence import require_evidence
from stages.portfolio.strategy_id import SECTIONS, strategy_id

MANIFEST = Path("artifacts/list_source/manifest.json")
OOS = Path("artifacts/evaluate/oos.json")


def main() -> None:
    """params, manifest and the last verdict -> split.open_holdout in conf/ and params.yaml."""
    refuse_to_discard()
    document = compose()
    require_evidence("evaluate", params=document)
    study = Study.parse(document)
    strategy = _judged_strategy(study, read_json(OOS))
    if study.split.open_holdout == strategy:
        print(f"open-holdout: it is open for strategy {strategy} already.")
        return

    earlier = openings_of(study.source.name)
    changed = state({"split": {"open_holdout": strategy}})

    files = " ".join(map(str, changed))
    named = ", ".join(f"{name} ({where})" for name, where in earlier.items()) or "none"
    print(f"open-holdout: strategy {strategy} of study {study.report.study!r} may see the holdout. -> {files}")
    print(f"Openings of source {study.source.name!r} before this one: {len(earlier)}. Strategies: {named}.")
    print(f"Put it on the record: `make run`, then `git commit -m 'Open the holdout' {files} params.yaml dvc.lock`.")


def _judged_strategy(study: Study, oos: dict[str, Any]) -> str:
    stated = [getattr(study, name) for name in SECTIONS]
    strategy = strategy_id(stated, read_json(MANIFEST), oos["trading"])
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


if __name__ == "__main__":
    run(main)
