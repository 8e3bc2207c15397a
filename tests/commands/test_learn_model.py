"""The model's own numbers come into conf/ by a command, for one request; so do the names of the models."""

from collections.abc import Iterator

import pytest
import yaml

from stages.errors import ConfigurationError
from tests.support.timegpt_server import KEY, TimeGPTServer

CHOICE = "conf/forecaster/timegpt.yaml"


@pytest.fixture
def service(project, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimeGPTServer]:
    """The stand-in service, which `forecaster=timegpt` of the project names."""
    monkeypatch.setenv("NIXTLA_API_KEY", KEY)
    with TimeGPTServer() as server:
        project.edit(CHOICE, "https://api.nixtla.io", server.url)
        project.edit("conf/api/offline.yaml", "cooldown_sec: 1.0", "cooldown_sec: 0.0")
        project.commit()
        yield server


def facts(text):
    document = yaml.safe_load(text)
    return document["input_size"], document["model_horizon"]


def test_facts_for_an_inactive_choice_go_into_its_file_once(project, service):
    before = project.text("params.yaml")
    told = project.run("learn-model", "api=online")
    assert "timegpt-2.1 has forecaster.input_size: 500, forecaster.model_horizon: 20" in told
    assert facts(project.text(CHOICE)) == (500, 20)
    assert "make learn-model" in project.text(CHOICE), "comments stay"
    assert project.text("params.yaml") == before
    assert "conf/ already says forecaster.input_size: 500" in project.run("learn-model"), (
        "what is known needs no request"
    )
    assert service.requests == {"model_params": 1}


def test_facts_for_the_active_choice_go_into_params_too(project, service):
    project.edit("conf/config.yaml", "forecaster: seasonal", "forecaster: timegpt")
    project.edit("conf/config.yaml", "api: offline", "api: online")
    project.run("learn-model")
    assert facts(project.text(CHOICE)) == (500, 20)
    assert (project.params()["forecaster"]["input_size"], project.params()["forecaster"]["model_horizon"]) == (500, 20)


def test_nothing_is_asked_offline_nor_of_a_model_that_conf_does_not_name(project, service):
    with pytest.raises(ConfigurationError, match=r"'forecaster.model=timegpt-1'.* is not an override of section api"):
        project.run("learn-model", "api=online", "forecaster.model=timegpt-1")
    for command in ("learn-model", "models"):
        with pytest.raises(ConfigurationError, match=r"api.mode is offline"):
            project.run(command)
    assert service.sent == 0


def test_the_models_of_the_key_are_listed_for_one_counted_request(project, service):
    told = project.run("models", "api=online", "forecaster.model=timegpt-3")
    assert told.splitlines()[1:] == [
        "  timegpt-1",
        "  timegpt-2.1",
        "  forecaster.model timegpt-3 is not among them: name one in conf/forecaster.",
    ]
    assert service.requests == {"models": 1}
    assert len(list((project.path / ".dvc/cache/forecasts/budget/days").glob("*/*.answered"))) == 1
