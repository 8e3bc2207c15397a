"""The section `forecaster`: honest names, and what of it belongs into a question."""

import pytest
from pydantic import ValidationError

from stages.errors import ConfigurationError
from tests.forecasting.windows import forecaster_params

TIMEGPT = {"name": "timegpt", "model": "timegpt-2.1", "base_url": "https://api.nixtla.io"}


@pytest.mark.parametrize(
    ("base_url", "deployment"),
    [
        ("https://api.nixtla.io", "https://api.nixtla.io"),
        ("https://API.nixtla.io/", "https://api.nixtla.io"),
        ("https://user:secret@proxy.example:8443/nixtla/#x", "https://proxy.example:8443/nixtla"),
    ],
)
def test_a_deployment_is_an_address_without_secrets(base_url, deployment):
    assert forecaster_params(**TIMEGPT | {"base_url": base_url}).model_spec.deployment == deployment


def test_a_local_question_holds_the_params_that_change_its_answer_and_a_bought_one_the_sdk_options():
    local = forecaster_params(name="ewma_fhs", model="ewma_fhs", fhs_paths=500).model_spec
    assert (local.deployment, local.options["fhs_paths"]) == ("local", 500)
    assert forecaster_params(**TIMEGPT).model_spec.options == {
        "clean_ex_first": True,
        "finetune_steps": 0,
        "multivariate": False,
    }


@pytest.mark.parametrize(
    "option",
    [
        {"finetune_steps": 5},
        {"finetune_depth": 2},
        {"finetune_loss": "mse"},
        {"finetuned_model_id": "mine-1"},
        {"multivariate": True},
        {"clean_ex_first": False},
    ],
)
def test_an_option_of_the_sdk_enters_the_question_when_it_differs_and_no_local_one(option):
    plain = forecaster_params(**TIMEGPT).model_spec.options
    assert forecaster_params(**TIMEGPT, **option).model_spec.options == plain | option
    with pytest.raises(ValidationError, match="has no SDK options"):
        forecaster_params(**option)


def test_a_finetuned_answer_sends_every_row():
    """nixtla 0.9.0 restricts the input only where `finetune_steps == 0`."""
    who = forecaster_params(**TIMEGPT, input_size=500, model_horizon=12, finetune_steps=5).model_spec
    assert who.row_limit(20, exogenous=False) is None


@pytest.mark.parametrize("changes", [{"model": "timegpt-2.1"}, {"base_url": "https://api.nixtla.io"}])
def test_a_local_forecast_cannot_be_called_timegpt(changes):
    with pytest.raises(ValidationError, match="answers locally"):
        forecaster_params(**changes)


@pytest.mark.parametrize(
    "base_url",
    [
        None,
        "",
        "api.nixtla.io",
        "//api.nixtla.io",
        "htps://api.nixtla.io",
        " https://api.nixtla.io",
        "https://api.nixtla.io ",
        "https://api.nixtla.io:abc",
        "https://api.nixtla.io:99999",
        "https://api..nixtla.io",
        "https://[::1",
        "https://proxy.example/nixtla?token=abc",
    ],
)
def test_a_bought_forecast_needs_an_address(base_url):
    with pytest.raises(ValidationError, match="must be the address of the service"):
        forecaster_params(**TIMEGPT | {"base_url": base_url})


@pytest.mark.parametrize("model", [" timegpt-2.1", "timegpt-2.1 ", "timegpt-2.1\n", "tïmegpt"])
def test_a_bought_model_has_a_name_that_can_be_sent(model):
    with pytest.raises(ValidationError, match="cannot be sent"):
        forecaster_params(**TIMEGPT | {"model": model})


@pytest.mark.parametrize("model", ["persistence", "har", "free:free_mix"])
def test_a_bought_model_has_no_name_of_a_free_forecast(model):
    """Its answers would be bought, and then stand in the same rows."""
    with pytest.raises(ValidationError, match="is the name of a free forecast"):
        forecaster_params(**TIMEGPT | {"model": model})


