"""A study's stages as functions, which the audit runs on other markets.

*Time*: the symbols that may trade were chosen on the whole search span, so they are an input here, like its sessions.
Decisions are replayed on the search span only: the audit never reads sealed tables.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from stages.audit.replay import Frames, Replay, Usable
from stages.calibration.methods import calibrate
from stages.calibration.mix import calibrated_free
from stages.calibration.past import with_outcomes
from stages.features.catalogue import build_features
from stages.features.context import Context
from stages.forecasting.answering import ask_all, quantile_table, require_scheduled
from stages.forecasting.backend import Answer
from stages.forecasting.free import FreeSettings, Known, PerSymbol
from stages.forecasting.local_backend import local_backend
from stages.forecasting.program_candidate import ask_program, with_program
from stages.io.dated_files import read_actions
from stages.params.forecaster import COMMAND, LOCAL
from stages.params.quality import DialectParams
from stages.params.study import Study
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.halts import NO_HALTS
from stages.questions.market import Market
from stages.questions.question import Question
from stages.questions.schedule import plan_questions
from stages.tables.forecasts import BENCHMARK, FREE, FreeWeights, Offsets, Quantiles, Schedule, Scored
from stages.trading.simulate import simulate
from stages.trading.strategy import eligible_cells, stated_strategy

ASKED = ["symbol", "snapshot_utc", "history_days", "key"]


@dataclass(frozen=True, eq=False)
class Record:
    """Inputs of a replay: tables `Calendar` (all, search span), gates, tables `Quantiles` and `Halts`.

    `of_program` are the rows of `Quantiles` by a program among the free candidates; it is not run again.
    """

    calendar: pl.DataFrame
    search: pl.DataFrame
    forecast_gates: Mapping[str, Any]
    quantiles: pl.DataFrame
    halts: pl.DataFrame = field(default_factory=lambda: NO_HALTS)
    of_program: pl.DataFrame = field(default_factory=Quantiles.create_empty)


def dialect_of(study: Study) -> DialectParams:
    """The vendor's bar format in this study."""
    return DialectParams.model_validate({name: getattr(study.source, name) for name in DialectParams.model_fields})


def among(study: Study, symbols: tuple[str, ...]) -> Study:
    """The study reduced to these of its symbols."""
    universe = study.universe.model_copy(update={"symbols": symbols})
    horizons = {one: minutes for one, minutes in study.rules.horizon_min_by_symbol.items() if one in symbols}
    return replace(study, universe=universe, rules=study.rules.model_copy(update={"horizon_min_by_symbol": horizons}))


def replay_of(study: Study, record: Record) -> Replay:
    """The stages under these params."""
    stages = _Stages(study, record)
    rules = study.rules
    return Replay(
        check=stages.check,
        build=stages.build,
        plan=stages.plan,
        answer=stages.answer_here if study.forecaster.deployment == LOCAL else stages.answer_by_key,
        answer_free=stages.answer_free,
        correct=stages.correct,
        mix=stages.mix,
        decide=stages.decide,
        calendar=record.calendar,
        wait_min=1 + rules.entry_delay_bars + rules.max_entry_delay_bars,
    )


