"""Stage `judge_worth`: whether the asked forecaster is worth its price, by evidence that is valid after every day."""

from pathlib import Path

import polars as pl

from stages.engine import engine
from stages.engine.engine import OnTables
from stages.io.files import read_json, read_table, write_json, write_table
from stages.io.parquet import read_distinct
from stages.io.partitions import Rows
from stages.io.terminal import run, say
from stages.params.study import StageStudy
from stages.runs.spans import SpanFiles, tables_of
from stages.runs.trial_log import log_study
from stages.tables.forecasts import FreeWeights, Scored
from stages.tables.worth import Calls, WorthDays
from stages.trading.strategy import TRADABLE, require_tradable, stated_strategy
from stages.worth.by_symbol import CompareSymbol
from stages.worth.judgement import judge_worth, last_weights
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
    strategy, free = stated_strategy(study, frozenset()), SEARCH / "free.parquet"
    span = SpanFiles.searched(SEARCH, Scored)
    asked, candidates = span.kinds().filter(method=strategy.method), read_distinct(free, TRADABLE)
    require_tradable(strategy, asked)  # free forecasts are compared with the judged ones
    models = candidates.select("model", "history_days").unique().sort("model")
    work = CompareSymbol.of(study, strategy, models, span.calendar)
    for rule in work.rules.values():
        require_tradable(rule, pl.concat([asked, candidates]))

    def given(symbol: str) -> tuple[object, ...]:
        forecasts, bars = tables_of([span], symbol, strategy.method)
        return forecasts, Rows(Scored, free, symbol), bars

    symbols = {*asked["symbol"], *candidates["symbol"], *strategy.whitelist}
    found = engine.each(OnTables(work), {one: given(one) for one in symbols}, "comparing forecasts")
    calls = read_table(Calls, CALLS, session=span.calendar["session"].to_list())
    weights = last_weights(read_table(FreeWeights, SEARCH / "free_weights.parquet"), study)
    verdict, evidence = judge_worth(study, name, work.together(found, weights, calls, study.worth))

    log_study(name, verdict["training"])
    write_json(verdict, WORTH)
    write_json({"worth": verdict["state"]}, SUMMARY)
    write_table(WorthDays, evidence, DAYS)
    say("judge_worth", verdict=repr(verdict["state"]), sessions=verdict["sessions"], calls=verdict["calls"])


if __name__ == "__main__":
    run(main)