def test_rows_are_cut_as_the_sdk_would_cut_them():
    """nixtla 0.9.0: 3 * input_size + max(model horizon, h), unless there is an exogenous column."""
    who = forecaster_params(**TIMEGPT, input_size=500, model_horizon=12).model_spec
    assert who.row_limit(20, exogenous=False) == 1520
    assert who.row_limit(10, exogenous=False) == 1512
    assert who.row_limit(20, exogenous=True) is None
    assert forecaster_params(**TIMEGPT).model_spec.row_limit(20, exogenous=False) is None


@pytest.mark.parametrize(
    "host", ["nixtla.eastus2.models.ai.azure.com", "nixtla.services.ai.azure.com", "gate.azure.com"]
)
def test_an_azure_address_needs_the_models_numbers_by_hand(host):
    azure = TIMEGPT | {"base_url": f"https://{host}", "model": "azureai"}
    with pytest.raises(ValidationError, match=r"set forecaster.input_size and forecaster.model_horizon yourself"):
        forecaster_params(**azure)
    assert forecaster_params(**azure, input_size=500, model_horizon=20).model == "azureai"


def test_where_the_sdk_asks_for_azures_model_no_other_may_be_named():
    """nixtla 0.9.0 replaces the name at any address that holds `ai.azure`."""
    azure = TIMEGPT | {"base_url": "https://x.models.ai.azure.com", "input_size": 500, "model_horizon": 20}
    with pytest.raises(ValidationError, match=r"set forecaster\.model to 'azureai', not 'timegpt-2\.1'"):
        forecaster_params(**azure)


PROGRAM = {
    "name": "command",
    "model": "chronos-2",
    "command": ["python", "a b.py"],
    "files": ["a b.py"],
    "files_sha256": "0" * 64,
}


def test_a_program_is_part_of_its_questions_by_its_words_and_the_contents_of_its_files():
    who = forecaster_params(**PROGRAM).model_spec
    assert (who.model, who.deployment, who.remote) == ("chronos-2", "command", False)
    assert who.options == {"command": "python 'a b.py'", "files_sha256": "0" * 64}
    assert not forecaster_params(**PROGRAM).is_paid


def test_a_program_without_an_identity_can_be_asked_nothing():
    with pytest.raises(
        ConfigurationError, match=r"files_sha256 is null, so nothing says which chronos-2 answers: `make"
    ):
        assert forecaster_params(**PROGRAM | {"files_sha256": None}).model_spec


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"command": []}, r"needs forecaster\.command, the words that start the program, and forecaster\.files"),
        ({"files": []}, r"needs forecaster\.command"),
        ({"base_url": "https://api.nixtla.io"}, r"sends nothing to forecaster\.base_url"),
        ({"model": "persistence"}, "'persistence' cannot name a program of yours"),
        ({"model": "TimeGPT-2.1"}, "nor one that begins like a bought one"),
        ({"model": "free:mine"}, "use letters, digits"),
        ({"files": ["/data/weights"]}, r"must be paths within the project; link to what lies elsewhere"),
        ({"files": ["../weights"]}, r"must be paths within the project"),
        ({"finetune_steps": 5}, "has no SDK options"),
        ({"files_sha256": "ABC"}, "should match pattern"),
    ],
)
def test_a_program_is_stated_whole_and_under_a_name_of_its_own(changes, told):
    with pytest.raises(ValidationError, match=told):
        forecaster_params(**PROGRAM | changes)


@pytest.mark.parametrize("key", ["command", "files", "files_sha256"])
def test_a_program_beside_another_forecaster_is_stated_whole(key):
    for other in ({}, TIMEGPT):
        with pytest.raises(ValidationError, match=r"without one, both are \[\] and forecaster\.files_sha256 is null"):
            forecaster_params(**other, **{key: PROGRAM[key]})


def test_a_program_beside_another_forecaster_changes_none_of_its_questions():
    stated = {name: PROGRAM[name] for name in ("command", "files", "files_sha256")}
    beside = forecaster_params(**TIMEGPT | stated)
    assert beside.model_spec == forecaster_params(**TIMEGPT).model_spec

    free = beside.free_spec
    assert (free.model, free.model_epoch, free.deployment) == ("command", "0" * 64, "command")
    assert free.options == forecaster_params(**PROGRAM).model_spec.options
    assert not free.remote
