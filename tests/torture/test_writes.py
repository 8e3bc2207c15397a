"""Disks that fail at every single write of a run, at length. Counts come from the service, numbers are printed."""

from pathlib import Path

import pytest

from tests.paid.test_disks import failures_at_each_write
from tests.support.contexts import ContextFactory
from tests.support.crowd import tell
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


@pytest.mark.parametrize("call", ["_written", "link", "fsync", "mkdir"])
@pytest.mark.parametrize("lasting", [False, True])
def test_whichever_call_to_the_disk_fails_no_answer_is_paid_twice(  # noqa: PLR0917  # two choices, four fixtures
    call: str,
    lasting: bool,
    contexts: ContextFactory,
    server: TimeGPTServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Six answers in three requests; the n-th call fails, once or from then on, for every n; then a sound run."""
    paid = failures_at_each_write(contexts, server, tmp_path, monkeypatch, snapshots=3, lasting=lasting, call=call)
    tell("failing disk", call=call, lasting=lasting, failures=len(paid), needed=3, most_paid=max(paid))
    assert len(paid) > 3
    assert set(paid) == {3}
