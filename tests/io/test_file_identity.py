"""The identity of a program: its files' contents and names, and nothing else of them."""

import os
import subprocess
from pathlib import Path

import pytest

from stages.errors import ConfigurationError
from stages.io.file_identity import digest_of_files, require_identity, require_unchanged
from tests.forecasting.windows import forecaster_params

COMMAND = ["python", "run.py", "weights"]
FILES = ["run.py", "weights"]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights/deep").mkdir(parents=True)
    for name in ("run.py", "weights/b.bin", "weights/deep/a.bin", "weights.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_digest_of_files_is_the_sha256_of_what_sha256sum_prints(program):
    told = subprocess.run(
        "sha256sum run.py weights/b.bin weights/deep/a.bin | LC_ALL=C sort -k2 | sha256sum",
        shell=True, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert digest_of_files(COMMAND, FILES) == told.split()[0]
    assert digest_of_files(COMMAND, FILES[::-1]) == told.split()[0]


def test_dates_permissions_and_compiled_code_do_not_count(program):
    before = digest_of_files(COMMAND, FILES)
    os.utime(program / "run.py", (0, 0))
    (program / "run.py").chmod(0o700)
    (program / "weights/__pycache__").mkdir()
    (program / "weights/__pycache__/x.pyc").touch()
    assert digest_of_files(COMMAND, FILES) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda at: (at / "weights/deep/a.bin").write_text("other"),
        lambda at: (at / "weights/new.bin").touch(),
        lambda at: (at / "weights/b.bin").rename(at / "weights/c.bin"),
        lambda at: (at / "weights/b.bin").unlink(),
    ],
)
def test_every_content_and_every_name_counts(program, change):
    before = digest_of_files(COMMAND, FILES)
    change(program)
    assert digest_of_files(COMMAND, FILES) != before


def test_a_link_to_weights_elsewhere_is_those_weights(program, tmp_path_factory):
    before = digest_of_files(COMMAND, FILES)
    there = tmp_path_factory.mktemp("elsewhere") / "weights"
    (program / "weights").rename(there)
    (program / "weights").symlink_to(there)
    assert digest_of_files(COMMAND, FILES) == before


def test_a_link_to_a_folder_within_a_folder_has_to_be_listed(program):
    (program / "weights/more").symlink_to(program)
    with pytest.raises(ConfigurationError, match=r"weights/more in forecaster\.files is a link to a folder"):
        digest_of_files(COMMAND, FILES)


def test_a_file_that_is_missing_or_started_without_being_listed_is_named(program):
    with pytest.raises(ConfigurationError, match=r"forecaster\.files names gone\.bin, which is not in"):
        digest_of_files(COMMAND, [*FILES, "gone.bin"])
    with pytest.raises(
        ConfigurationError, match=r"forecaster\.command names run\.py, which is not in forecaster\.files"
    ):
        digest_of_files(COMMAND, ["weights"])
    assert digest_of_files(["python", "weights/b.bin"], ["weights"])


def test_params_state_which_files_answer(program):
    stated = {"name": "command", "model": "mine", "command": COMMAND, "files": FILES}
    right = forecaster_params(**stated, files_sha256=digest_of_files(COMMAND, FILES))
    require_identity(right)
    require_unchanged(right)
    (program / "weights/b.bin").write_text("other")
    for require in (require_identity, require_unchanged):
        with pytest.raises(ConfigurationError, match=r"the program mine have the digest .*: they changed"):
            require(right)
    (program / "run.py").unlink()
    require_unchanged(right)  # a colleague without the program, who may have its answers


def test_a_program_that_is_a_free_candidate_is_checked_like_an_asked_one(program):
    stated = {"command": COMMAND, "files": FILES}
    beside = forecaster_params(**stated, files_sha256=digest_of_files(COMMAND, FILES))
    require_unchanged(beside)
    with pytest.raises(ConfigurationError, match="the files of the program command have the digest"):
        require_unchanged(forecaster_params(**stated, files_sha256="0" * 64))
