"""Stage `judge_worth`: is the asked forecaster worth its price, by evidence that may be looked at after every day."""

from dataclasses import replace
from pathlib import Path

from stages.io.files import read_json, read_table, write_json, write_table
from stages.io.terminal import run, say
from stages.params.study import StageStudy
from stages.runs.spans import read_span
from stages.runs.trial_log import log_study
from stages.tables.forecasts import FREE, FreeWeights, Scored, is_local, makers
from stages.tables.worth import Calls, WorthDays
from stages.trading.identity import stated_strategy
from stages.worth.judgement import judge_worth, last_weights
from stages.worth.money import Bought, money_days
from stages.worth.series import Sides
from stages.worth.study_id import study_id

STUDY = Path("artifacts/list_source/study.json")
SEARCH = Path("artifacts/seal/search")
CALLS = Path("artifacts/forecast/calls.parquet")
WORTH = Path("artifacts/judge_worth/worth.json")
DAYS = Path("artifacts/judge_worth/days.parquet")
SUMMARY = Path("artifacts/judge_worth/summary.json")


def main() -> None:
    """The asked and the free forecasts of the search span -> the verdict, and the evidence by day."""
    study = StageStudy.parse(read_json(STUDY))
    name = study_id(study.document())
    span = read_span(SEARCH, study.calibration.method)
    asked = span.forecasts.filter(model=study.forecaster.model, history_days=study.rules.history_days)
    of_models = read_table(Scored, SEARCH / "free.parquet").partition_by("model", as_dict=True)
    free = {str(model).removeprefix(FREE): rows for (model,), rows in of_models.items()}
    strategy = stated_strategy(study, frozenset())
    bought = Bought.of(read_table(Calls, CALLS, session=span.calendar["session"].to_list()))

    sides = Sides(
        asked=asked,
        free=free,
        weights=last_weights(read_table(FreeWeights, SEARCH / "free_weights.parquet"), study),
        bought=bought,
        money=money_days(replace(span, forecasts=asked), free, strategy, bought, study.worth),
        learns_here=is_local(makers(asked)),
    )
    verdict, evidence = judge_worth(study, name, sides)

    log_study(name, verdict["training"]["sessions_after"])
    write_json(verdict, WORTH)
    write_json({"worth": verdict["state"]}, SUMMARY)
    write_table(WorthDays, evidence, DAYS)
    say("judge_worth", verdict=repr(verdict["state"]), sessions=verdict["sessions"], calls=verdict["calls"])


if __name__ == "__main__":
    run(main)