@dataclass(frozen=True, eq=False)
class _Stages:
    study: Study
    record: Record
    # by forecaster, by key, which holds all that it sees
    answers: defaultdict[str, dict[str, Answer]] = field(default_factory=lambda: defaultdict(dict))

    def check(self, delivered: Frames) -> Mapping[str, Checked]:
        study, record = self.study, self.record
        actions = read_actions(study.quality.corporate_actions)
        return check_symbols(delivered, dialect_of(study), record.calendar, study.quality, actions, record.halts)

    def build(self, bars: Frames, usable: Usable, events: pl.DataFrame) -> Frames:
        around = Context(self.study.universe.context_symbol, events, self.study.universe.context_symbols)
        return build_features(bars, usable, self.record.calendar, self.study.features, around)

    def plan(self, market: Market) -> tuple[pl.DataFrame, list[Question]]:
        study = self.study
        schedule, questions = plan_questions(
            market, study.universe.symbols, study.requests, study.forecaster.model_spec, study.quality
        )
        return Schedule.of(schedule), questions

    def answer_here(self, schedule: pl.DataFrame, questions: list[Question], market: Market) -> pl.DataFrame:
        """A local forecaster answers again."""
        return self._answered_by(self.study.forecaster.name, schedule, questions, market)

    def answer_by_key(self, schedule: pl.DataFrame, questions: list[Question], market: Market) -> pl.DataFrame:
        """Stored answers by key; persistence answers questions that only the other future asks."""
        stand_in = self._answered_by(BENCHMARK, schedule, questions, market)
        return _by_key(self.record.quantiles.filter(model=self.study.forecaster.model), stand_in)

    def correct(self, quantiles: pl.DataFrame, bars: Frames, usable: Usable) -> tuple[pl.DataFrame, pl.DataFrame]:
        calibration = calibrate(with_outcomes(quantiles, bars, usable), self.study.calibration)
        return Scored.of(calibration.whole.rows), Offsets.of(calibration.whole.offsets)

    def answer_free(self, schedule: pl.DataFrame, market: Market) -> pl.DataFrame:
        study = self.study
        settings = FreeSettings(study.worth, study.forecaster, study.requests, study.quality)
        answer = replace(PerSymbol.of(settings, market.calendar, schedule), remembered=self.answers[FREE])
        answered = [
            answer(
                symbol,
                market.bars[symbol],
                market.features[symbol],
                Known(market.usable[symbol], market.halts.get(symbol, NO_HALTS), rows),
            )
            for (symbol,), rows in schedule.partition_by("symbol", as_dict=True).items()
        ]
        quantiles = pl.concat(quantiles for quantiles, _ in answered)
        if COMMAND not in study.worth.candidates:
            return quantiles
        planned = [one for _, one in answered]
        stand_ins = ask_program(
            planned, market, local_backend(BENCHMARK, study.forecaster, study.requests.horizons_min)
        )
        empty = Quantiles.create_empty()
        stand_in = pl.concat(with_program(empty, one, stand_ins, study.requests) for one in planned)
        return Quantiles.of(pl.concat([quantiles, _by_key(self.record.of_program, Quantiles.of(stand_in))]))

    def mix(
        self, free: pl.DataFrame, quantiles: pl.DataFrame, bars: Frames, usable: Usable
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        study = self.study
        judged, known = quantiles.filter(history_days=study.rules.history_days), with_outcomes(free, bars, usable)
        calibration, weights = calibrated_free(known, judged, study.calibration, study.forecaster.name, study.worth.eta)
        return Scored.of(calibration.whole.rows), FreeWeights.of(weights)

    def decide(self, bars: Frames, calibrated: pl.DataFrame) -> pl.DataFrame:
        study, search = self.study, self.record.search
        strategy = stated_strategy(study, eligible_cells(self.record.forecast_gates))
        searched = pl.col("session").is_in(search["session"].implode())
        kept = {symbol: frame.filter(searched) for symbol, frame in bars.items()}
        return simulate(kept, calibrated.filter(searched), search, strategy).signals

    def _answered_by(
        self, name: str, schedule: pl.DataFrame, questions: list[Question], market: Market
    ) -> pl.DataFrame:
        forecaster = self.study.forecaster
        require_scheduled(questions, schedule)
        known = self.answers[name]
        backend = local_backend(name, forecaster, self.study.requests.horizons_min)
        known |= ask_all([one for one in questions if one.key not in known], market, backend)
        answers = {question.key: known[question.key] for question in questions}
        return Quantiles.of(quantile_table(schedule, answers, {}, self.study.requests, forecaster))


def _by_key(recorded: pl.DataFrame, stand_in: pl.DataFrame) -> pl.DataFrame:
    """Recorded answers to the questions in `stand_in`, and its own to questions without a recorded answer."""
    kept = recorded.join(stand_in.select(ASKED).unique(), on=ASKED, how="semi")
    return Quantiles.of(pl.concat([kept, stand_in.join(kept, on=ASKED, how="anti")]))
