"""What is checked before a request may cost anything.

*Errors*: `ConfigurationError` (exit 5) for questions the service would refuse, `DataContractError` (exit 2) for values
that JSON would bend, each before a seat is taken.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from stages.errors import ConfigurationError, DataContractError
from stages.forecasting.backend import Asked
from stages.forecasting.params import ForecasterParams
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.batches import Batch
from stages.outside.places import Folder, make_folder, plain_words
from stages.requests.question import Question
from stages.requests.window import Window

MAX_REQUEST_BYTES = 200_000_000
BYTES_PER_RECORD = 8_192
BYTES_PER_ANSWERED_VALUE = 25
SPARE_BYTES = 262_144  # for seats, folders and whatever blocks a disk counts in


def demand_sendable(batches: Sequence[Batch], forecaster: ForecasterParams) -> None:
    """No request may be too long for the service, too short for quantiles, or hold NaN or infinity."""
    for batch in batches:
        if (size := batch.size) > MAX_REQUEST_BYTES:
            raise ConfigurationError(
                f"the request for {batch.snapshots[0]} would take some {size // 1_000_000} MB, the service takes "
                f"{MAX_REQUEST_BYTES // 1_000_000}: lower requests.history_days or ask for fewer exogenous columns."
            )
        for one in batch.asked:
            _demand_rows(one.question, forecaster)


def demand_finite(batch: Batch) -> Batch:
    """The batch with its rows built, once. The SDK sends NaN as null and infinity as a huge number: refused here."""
    built = []
    for one in batch.asked:
        window = one.window()
        built.append(Asked(one.question, partial(_same, window)))
        for name, values in (("y", window.y_bp), ("hist_exog", window.hist_exog), ("futr_exog", window.futr_exog)):
            if not np.isfinite(values).all():
                question = one.question
                raise DataContractError(
                    f"{name} of {question.symbol} at {question.snapshot_utc:%Y-%m-%d %H:%MZ} holds NaN or infinity; "
                    "nothing was sent: see requests.hist_exog, requests.futr_exog and the data report."
                )
    return Batch(tuple(built))


def room_for(batch: Batch, store: AnswerStore) -> IO[bytes]:
    """A nameless file as large as the batch's answers: closed just before they are kept, it leaves them their room.

    Whoever fills the disk while they are on their way fills the rest, and a killed process holds nothing. Each of their
    folders must take new files in this instant.
    """
    folder = store.local.root
    store.require_keepable(question.key for question in batch.questions)
    values = sum((len(one.levels) + 1) * one.horizon_min for one in batch.questions)
    left = SPARE_BYTES + len(batch.asked) * BYTES_PER_RECORD + values * BYTES_PER_ANSWERED_VALUE
    with plain_words(folder):
        make_folder(folder)
        with ExitStack() as on_failure:
            file = on_failure.enter_context(TemporaryFile(dir=folder, buffering=0))
            while left:
                left -= file.write(bytes(left))
            on_failure.pop_all()
        return file


def demand_not_refused(place: Folder, batch: Batch) -> None:
    """Do not ask again what the service refused for a fault of ours."""
    for question in batch.questions:
        if (reason := place.read(f"refused/{question.key}.txt")) is not None:
            raise ConfigurationError(
                f"{question.symbol} at {question.snapshot_utc:%Y-%m-%d %H:%MZ} was refused before: {reason.decode()} "
                f"`make release KEY={question.key}` lets it be asked again."
            )


def remember_refused(place: Folder, batch: Batch, reason: str) -> None:
    """Note the questions of a request that the service refused for a fault of ours."""
    for question in batch.questions:
        place.create(f"refused/{question.key}.txt", reason.encode())


def _same(window: Window) -> Window:
    return window


def _demand_rows(question: Question, forecaster: ForecasterParams) -> None:
    if question.rows < forecaster.min_rows:
        raise ConfigurationError(
            f"{question.symbol} at {question.snapshot_utc:%Y-%m-%d %H:%MZ} has {question.rows} rows of history, the "
            f"service wants {forecaster.min_rows} (forecaster.min_rows): raise requests.history_days."
        )
    if forecaster.input_size is None or forecaster.model_horizon is None or question.hist_exog or question.futr_exog:
        return
    longest = 3 * forecaster.input_size + max(forecaster.model_horizon, question.horizon_min)
    if question.rows > longest:
        raise ConfigurationError(
            f"{question.symbol} at {question.snapshot_utc:%Y-%m-%d %H:%MZ} claims {question.rows} rows, the SDK sends "
            f"{longest} at most: write the questions again with `dvc repro -f build_requests`."
        )
