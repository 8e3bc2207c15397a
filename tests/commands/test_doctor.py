"""`make doctor`: each check finds the fault it is for, names it in a line, and hides none of the others."""

import shutil
from pathlib import Path

import pytest

from stages.commands import doctor
from stages.errors import ConfigurationError
from stages.io.object_store import LocalStore
from stages.paid.store_identity import begun_store
from tests.io.test_object_store import ReadOnly
from tests.io.test_object_store import refusing as refusing
from tests.support.gcs_server import BUCKET, free_port, gcs_server
from tests.support.locks import record_run

ROOT = Path(__file__).parents[2]
KEY = "a-key-nobody-may-see"


@pytest.fixture
def clinic(project, monkeypatch):
    """A healthy project: DVC's configuration and the pins beside conf/, no key, no remote."""
    monkeypatch.delenv("NIXTLA_API_KEY", raising=False)
    shutil.copy(ROOT / "requirements.txt", project.path)
    (project.path / ".dvc").mkdir(exist_ok=True)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(project.path / ".dvc/tmp/site"))
    return project


def team_remote(project, url, *options):
    settings = [f"url = {url}", *options]
    (project.path / ".dvc/config").write_text("[core]\nremote = team\n['remote \"team\"']\n" + "\n".join(settings))


def lines(project, capsys):
    """Verdict by check, and what was printed; exit 5 exactly when a check fails."""
    try:
        said, failed = project.run("doctor"), False
    except ConfigurationError:
        said, failed = capsys.readouterr().out, True
    verdicts = {line.split()[1]: line.split()[0] for line in said.splitlines()}
    assert list(verdicts) == list(doctor.CHECKS)
    assert failed == ("FAIL" in verdicts.values())
    return verdicts, said


def failing(project, capsys):
    verdicts, said = lines(project, capsys)
    return {name for name, verdict in verdicts.items() if verdict == "FAIL"}, said


def test_a_fresh_clone_is_healthy(clinic, capsys):
    broken, said = failing(clinic, capsys)
    assert broken == set()
    assert "none set" in said
    assert "0 answers, none damaged" in said


def test_choices_that_do_not_fit_together_are_named_and_the_other_checks_still_run(clinic, capsys):
    clinic.edit("params.yaml", "history_days: 40", "history_days: 41")
    broken, said = failing(clinic, capsys)
    assert "composition" in broken
    assert "history_days" in said


def test_the_key_is_asked_for_only_where_this_study_buys_and_is_never_shown(clinic, capsys, monkeypatch):
    text = clinic.text("params.yaml")
    assert "is not set, not needed" in lines(clinic, capsys)[1]

    monkeypatch.setenv("NIXTLA_API_KEY", KEY)
    said = lines(clinic, capsys)[1]
    assert "is set, not needed" in said
    assert KEY not in said
    assert text == clinic.text("params.yaml")


@pytest.mark.parametrize("how", ["applied", "edited"])
def test_an_online_study_without_a_key_fails_its_check(clinic, capsys, monkeypatch, how):
    if how == "applied":
        clinic.apply_experiment("forecaster=timegpt", "api=online")
    else:
        clinic.edit("conf/config.yaml", "- forecaster: seasonal", "- forecaster: timegpt")
        clinic.edit("conf/config.yaml", "- api: offline", "- api: online")
    broken, said = failing(clinic, capsys)
    assert broken == {"key"}
    assert "api.mode is online" in said

    monkeypatch.setenv("NIXTLA_API_KEY", KEY)
    broken, said = failing(clinic, capsys)
    assert broken == set()
    assert KEY not in said


def test_an_answer_that_is_not_what_its_name_promises_fails_the_store(clinic, capsys):
    answer = clinic.path / ".dvc/cache/forecasts/ab" / ("0" * 30 + ".json")
    answer.parent.mkdir(parents=True)
    answer.write_text("{}")
    broken, said = failing(clinic, capsys)
    assert broken == {"store"}
    assert "1 of 1 answers are damaged" in said


def test_what_was_changed_after_the_run_fails_and_what_is_only_of_other_params_is_reported(clinic, capsys):
    clinic.write_json("artifacts/evaluate/gates.json", {"verdict": "PASS"})
    record_run(clinic.path, {"rules": clinic.params()["rules"]})
    assert "1 outputs as dvc.lock lists them" in lines(clinic, capsys)[1]

    clinic.apply_experiment("rules.s_stop=1.5")
    broken, said = failing(clinic, capsys)
    assert broken == set(), "a run can begin"
    assert "rules.s_stop = 1.5 (artifacts: 1.0): `make run`" in said

    (clinic.path / "artifacts/evaluate/gates.json").write_text('{"verdict": "FAIL"}')
    broken, said = failing(clinic, capsys)
    assert broken == {"evidence"}
    assert "artifacts/evaluate/gates.json" in said


