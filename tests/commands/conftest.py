"""A project folder as the commands see it: conf/, params.yaml and a git history, and nothing that runs."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.commands import command_line
from stages.configuration.compose import compose, to_yaml
from tests.support.locks import record_run
from tests.support.repositories import commit_folder, git

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Project:
    """The working directory of a test; commands run in this process, as `python -m` would run them."""

    path: Path
    say: Callable[[], str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, verb: str, *arguments: str) -> str:
        """What the command prints."""
        self.monkeypatch.setattr(sys, "argv", ["stages", verb, *arguments])
        self.say()
        command_line.main()
        return self.say()

    def git(self, *arguments: str) -> str:
        return git(self.path, *arguments)

    def commit(self) -> str:
        """Commit everything; the commit's short name."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a state")
        return self.git("rev-parse", "HEAD").strip()[:10]

    def make_shallow(self) -> None:
        """Cut the history off before the last commit, as `git clone --depth 1` does."""
        (self.path / ".git/shallow").write_text(self.git("rev-parse", "HEAD"))

    def params(self) -> dict[str, Any]:
        return yaml.safe_load(self.text("params.yaml"))

    def apply_experiment(self, *overrides: str) -> None:
        """Leave params.yaml as `dvc exp run -S ...` leaves it; DVC's own composition is used."""
        from dvc.utils.hydra import compose_and_dump

        compose_and_dump("params.yaml", str(self.path / "conf"), None, "config", str(self.path), list(overrides))

    def text(self, path: str) -> str:
        return (self.path / path).read_text()

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.text(path)
        assert old in text
        (self.path / path).write_text(text.replace(old, new))

    def write_json(self, path: str, document: Any) -> None:
        """A file; one of artifacts/ is recorded in dvc.lock, as what a stage wrote."""
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_text(json.dumps(document))
        if path.startswith("artifacts/"):
            record_run(self.path)


@pytest.fixture(scope="session")
def fresh_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's conf/ with a closed holdout and no standing preset, composed and committed."""
    path = tmp_path_factory.mktemp("clone") / "project"
    shutil.copytree(ROOT / "conf", path / "conf")
    split, config = path / "conf/split/single_holdout.yaml", path / "conf/config.yaml"
    split.write_text(re.sub(r"open_holdout: \w+", "open_holdout: null", split.read_text()))
    config.write_text(re.sub(r"- preset: \w+", "- preset: none", config.read_text()))
    (path / "params.yaml").write_text(to_yaml(compose(path / "conf")))
    (path / ".gitignore").write_text("/artifacts/\n/.dvc/\n")
    (path / ".dvc").mkdir()
    commit_folder(path, "a fresh clone")
    git(path, "gc", "-q")  # a file of all objects: each test copies this folder
    return path


@pytest.fixture
def project(
    fresh_clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A copy of the fresh clone as the working directory."""
    path = shutil.copytree(fresh_clone, tmp_path / "project")
    monkeypatch.chdir(path)
    return Project(path, lambda: capsys.readouterr().out, monkeypatch)
