"""A program of the user's is a free candidate: run once for all symbols, never asked twice, and weighed in the mix."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from stages.calibration.mix import free_mix
from stages.calibration.past import with_outcomes
from stages.errors import ConfigurationError
from stages.forecasting.free import FreeSettings, Known, PerSymbol
from stages.forecasting.program_candidate import ask_program, with_program
from stages.io.file_identity import digest_of_files
from stages.io.object_store import LocalStore
from stages.paid.answer_store import AnswerStore
from stages.paid.command import CommandBackend
from stages.params.api import ApiParams
from stages.params.forecaster import ForecasterParams
from stages.params.worth import FreeParams
from stages.quality.halts import NO_HALTS
from stages.questions.market import Market
from stages.questions.schedule import plan_questions
from stages.tables.forecasts import QUANTILES, Quantiles
from tests.architecture.dependencies import ROOT
from tests.features.made_bars import made_calendar
from tests.forecasting.windows import forecaster_params
from tests.questions.markets import QUALITY, random_market, requests_params
from tests.support.contexts import API

CALENDAR = made_calendar(10, n_bars=80)
SESSIONS = CALENDAR["session"].to_list()
HISTORY = 6
FILES = ["program.py"]
COMMAND = [sys.executable, *FILES]
BESIDE = ("persistence", "command")
COUNTS_ITS_STARTS = 'open("starts", "a").write("x")\n'


@pytest.fixture(scope="module")
def market() -> Market:
    return random_market(CALENDAR, "A", "B")


@dataclass(frozen=True)
class Desk:
    """A folder with an example program that is stated beside another forecaster, over one answer store."""

    path: Path
    market: Market

    def params(self, **changes: object) -> ForecasterParams:
        stated = {"command": COMMAND, "files": FILES, "files_sha256": digest_of_files(COMMAND, FILES)}
        return forecaster_params(**stated | {"lookback_sessions": HISTORY, "fhs_paths": 100, "min_rows": 1} | changes)

    def free(
        self, *, candidates: tuple[str, ...] = BESIDE, warmup: int = 1, params: ForecasterParams | None = None, **asked
    ) -> tuple[pl.DataFrame, int]:
        """The free forecasts of both symbols as the stage makes them, and how many answers were computed."""
        params = params or self.params()
        requests = requests_params(**{"history_days": [HISTORY]} | asked)
        schedule, _ = plan_questions(self.market, ("A", "B"), requests, params.model_spec, QUALITY)
        free = FreeParams.model_validate({"candidates": candidates, "warmup_sessions": warmup})
        task = PerSymbol.of(FreeSettings(free, params, requests, QUALITY), self.market.calendar, schedule)
        answered = [
            task(symbol, self.market.bars[symbol], self.market.features[symbol], self.known(symbol, schedule))
            for symbol in ("A", "B")
        ]
        store = AnswerStore(LocalStore(self.path / "store"), None)
        backend = CommandBackend(params, ApiParams(**API | {"mode": "offline"}), store)
        answers = ask_program((planned for _, planned in answered), self.market, backend)
        rows = [Quantiles.of(with_program(table, planned, answers, requests)) for table, planned in answered]
        return pl.concat(rows), backend.computed

    def known(self, symbol: str, schedule: pl.DataFrame) -> Known:
        return Known(self.market.usable[symbol], NO_HALTS, schedule.filter(symbol=symbol))

    @property
    def starts(self) -> int:
        return len((self.path / "starts").read_text()) if (self.path / "starts").exists() else 0


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, market: Market) -> Desk:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples/forecasters/last_value.py", "program.py")
    text = Path("program.py").read_text()
    Path("program.py").write_text(text.replace("\nROWS = ", f"\n{COUNTS_ITS_STARTS}ROWS = "))
    return Desk(tmp_path, market)


def test_one_run_answers_every_asked_snapshot_and_the_warm_up_of_all_symbols(desk):
    found, computed = desk.free()
    mine, others = found.filter(model="free:command"), found.filter(model="free:persistence")
    question = ["symbol", "snapshot_utc", "horizon_min", "history_days"]

    assert mine.sort(question).select(question).equals(others.sort(question).select(question))
    assert sorted(set(mine["session"])) == SESSIONS[HISTORY - 1 :], "the warm-up is one session"
    assert (desk.starts, computed) == (1, mine.height // 2), "an answer holds both horizons"
    assert set(mine["source"]) == {"command:command"}
    assert mine["key"].n_unique() == computed


def test_a_second_run_starts_no_program_and_finds_the_same(desk):
    first, _ = desk.free()
    again, computed = desk.free()
    assert again.equals(first)
    assert (desk.starts, computed) == (1, 0)


def test_a_longer_study_asks_only_what_is_new(desk):
    shorter, before = desk.free(last_session=SESSIONS[-2])
    longer, computed = desk.free()
    assert longer.filter(pl.col("session") <= SESSIONS[-2]).equals(shorter)
    assert computed == longer.filter(session=SESSIONS[-1], model="free:command")["key"].n_unique()
    assert (before > 0, desk.starts) == (True, 2)


def test_the_other_candidates_answer_as_without_a_program(desk):
    found, _ = desk.free()
    alone, computed = desk.free(candidates=("persistence",))
    assert found.filter(model="free:persistence").equals(alone)
    assert computed == 0


def test_a_program_may_be_the_only_candidate(desk):
    alone, _ = desk.free(candidates=("command",))
    beside, computed = desk.free()
    assert alone.equals(beside.filter(model="free:command"))
    assert computed == 0, "its questions are the same"


def test_a_changed_program_stops_before_it_is_asked_and_is_another_candidate_once_identified(desk):
    stated = desk.params()
    before, _ = desk.free(warmup=0)
    Path("program.py").write_text(Path("program.py").read_text() + "# another version\n")
    with pytest.raises(ConfigurationError, match=r"the files of the program command have .* `make identify`") as end:
        desk.free(params=stated)
    assert (desk.starts, end.value.exit_code) == (1, 5)

    after, computed = desk.free(warmup=0)
    assert not set(after["key"].drop_nulls()) & set(before["key"].drop_nulls())
    assert computed == before["key"].n_unique() - 1, "null is no key"


def test_a_program_that_is_not_identified_stops_before_anything_is_planned(desk):
    with pytest.raises(ConfigurationError, match="files_sha256 is null, so nothing says which command answers") as end:
        desk.free(params=desk.params(files_sha256=None))
    assert (desk.starts, end.value.exit_code) == (0, 5)


def test_the_asked_program_as_a_candidate_leaves_the_mix(desk):
    """As `forecaster=command`, its answers as a candidate are those of persistence's questions, and only of those."""
    asked = desk.params(name="command", model="mine")
    found, _ = desk.free(params=asked)
    scored = with_outcomes(found, desk.market.bars, desk.market.usable)
    mixed, weights = free_mix(scored, asked.name, 5.0)
    alone = scored.filter(model="free:persistence").sort("horizon_min", "symbol", "snapshot_utc")

    assert set(weights["model"]) == {"free:persistence"}
    assert mixed.select(QUANTILES).equals(alone.select(QUANTILES))

    beside, other = free_mix(scored, "timegpt", 5.0)
    first = other.filter(pl.col("last_outcome_used_utc").is_null())
    assert set(first["model"]) == {"free:persistence", "free:command"}
    assert first["weight"].to_list() == [0.5] * first.height, "both begin with 0.1"
    assert not beside.select(QUANTILES).equals(mixed.select(QUANTILES))
