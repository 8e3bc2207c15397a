"""What make asks for before DVC runs: a folder for DVC, whole locks, and nothing left of killed runs."""

from stat import S_IMODE

import pytest

from stages.errors import ConfigurationError

STEPS = {"prepare": (), "params": ("--check",), "params of a preset": ("--listed=synthetic_null",)}


def asked(project, step):
    return project.run(step.split()[0], *STEPS[step])


@pytest.mark.parametrize("step", STEPS)
def test_the_first_step_of_every_run_gives_dvc_a_folder_and_removes_what_killed_runs_left(project, monkeypatch, step):
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    (project.path / "artifacts/seal/.search.new/bars").mkdir(parents=True)
    (project.path / "artifacts/sweep").mkdir()
    (project.path / "artifacts/sweep/.ranking.csv.tmp").touch()
    (project.path / "artifacts/sweep/ranking.csv").touch()
    asked(project, step)
    assert S_IMODE((project.path / ".dvc/tmp/site").stat().st_mode) == 0o700
    left = {path.relative_to(project.path / "artifacts").as_posix() for path in (project.path / "artifacts").rglob("*")}
    assert left == {"seal", "sweep", "sweep/ranking.csv"}
    assert project.git("status", "--porcelain") == ""


@pytest.mark.parametrize("step", STEPS)
def test_a_torn_lock_is_reported_before_dvc_reads_it(project, step):
    (project.path / "dvc.lock").touch()
    with pytest.raises(ConfigurationError, match=r"dvc\.lock is empty, .*: `git checkout HEAD -- dvc\.lock`, then"):
        asked(project, step)
    (project.path / "dvc.lock").unlink()
    (project.path / ".dvc/tmp").mkdir(exist_ok=True)
    (project.path / ".dvc/tmp/rwlock").touch()
    with pytest.raises(ConfigurationError, match=r"`rm .*/\.dvc/tmp/rwlock` while no dvc command runs here"):
        asked(project, step)


def test_a_configuration_of_dvc_that_is_no_text_is_reported(project):
    (project.path / ".dvc/config.local").write_bytes(b"\xff\n")
    with pytest.raises(ConfigurationError, match=r"cannot be read .*: correct \.dvc/config, or \.dvc/config\.local\."):
        project.run("prepare")
