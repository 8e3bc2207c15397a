"""The SDK on its short lead: nothing leaves without a reservation, exogenous columns travel whole."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nixtla import NixtlaClient

from stages.errors import DataContractError
from stages.forecasting.backend import Asked
from stages.paid.client import RequestFailed
from stages.paid.reservations import Reservation
from stages.paid.timegpt import TimeGPT
from stages.params.forecaster import ForecasterParams
from tests.support.contexts import FORECASTER, ContextFactory, asked
from tests.support.timegpt_server import KEY, KEY_AS_WRITTEN, NEVER_SEEN, TimeGPTServer


def reservation() -> Reservation:
    return Reservation("2026-11-22", "0000-0")


@pytest.fixture
def service(server: TimeGPTServer) -> TimeGPT:
    return TimeGPT(ForecasterParams(**{**FORECASTER, "base_url": server.url}), timeout_sec=5)


def with_columns(one: Asked, hist: dict[str, Any], futr: dict[str, Any]) -> Asked:
    """The question with exogenous columns: history of all, future of the known-ahead ones."""
    window = one.window()
    history = np.column_stack([*hist.values(), *(values[: window.rows] for values in futr.values())])
    future = np.column_stack([values[window.rows :] for values in futr.values()]) if futr else np.zeros((20, 0))
    names = {"hist_exog": tuple(hist), "futr_exog": tuple(futr), "features_sha256": "x"}
    return Asked(replace(one.question, **names), lambda: replace(window, hist_exog=history, futr_exog=future))


def test_a_reservation_sends_one_request(service: TimeGPT, server: TimeGPTServer):
    used = reservation()
    service.forecast([asked()], used)
    with pytest.raises(RequestFailed, match="a second request tried to leave on reservation"):
        service.forecast([asked()], used)
    assert server.sent == 1


@pytest.mark.parametrize(("timeout_sec", "connect_sec"), [(30.0, 10.0), (0.5, 0.5)])
def test_a_connection_is_waited_for_ten_seconds_at_most(
    server: TimeGPTServer, timeout_sec: float, connect_sec: float
) -> None:
    service = TimeGPT(ForecasterParams(**{**FORECASTER, "base_url": server.url}), timeout_sec)
    with service._client._make_client() as client:
        assert (client.timeout.connect, client.timeout.read) == (connect_sec, timeout_sec)


def test_without_a_reservation_nothing_leaves(service: TimeGPT, server: TimeGPTServer):
    with pytest.raises(RuntimeError, match="without a reservation"):
        service._client.usage()
    assert server.sent == 0


def test_the_sdks_own_retries_find_no_reservation(service: TimeGPT, server: TimeGPTServer):
    """We ask for one attempt; if the SDK made more all the same, the hook would stop the second."""
    service._client._retry_strategy = NixtlaClient(api_key="x", retry_interval=0)._retry_strategy  # six attempts
    server.always("503")
    with pytest.raises(RequestFailed, match="a second request tried to leave on reservation"):
        service.forecast([asked()], reservation())
    assert server.sent == 1


def test_metadata_that_params_lack_cannot_be_fetched_on_the_forecasts_reservation(server: TimeGPTServer):
    """The SDK would ask for the model's facts by itself; the forecast behind it then finds its reservation used."""
    unknown = {**FORECASTER, "base_url": server.url, "input_size": None, "model_horizon": None}
    with pytest.raises(RequestFailed, match="a second request tried to leave"):
        TimeGPT(ForecasterParams(**unknown), 5).forecast([asked()], reservation())
    assert server.requests == {"model_params": 1}


def test_the_facts_of_the_model_cost_one_request(service: TimeGPT, server: TimeGPTServer):
    facts = service.model_facts("timegpt-2.1", reservation())
    assert (facts.input_size, facts.horizon) == (500, 20)
    assert server.requests == {"model_params": 1}


def test_exogenous_columns_travel_in_order_with_their_futures(service: TimeGPT, server: TimeGPTServer):
    rows = asked().window().rows
    hist, futr = np.arange(rows) / 7.0, np.arange(rows + 20) / 3.0
    service.forecast([with_columns(asked(), {"volume": hist}, {"minute": futr})], reservation())
    series = server.bodies[0]["series"]
    np.testing.assert_allclose(series["X"], [futr[:rows], hist], rtol=1e-6)
    np.testing.assert_allclose(series["X_future"], [futr[rows:]], rtol=1e-6)


