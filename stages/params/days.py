"""Rules between the sections of params.yaml on days: what no record could hold is refused before anything is asked.

Which weekdays are sessions is not known yet, so every weekday counts as one.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from stages.errors import shorten

if TYPE_CHECKING:
    from stages.params.study import StageStudy  # which imports this module


def holdout_lies_in_the_record(study: "StageStudy") -> Iterator[str]:
    """`split.holdout_from` is after the first day of the universe; after the last, the holdout has not begun."""
    first, start = study.universe.first_session, study.split.holdout_from
    if start is not None and start <= first:
        yield (
            f"split.holdout_from {start} leaves no session to search, since the record begins on {first} "
            "(universe.first_session): move one of them"
        )


def an_opened_month_may_be_held_out(study: "StageStudy") -> Iterator[str]:
    """`split.open_holdout` names no month behind the last that can be asked; earlier ones may have been left behind."""
    opened = study.split.open_holdout
    last = f"{min(study.universe.last_session, study.requests.last_session or date.max):%Y-%m}"
    if isinstance(opened, dict) and (later := sorted(month for month in opened if month > last)):
        yield (
            f"split.open_holdout names {shorten(later)}, but none behind {last} is held out (universe.last_session, "
            "requests.last_session): correct the month, or remove it"
        )


def the_stated_history_is_asked(study: "StageStudy") -> Iterator[str]:
    """No shorter history is asked for a rule whose own history no session of the search span has before it."""
    stated, shortest = study.rules.history_days, min(study.requests.history_days)
    if _searched_at_most(study, stated) < 1 <= _searched_at_most(study, shortest):
        yield (
            f"no session of the search span has rules.history_days {stated} before it, so the rule would have no "
            "forecast: choose a shorter one of requests.history_days, hold out fewer sessions, or widen "
            "universe.first_session to universe.last_session"
        )


def the_walk_forward_has_a_fold(study: "StageStudy") -> Iterator[str]:
    """Were every weekday a session, one would be left to trade behind the first that are chosen on.

    Which of several histories symbols may trade is not known yet, so the shortest that is asked counts.
    """
    split, walk = study.split, study.split.walk_forward
    searched = _searched_at_most(study, min(study.requests.history_days))
    if walk is not None and searched <= walk.first_train_sessions + split.embargo_sessions:
        yield (
            f"split.walk_forward.first_train_sessions {walk.first_train_sessions} and split.embargo_sessions "
            f"{split.embargo_sessions} leave no session to trade: at most {searched} are searched, behind those of the "
            "shortest history and without the holdout. Lower the former (to 20 at least), hold out fewer "
            "sessions, or widen universe.first_session (requests.first_session) to universe.last_session"
        )


def _searched_at_most(study: "StageStudy", history_days: int) -> int:
    """How many sessions the search span can have with this history before them: as many as weekdays."""
    universe, split = study.universe, study.split
    first, last = study.requests.first_session or universe.first_session, universe.last_session
    before = max(int(np.busday_count(universe.first_session, first)), 0)
    end = np.datetime64(min(last + timedelta(1), split.holdout_from or date.max), "D")
    if split.holdout_months is not None:
        end = np.busday_offset(last, 0, "backward").astype("M8[M]") - (split.holdout_months - 1)
    left_out = max(history_days - before, 0) + (split.holdout_sessions or 0) + split.embargo_sessions
    return max(int(np.busday_count(max(first, universe.first_session), end.astype("M8[D]"))) - left_out, 0)
