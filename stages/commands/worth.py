"""Is paying worth it: the verdict of the last run (`worth`), and buying until it is known (`study`).

`worth` only reads; it exits 0 in every state. `study` extends `requests.last_session` in conf/ by `STEP` asked sessions
and runs the graph to the verdict. The first step is long enough to ask the judged history. It stops when the verdict is
known, when the plan, the search span or the record ends, or at a limit of the budget (exit 4; the next `study`
continues there). The verdict is the first that held in day order, so neither the size of the steps nor the number of
looks matters.
"""

import re
import sys
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from stages.configuration.compose import compose, refuse_to_discard
from stages.configuration.edit_conf import COMMIT, state
from stages.errors import ConfigurationError, count
from stages.io.dvc_command import run_dvc
from stages.io.files import read_json
from stages.io.terminal import clock, show
from stages.params.study import Study
from stages.questions.schedule import plan_questions
from stages.runs.evidence import require_evidence
from stages.runs.scratch import market_of
from stages.sessions.calendar import trading_calendar
from stages.worth.plan import asked_by_session, planned_end, require_sealed, searched
from stages.worth.verdict import State
from stages.worth.verdict_lines import card, line

WORTH = Path("artifacts/judge_worth/worth.json")
STAGE = "judge_worth"
FORTNIGHT = timedelta(14)  # the exchange is never closed for so long


def worth() -> None:
    """worth.json -> the card."""
    require_evidence(STAGE)
    show(card(read_json(WORTH)))


def study(step: int) -> None:
    """The standing preset -> answers bought step by step, and the verdict."""
    refuse_to_discard()
    document = compose()
    stated = Study.parse(document)
    table = _asked_sessions(document)
    sessions: list[date] = table["session"].to_list()
    require_sealed(stated, plan := planned_end(stated, table))

    end = searched(stated, sessions)
    asked = bisect_right(sessions, stated.requests.last_session) if stated.requests.last_session else 0
    asked = max(asked or min(step, bisect_right(sessions, plan), end), _first_judged(stated, table.head(end)))
    while True:
        state({"requests": {"last_session": str(sessions[asked - 1])}})
        verdict = _judged(f"study: to {sessions[asked - 1]}")
        print(f"study: {line(verdict)}", flush=True)
        left = verdict["planned_sessions"] - verdict["sessions"]
        following = max(asked, min(asked + min(step, left), end))
        if verdict["state"] != State.NOT_YET_KNOWN or following == asked:
            break
        asked = following
    print()
    is_open = verdict["state"] == State.NOT_YET_KNOWN
    show(card(verdict)[: 2 if is_open else 3])  # an open card's third line proposes the step that cannot be taken
    if is_open:
        print(_why_no_further(stated, sessions, end))
    print(f"Next: `make run`, then `{COMMIT} 'Study to {sessions[asked - 1]}'`.")


def _first_judged(stated: Study, asked: pl.DataFrame) -> int:
    """The place, from 1, of the first searched session that asks the judged history."""
    places = asked.with_row_index("place", offset=1).filter(pl.col("outcomes") > 0)["place"]
    if places.is_empty():
        raise ConfigurationError(
            f"no session of the search span has rules.history_days {stated.rules.history_days} before it, so nothing "
            "would be judged; nothing was bought. Choose a shorter history, or widen universe.first_session to "
            "universe.last_session."
        )
    return int(places[0])


def _why_no_further(stated: Study, sessions: Sequence[date], end: int) -> str:
    first, last = stated.universe.first_session, stated.universe.last_session
    soon = min(last + FORTNIGHT, (stated.split.holdout_from or date.max) - timedelta(1))
    if (trading_calendar(first, soon)["session"] > last).any():  # a longer record holds more before the holdout
        return (
            f"The record ends, and its last {count(stated.split.embargo_sessions, 'session')} (split.embargo_sessions) "
            f"may border on the holdout, so the search ends on {sessions[end - 1]}: go on when the record holds more "
            "sessions (raise universe.last_session, then `make refresh`)."
        )
    return (
        f"The search span ends on {sessions[end - 1]}, before split.holdout_from {stated.split.holdout_from}, and "
        "some of its sessions gave no evidence: move split.holdout_from to a later day, then go on."
    )


def _asked_sessions(document: dict[str, Any]) -> pl.DataFrame:
    """Table `asked` of `plan.py` for every session of the record, regardless of `requests.last_session`."""
    whole = document | {"requests": document["requests"] | {"last_session": None}}
    one = Study.parse(whole)
    with market_of(whole) as market:
        schedule, _ = plan_questions(market, one.universe.symbols, one.requests, one.forecaster.model_spec, one.quality)
    return asked_by_session(one, schedule)


def _judged(label: str) -> dict[str, Any]:
    """Run the graph to the verdict. A stage's own sentence and exit code are passed on."""
    with clock(label):
        done = run_dvc("--wait-for-lock", "repro", STAGE, captured=True)
    if done.returncode:
        code = re.search(r"exited with (\d+)", done.stderr)
        lines = done.stderr.splitlines()  # without an exit code, DVC's own error is all there is
        sys.stderr.write("".join(f"{one}\n" for one in lines if not (code and one.startswith("ERROR: failed"))))
        raise SystemExit(int(code[1]) if code else done.returncode)
    verdict: dict[str, Any] = read_json(WORTH)
    return verdict
