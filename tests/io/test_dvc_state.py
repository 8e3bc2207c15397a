"""DVC's own files in a clone: a folder that only this user may write, and a lock that a kill left torn."""

import json
import os
import subprocess
import sys
from pathlib import Path
from stat import S_IMODE

import pytest

from stages.errors import ConfigurationError
from stages.io.dvc_state import OWN, own_site_cache, require_own_site_cache, require_whole_rwlock


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in which DVC never ran."""
    (tmp_path / "clone/.dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clone")
    for name in ("DVC_SITE_CACHE_DIR", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "clone"


def used_by_dvc(root: Path) -> Path:
    """Where DVC itself says that it keeps its state."""
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    asked = [sys.executable, "-c", "from dvc.repo import Repo; print(Repo().site_cache_dir)"]
    said = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=True).stdout
    return Path(said.strip())


def test_dvc_keeps_its_state_in_a_folder_of_this_clone_that_only_its_user_may_enter(root: Path):
    mask = os.umask(0)
    try:
        own_site_cache()
    finally:
        os.umask(mask)
    assert S_IMODE((root / OWN).stat().st_mode) == 0o700
    assert used_by_dvc(root).is_relative_to(root / OWN)
    assert require_own_site_cache() == root / OWN


def test_what_a_person_wrote_into_the_local_configuration_stays(root: Path):
    config = root / ".dvc/config.local"
    login = "    url = gs://team\n    credentialpath = /a/key.json\n"
    config.write_text(f"[cache]\n    dir = /large/cache\n['remote \"team\"']\n{login}")
    own_site_cache()
    assert "dir = /large/cache" in config.read_text()
    assert "credentialpath = /a/key.json" in config.read_text()
    before = config.stat()
    own_site_cache()
    assert config.stat() == before, "it is written once"


def test_a_path_that_dvc_cannot_write_is_reported_before_experiments_wait_for_ever(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    other = root.with_name("mä 株 b")
    root.rename(other)
    monkeypatch.chdir(other)
    with pytest.raises(ConfigurationError, match=r"mä 株 b, is not in ASCII: move the clone"):
        own_site_cache()


def test_letters_that_are_not_ascii_stay_in_the_local_configuration(root: Path):
    config = root / ".dvc/config.local"
    config.write_text("['remote \"team\"']\n    url = gs://team\n    credentialpath = /ä/key.json\n", encoding="utf-8")
    own_site_cache()
    assert "credentialpath = /ä/key.json" in config.read_text(encoding="utf-8")
    assert used_by_dvc(root).is_relative_to(root / OWN)


def test_a_folder_that_a_person_chose_comes_first(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = root / ".dvc/config.local"
    config.write_text(f"[core]\n    site_cache_dir = {tmp_path}/mine\n")
    own_site_cache()
    assert f"{tmp_path}/mine" in config.read_text()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "named"))
    config.unlink()
    own_site_cache()
    assert not config.exists()
    assert require_own_site_cache() == tmp_path / "named"


def test_a_clone_that_moved_gets_its_own_folder_again(root: Path, monkeypatch: pytest.MonkeyPatch):
    own_site_cache()
    moved = root.rename(root.with_name("moved"))
    monkeypatch.chdir(moved)
    own_site_cache()
    assert require_own_site_cache() == moved / OWN
    assert not root.exists()


def test_a_folder_that_every_user_may_write_is_refused(root: Path):
    with pytest.raises(ConfigurationError, match=r"/var/tmp/dvc, where every user .*`python -m stages prepare`"):
        require_own_site_cache()
    own_site_cache()
    (root / OWN).chmod(0o777)
    with pytest.raises(ConfigurationError, match=rf"`chmod 700 {root / OWN}`"):
        require_own_site_cache()
    own_site_cache()
    assert require_own_site_cache() == root / OWN


def test_a_folder_of_another_user_is_refused(root: Path):
    own_site_cache()
    if os.getuid():
        pytest.skip("only root may give a folder away")
    os.chown(root / OWN, 65534, 65534)
    with pytest.raises(ConfigurationError, match=r"belongs to another user: set DVC_SITE_CACHE_DIR"):
        own_site_cache()


@pytest.mark.parametrize("name", ["rwlock", "exps/rwlock"])
def test_a_torn_lock_of_running_commands_is_reported_with_what_to_type(root: Path, name: str):
    require_whole_rwlock()
    lock = root / ".dvc/tmp" / name
    lock.parent.mkdir(parents=True)
    for whole in ({}, {"read": {}, "write": {"/out": {"pid": 1, "cmd": "dvc repro"}}}):
        lock.write_text(json.dumps(whole))
        require_whole_rwlock()
    for torn in ("", '{"read": {"/dep', "[]", '"read"', '{"other": 1}'):
        lock.write_text(torn)
        with pytest.raises(ConfigurationError, match=rf"`rm {lock}` while no dvc command runs"):
            require_whole_rwlock()
