"""The demonstration of the paid path is true: the whole pipeline, the real SDK, the stand-in service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paid.demo_online import KNOWN, Step, clone_to, compose_in, demonstrate, python_in, slice_of
from tests.support.locks import record_run
from tests.support.timegpt_server import KEY, TimeGPTServer
from tests.unpacked import unpacked

# a process a step; what the steps do is tested one by one: test_buying, test_pricing, test_answers, test_packing
pytestmark = [pytest.mark.pipeline, pytest.mark.journey, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Step], TimeGPTServer, Path]]:
    folder = tmp_path_factory.mktemp("demo") / "repository"
    clone_to(folder)
    with TimeGPTServer() as server:
        yield list(demonstrate(folder, server)), server, folder


def test_every_step_ends_as_told(story):
    steps, _, _ = story
    codes = [step.exit_code for step in steps]
    assert codes[:4] == [0, 4, 5, 4], [step.output for step in steps]
    assert codes[-3:] == [0, 0, 0]
    assert set(codes[4:-3]) == {4}


def test_the_price_was_right_and_a_proof_that_licenses_packing_costs_one_request_more(story):
    """`make plan` counted one request a snapshot and one for the model's facts; so many arrived."""
    steps, server, folder = story
    priced = next(line.split()[1] for line in steps[0].output.splitlines() if line.strip().startswith("requests  "))
    assert server.sent == int(priced)
    assert max(server.series_billed.values()) == 1

    compose_in(folder, [*slice_of(server), *KNOWN, "api.mode=online", "api.cooldown_sec=0"])
    record_run(folder)  # the steps run stages by themselves; a command asks the lock whose artifacts it reads
    proof = python_in(folder, "-m", "stages", "prove-independence")
    assert "prove-independence: model=timegpt-2.1" in proof.stdout, proof.stderr
    assert server.sent == int(priced) + 1, "the first question was answered already; its company was not"


def test_a_canary_compares_one_stored_answer_and_the_vendors_count_is_set_beside_ours(story):
    """One request each; a model that answers otherwise under its old name proposes a new epoch."""
    _, server, folder = story
    compose_in(folder, [*slice_of(server), *KNOWN, "api.mode=online", "api.cooldown_sec=0"])
    record_run(folder)
    before, ends = server.sent, []
    for behaviour in (None, "dependent"):
        server.always(behaviour)
        done = python_in(folder, "-m", "stages", "canary")
        ends.append((done.returncode, "A canary costs 1 request, at most" in done.stderr))
    server.always(None)
    assert ends == [(0, True), (3, True)]
    assert "the model changed under its name" in done.stderr
    assert "forecaster.model_epoch=" in done.stderr
    server.usage = {"month": {"consumed": before, "limit": 1000}, "minute": {"consumed": 0, "limit": 60}}
    done = python_in(folder, "-m", "stages", "spend", "--usage", "1")
    told = f"the vendor counts {before} of 1000 requests this month, the ledger {before + 3}"
    assert told in done.stdout, done.stdout + done.stderr
    assert "3 more here" in done.stdout
    assert server.sent == before + 3


def test_the_offline_replay_opens_no_socket(story):
    _, server, folder = story
    before = server.sent
    done = python_in(folder, "-m", "tests.support.sockets", "stages.forecast")
    assert done.returncode == 0, done.stderr
    assert server.sent == before


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        (["requests.horizons_min=[5,10]"], 0, "`requests.asked_horizon_min: 20` uses them"),
        (["requests.horizons_min=[5,10]", "requests.asked_horizon_min=20"], 0, "to buy                   0"),
        (["requests.clock=artificial"], 5, "Set `requests.clock: none` to use them"),
    ],
)
def test_the_plan_names_params_under_which_what_was_bought_fits(story, changes, code, told):
    _, server, folder = story
    done = python_in(
        folder, "-m", "stages", "plan", *slice_of(server), *KNOWN, "sweep.grid.horizon_min=[5,10]", *changes
    )
    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_no_step_shows_a_traceback_or_the_key(story):
    steps, _, folder = story
    told = "".join(step.output for step in steps)
    assert "Traceback" not in told
    assert KEY not in told
    written = [path for name in (".dvc", ".git", "artifacts", "conf") for path in (folder / name).rglob("*")]
    assert not [path for path in written if path.is_file() and KEY.encode() in unpacked(path)]
