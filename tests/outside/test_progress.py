"""A progress bar is for people at a terminal."""

import pytest

from stages.outside.progress import progress


def test_in_logs_and_pipes_it_is_silent_and_hands_on_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(["a", "b"], "reading")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_at_a_terminal_it_names_what_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert list(progress(["a", "b"], "reading")) == ["a", "b"]
    assert "reading" in capsys.readouterr().err
