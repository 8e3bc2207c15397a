"""A project folder as the commands see it: conf/, params.yaml and a git history, and nothing that runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from stages.outside.composition import compose, write_params

ROOT = Path(__file__).parents[2]
IDENTITY = ["-c", "user.email=test@example.org", "-c", "user.name=test"]


@dataclass(frozen=True)
class Project:
    """The working directory of a test; commands run in this process, as `python -m` would run them."""

    path: Path
    say: Callable[[], str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, command: ModuleType, *arguments: str) -> str:
        """What the command prints."""
        self.monkeypatch.setattr(sys, "argv", [command.__name__, *arguments])
        self.say()
        command.main()
        return self.say()

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *IDENTITY, *arguments], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> str:
        """Commit everything; the commit's short name."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a state")
        return self.git("rev-parse", "HEAD").strip()[:10]

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
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_text(json.dumps(document))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    """A fresh clone: the repository's conf/ with a closed holdout and no standing preset, composed and committed."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("/artifacts/\n/.dvc/tmp/\n")
    made = Project(tmp_path, lambda: capsys.readouterr().out, monkeypatch)
    split = yaml.safe_load(made.text("conf/split/single_holdout.yaml"))
    made.edit(
        "conf/split/single_holdout.yaml", f"open_holdout: {split['open_holdout'] or 'null'}", "open_holdout: null"
    )
    made.git("init", "-q", "-b", "main")
    write_params(compose())
    shutil.rmtree(tmp_path / ".dvc")
    made.commit()
    return made