def test_a_lock_of_dvc_that_a_kill_left_torn_is_named_with_its_remedy(clinic, capsys):
    (clinic.path / ".dvc/tmp").mkdir()
    (clinic.path / ".dvc/tmp/rwlock").touch()
    broken, said = failing(clinic, capsys)
    assert broken == {"state"}
    assert f"`rm {clinic.path}/.dvc/tmp/rwlock`" in said


def test_a_folder_of_dvc_that_every_user_may_write_fails_its_check(clinic, capsys, monkeypatch):
    (clinic.path / "open").mkdir(mode=0o777)
    (clinic.path / "open").chmod(0o777)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(clinic.path / "open"))
    broken, said = failing(clinic, capsys)
    assert broken == {"state"}
    assert f"`chmod 700 {clinic.path}/open`" in said


@pytest.mark.parametrize("made", [True, False])
def test_an_empty_lock_fails_with_the_way_back(clinic, capsys, made):
    if made:
        clinic.write_json("artifacts/evaluate/gates.json", {})
    (clinic.path / "dvc.lock").write_text("")
    broken, said = failing(clinic, capsys)
    assert broken == {"evidence"}
    assert "`git checkout HEAD -- dvc.lock`" in said


def test_a_store_that_stayed_behind_is_reported(clinic, capsys):
    begun_store()
    store = clinic.path / ".dvc/cache/forecasts"
    store.rename(clinic.path / "elsewhere")
    broken, said = failing(clinic, capsys)
    assert {"store", "ledger"} <= broken
    assert f"are no longer in {store};" in said


def test_rescued_answers_are_reported(clinic, capsys):
    LocalStore(clinic.path / ".dvc/cache/forecasts").create("rescued/some.jsonl", b"{}")
    broken, said = failing(clinic, capsys)
    assert broken == set()
    assert "rescued/some.jsonl: `make verify` moves them into the store" in said


def test_another_dvc_than_the_pinned_one_is_reported(clinic, capsys):
    pins = (clinic.path / "requirements.txt").read_text()
    (clinic.path / "requirements.txt").write_text(pins.replace("dvc==", "dvc==9"))
    assert failing(clinic, capsys)[0] == {"dvc"}


def test_a_remote_that_is_not_mounted_is_reported(clinic, capsys):
    team_remote(clinic, clinic.path / "gone/away/dvc")
    assert failing(clinic, capsys)[0] == {"remote"}


def test_a_bucket_address_without_a_server_is_reported(clinic, capsys):
    team_remote(clinic, f"gs://{BUCKET}/dvc", f"endpointurl = http://127.0.0.1:{free_port()}")
    broken, said = failing(clinic, capsys)
    assert broken == {"remote"}
    assert "nothing answers" in said


@pytest.mark.parametrize(("bucket", "broken"), [(BUCKET, set()), ("nobodys", {"remote"})])
def test_a_bucket_must_be_there_and_may_be_empty(clinic, capsys, tmp_path, bucket, broken):
    with gcs_server(tmp_path / "log") as address:
        team_remote(clinic, f"gs://{bucket}/dvc", f"endpointurl = {address}", "allow_anonymous_login = true")
        found, said = failing(clinic, capsys)
    assert found == broken
    assert bucket in said


@pytest.mark.parametrize("refusing", [ReadOnly], indirect=True)
def test_a_bucket_that_may_only_be_read_is_enough_for_a_colleague_and_fails_whoever_buys(
    clinic, capsys, monkeypatch, refusing
):
    told = f"team at gs://{BUCKET}/dvc may be read but not written to, "
    team_remote(clinic, f"gs://{BUCKET}/dvc", f"endpointurl = {refusing}", "allow_anonymous_login = true")
    broken, said = failing(clinic, capsys)
    assert (broken, f"{told}which is enough for this study" in said) == (set(), True)

    monkeypatch.setenv("NIXTLA_API_KEY", KEY)
    clinic.apply_experiment("forecaster=timegpt", "api=online")
    broken, said = failing(clinic, capsys)
    assert (broken, f"{told}so it takes no answer and no `dvc push`" in said) == ({"remote"}, True)
    assert "x@y.z does not have storage.objects.create access" in said

    clinic.edit("params.yaml", "share: true", "share: false")
    assert failing(clinic, capsys)[0] == set()


def test_a_folder_that_may_only_be_read_fails_too(clinic, capsys, monkeypatch):
    (clinic.path / "team").mkdir()
    team_remote(clinic, clinic.path / "team/dvc")
    monkeypatch.setenv("NIXTLA_API_KEY", KEY)
    clinic.apply_experiment("forecaster=timegpt", "api=online")
    assert failing(clinic, capsys)[0] == set()
    monkeypatch.setattr("os.access", lambda folder, _: folder != clinic.path / "team")
    broken, said = failing(clinic, capsys)
    assert broken == {"remote"}
    assert "may be read but not written to" in said
    assert not any((clinic.path / "team").iterdir()), "it only asks"
