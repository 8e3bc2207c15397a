"""What we take from DVC beyond its commands and files: one claim a use, and what is lost if a new DVC breaks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stages.errors import ConfigurationError
from stages.io import workspace
from stages.io.content import file_hash
from stages.io.dvc_internals import copy_from_run, gcs_arguments, read_config
from stages.runs.evidence import unfinished_stages
from tests.support.repositories import commit_folder

MADE = Path("artifacts/made.txt")


def configure(root: Path, **files: str) -> None:
    (root / ".dvc").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / ".dvc" / name.replace("_", ".")).write_text(text)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One committed run of three stages, its outs in the cache and its workspace as it left it."""
    root = tmp_path_factory.mktemp("repository")
    configure(root, config="[core]\n    analytics = false\n    check_update = false\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("DVC_ROOT", raising=False)
        Path(".gitignore").write_text("/artifacts\n/.dvc/cache\n/.dvc/tmp\n")
        MADE.parent.mkdir()
        MADE.write_text("made\n")
        workspace.cached(file_hash(MADE)).parent.mkdir(parents=True)
        workspace.cached(file_hash(MADE)).write_text("made\n")
        facts = {"md5": file_hash(MADE), "hash": "md5", "size": 5, "path": str(MADE)}
        stages = {"second": {"cmd": "echo", "deps": [str(MADE)]}, "first": {"cmd": "echo", "outs": [str(MADE)]}}
        stages |= {"third": {"cmd": "echo", "deps": [".gitignore"]}}
        lock = {"second": {"cmd": "echo", "deps": [facts]}, "first": {"cmd": "echo", "outs": [facts]}}
        ignored = {"md5": file_hash(Path(".gitignore")), "hash": "md5", "path": ".gitignore"}
        lock |= {"third": {"cmd": "echo", "deps": [ignored]}}
        Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
        Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": lock}))
        commit_folder(root, "a run")
        yield root


def test_the_configuration_is_merged_and_its_folders_are_absolute(tmp_path: Path):
    """Else the store of answers and the remote that shares them are looked for in the wrong place, and bought anew."""
    shared = "[core]\n    remote = team\n['remote \"team\"']\n    url = ../../shared\n[cache]\n    dir = ../kept\n"
    configure(tmp_path, config=shared, config_local="[cache]\n    dir = /elsewhere\n")
    found = read_config(tmp_path)
    assert found["core"]["remote"] == "team"
    assert found["cache"]["dir"] == "/elsewhere"
    assert Path(found["remote"]["team"]["url"]).resolve() == tmp_path.parent / "shared"
    configure(tmp_path, config_local="")
    assert Path(read_config(tmp_path)["cache"]["dir"]).resolve() == tmp_path / "kept"


def test_a_configuration_that_dvc_refuses_is_reported_in_a_sentence(tmp_path: Path):
    """Else a slip in .dvc/config ends a paid run in a traceback."""
    configure(tmp_path, config="[core\n")
    with pytest.raises(ConfigurationError, match=r"DVC's configuration cannot be read .* correct \.dvc/config, or"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({"credentialpath": "/keys/team.json"}, {"token": "/keys/team.json"}),
        ({"projectname": "p", "endpointurl": "http://127.0.0.1:9"}, {"project": "p", "endpoint_url": "http://127.0.0.1:9"}),
        ({"allow_anonymous_login": True}, {"token": "anon"}),
    ],
    ids=["credentials", "project and endpoint", "anonymous"],
)  # fmt: skip
def test_a_remotes_options_become_the_arguments_of_gcsfs(options: dict[str, object], arguments: dict[str, str]):
    """Else answers, reservations and locks are shared with another login than the one that `dvc push` uses.

    Left: options by `dvc remote modify --help`; right: arguments by the documentation of gcsfs.
    """
    found = gcs_arguments("gs://bucket/dvc", options)
    assert {name: found.get(name) for name in arguments} == arguments


def test_files_of_a_run_come_from_git_or_the_cache(repository: Path, tmp_path: Path):
    """Else no run can be compared with another: `make compare`, `make page RUN=`, `make pr-comment`."""
    copy_from_run("HEAD", [Path("dvc.lock"), MADE], tmp_path)
    assert (tmp_path / "dvc.lock").read_text() == (repository / "dvc.lock").read_text()
    assert (tmp_path / MADE).read_text() == "made\n"


def test_a_run_that_is_not_there_or_out_of_reach_is_reported_in_a_sentence(repository: Path, tmp_path: Path):
    """Else a mistyped name ends in a traceback."""
    with pytest.raises(ConfigurationError, match=r"there is no run 'nobody': `make show`"):
        copy_from_run("nobody", [MADE], tmp_path)
    kept = workspace.cached(file_hash(MADE))
    hidden = kept.rename(tmp_path / "hidden")
    with pytest.raises(ConfigurationError, match=r"made\.txt of run 'HEAD' cannot be fetched .*: run `dvc fetch`"):
        copy_from_run("HEAD", [MADE], tmp_path / "out")
    hidden.rename(kept)


def test_dvc_status_names_the_stages_that_must_run_in_the_order_of_dvc_yaml(repository: Path):
    """Else `make pr-comment` compares artifacts that were made of something else. This is a command, not a call."""
    MADE.write_text("changed\n")
    assert unfinished_stages() == ["second", "first"]
    MADE.write_text("made\n")