def test_two_symbols_keep_their_own_columns(service: TimeGPT, server: TimeGPTServer):
    rows = asked().window().rows
    pair = [with_columns(asked(name), {"volume": np.full(rows, value)}, {}) for name, value in (("BBB", 1), ("AAA", 2))]
    service.forecast(pair, reservation())
    assert server.bodies[0]["series"]["X"][0] == [1.0] * rows + [2.0] * rows


@pytest.mark.parametrize(("clock", "told"), [("artificial", True), ("none", False)])
@pytest.mark.parametrize("series", [1, 120], ids=["small", "compressed"])
def test_the_start_of_the_artificial_clock_leaves_only_where_the_question_says_so(
    clock: str, told: bool, series: int, service: TimeGPT, server: TimeGPTServer
):
    service.forecast([asked(f"S{number}", rows=1520, clock=clock) for number in range(series)], reservation())
    (body,) = server.bodies
    assert ("start_datetime" in body["series"]) == told
    assert body["freq"] == "min"
    if told:  # 1520 rows, of which the last is stamped with the snapshot
        assert set(body["series"]["start_datetime"]) == {"2024-09-02T13:11"}


def test_answers_are_the_same_rows_and_steps_under_either_clock(service: TimeGPT, server: TimeGPTServer):
    one, other = (service.forecast([asked(clock=clock)], reservation()) for clock in ("artificial", "none"))
    np.testing.assert_array_equal(one.values_bp, other.values_bp)
    assert server.bodies[0]["series"]["y"] == server.bodies[1]["series"]["y"]


def test_a_clock_that_the_sdk_adds_is_not_sent(
    service: TimeGPT, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch
):
    """As a later version of the SDK could, if it encoded its requests by another method than today's."""
    monkeypatch.setattr(type(service._client), "_encode_payload", NixtlaClient._encode_payload)
    with pytest.raises(RequestFailed, match=r"start_datetime is in the request, against requests.clock"):
        service.forecast([asked(clock="none")], reservation())
    assert server.sent == 0


def test_options_of_the_sdk_travel_as_the_question_names_them(service: TimeGPT, server: TimeGPTServer):
    options = {"finetune_steps": 7, "finetune_depth": 3, "finetune_loss": "mae", "multivariate": True}
    service.forecast([asked(options=options | {"finetuned_model_id": "mine", "clean_ex_first": False})], reservation())
    sent = server.bodies[0]
    assert {name: sent[name] for name in options} == options
    assert (sent["finetuned_model_id"], sent["clean_ex_first"]) == ("mine", False)


def test_the_key_is_masked_in_a_sound_reply(service: TimeGPT, server: TimeGPTServer):
    """What a service says of models and usage is printed."""
    server.models = [{"name": f"model of {form}"} for form in KEY_AS_WRITTEN.values()]
    server.usage = {"month": {f"of {KEY}": list(KEY_AS_WRITTEN.values()), "limit": {"of": KEY, "consumed": 5}}}
    told = service.models(reservation()), service.usage(reservation())
    assert not [form for form in NEVER_SEEN if form in json.dumps(told) + repr(told) + str(told[0])]
    assert told[1]["month"]["limit"] == {"of": "***", "consumed": 5}
    assert "model of ***" in told[0]


def test_the_models_of_a_key_cost_one_request(service: TimeGPT, server: TimeGPTServer):
    assert service.models(reservation()) == ["timegpt-1", "timegpt-2.1"]
    assert server.requests == {"models": 1}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("row", "where"), [(3, "hist_exog"), (-3, "futr_exog")])
def test_values_that_json_would_change_are_not_sent(
    bad: float, row: int, where: str, contexts: ContextFactory, server: TimeGPTServer
):
    column = np.zeros(asked().window().rows + 20)
    column[row] = bad
    with pytest.raises(
        DataContractError,
        match=f"{where} of AAA at 2024-09-03 14:30Z holds NaN or infinity .minute, (3|1097|18) minutes",
    ):
        contexts.backend().answer([with_columns(asked(), {}, {"minute": column})])
    assert server.sent == 0


def test_a_request_above_a_megabyte_is_compressed_and_understood(service: TimeGPT, server: TimeGPTServer):
    long = [asked(f"S{number}", rows=1520) for number in range(120)]
    bought = service.forecast(long, reservation())
    assert bought.values_bp.shape == (120, 5, 20)
    assert server.bodies[0]["series"]["sizes"] == [1520] * 120
    assert bought.tokens == {"input_tokens": 120 * 1520, "output_tokens": 120 * 7 * 20, "finetune_tokens": 0}
