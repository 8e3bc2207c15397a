"""Where the store lies and which remote it shares, by DVC's own configuration."""

import subprocess
from pathlib import Path

import pytest

from stages.errors import BudgetStop, ConfigurationError
from stages.io.bucket_store import shared_store
from stages.io.object_store import LocalStore
from stages.io.workspace import default_remote, git, main_root, store_root
from stages.paid.opening import ledger_anywhere, open_context
from stages.params.api import ApiParams
from stages.params.forecaster import ForecasterParams
from tests.support.contexts import API, FORECASTER
from tests.support.gcs_server import free_port
from tests.support.sockets import no_sockets


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "inner").mkdir()
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(folder / "inner")
    return folder


def configure(repository: Path, text: str) -> None:
    (repository / ".dvc" / "config").write_text(text)


def api(**changes: object) -> ApiParams:
    return ApiParams(**{**API, **changes})


def test_a_folder_without_git_says_how_it_becomes_a_repository(repository: Path):
    with pytest.raises(
        ConfigurationError, match=r"not a git clone, .* type: git init && git add -A && git commit -m Start"
    ):
        git("ls-files")


@pytest.mark.parametrize("asked", [["rev-parse", "HEAD"], ["rev-parse", "--short", "HEAD"], ["log", "--", "a"]])
def test_a_repository_without_a_commit_says_how_it_gets_one(repository: Path, asked: list[str]):
    git("init", "-q")
    with pytest.raises(ConfigurationError, match=r"no commit yet, .*: git add -A && git commit -m Start"):
        git(*asked)


def test_the_store_lies_in_the_cache_of_the_repository(repository: Path):
    assert store_root() == repository / ".dvc" / "cache" / "forecasts"


def test_the_store_follows_the_cache_folder(repository: Path):
    configure(repository, "[cache]\n    dir = ../../elsewhere\n")
    assert store_root().resolve() == (repository.parent / "elsewhere" / "forecasts").resolve()


def test_a_temporary_experiment_uses_the_main_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = tmp_path / "temporary"
    (elsewhere / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("DVC_ROOT", str(repository))
    assert main_root() == repository
    assert store_root() == repository / ".dvc" / "cache" / "forecasts"


def test_outside_of_a_repository_the_rule_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"no \.dvc folder here or in a parent folder"):
        main_root()


def test_without_a_remote_nothing_is_shared(repository: Path):
    assert default_remote() is None
    assert shared_store(api()) is None


def test_the_remote_is_dvcs_default(repository: Path):
    configure(
        repository, "[core]\n    remote = team\n['remote \"team\"']\n    url = gs://bucket/dvc\n    projectname = p\n"
    )
    remote = default_remote()
    assert remote is not None
    assert (remote.name, remote.url, remote.options["projectname"]) == ("team", "gs://bucket/dvc", "p")


def test_a_folder_remote_is_found_from_the_configs_folder(repository: Path):
    configure(repository, "[core]\n    remote = team\n['remote \"team\"']\n    url = ../../shared\n")
    objects = shared_store(api(mode="offline"))
    assert isinstance(objects, LocalStore)
    assert objects.root.resolve() == (repository.parent / "shared" / "forecasts").resolve()


def test_offline_no_bucket_is_asked(repository: Path):
    configure(repository, "[core]\n    remote = team\n['remote \"team\"']\n    url = gs://bucket/dvc\n")
    with no_sockets():
        assert shared_store(api(mode="offline")) is None
        with pytest.raises(AssertionError, match="a socket was wanted"):
            shared_store(api(mode="online"))


def down(repository: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    configure(
        repository,
        f"[core]\n    remote = team\n['remote \"team\"']\n    url = gs://bucket/dvc\n    endpointurl = {endpoint}\n",
    )


def test_a_remote_that_is_down_is_reported_once_and_left(repository: Path, capfd: pytest.CaptureFixture[str]):
    down(repository)
    assert shared_store(api(remote_down="local")) is None
    assert "'team' is down: nothing answers at 127.0.0.1" in capfd.readouterr().err


@pytest.mark.parametrize("params", [{"remote_down": "stop"}, {"scope": "remote"}])
def test_a_remote_that_is_down_stops_a_run_that_needs_it(repository: Path, params: dict[str, str]):
    down(repository)
    with pytest.raises(BudgetStop, match="Run again when it answers"):
        shared_store(api(**params))


def test_one_budget_for_all_machines_needs_a_remote(repository: Path):
    with pytest.raises(ConfigurationError, match=r"api.scope remote keeps the budget on DVC's default remote"):
        ledger_anywhere(api(scope="remote"))


def test_machines_with_one_budget_keep_it_on_the_remote(repository: Path):
    configure(repository, "[core]\n    remote = team\n['remote \"team\"']\n    url = ../../shared\n")
    context = open_context(ForecasterParams(**{**FORECASTER, "base_url": "http://127.0.0.1:9"}), api(scope="remote"))
    assert context.attempts is not None
    assert context.ledger.objects is context.store.remote
    assert context.store.local.root == store_root()


def test_dvc_itself_reads_the_same_cache_folder(repository: Path):
    configure(repository, "[core]\n    no_scm = true\n[cache]\n    dir = ../../elsewhere\n")
    told = subprocess.run(["dvc", "cache", "dir"], cwd=repository, capture_output=True, text=True, check=True).stdout
    assert Path(told.strip()).resolve() == store_root().parent.resolve()


def test_a_common_budget_without_common_answers_is_refused():
    with pytest.raises(ValueError, match=r"api\.scope remote .* api\.share is false"):
        api(scope="remote", share=False)
