"""Experiments share one purse: real dvc, the real SDK, the stand-in service, a clone that buys a five-session slice.

Every journey counts what the service billed.
"""

from collections.abc import Iterator

import pytest

from tests.outside.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer
from tests.pipeline.clone import Clone, clone_working_tree

pytestmark = [pytest.mark.torture, pytest.mark.pipeline, pytest.mark.xdist_group("experiments")]

SNAPSHOTS = 18


class Shopper:
    """A clone whose standing choice is the slice, asked of the stand-in."""

    def __init__(self, clone: Clone, server: TimeGPTServer) -> None:
        self.clone, self.server = clone, server

    def dvc(self, command: str, code: int | None = 0) -> str:
        """Output of a dvc command, run as a user with a key would."""
        return self.clone.sh(f"dvc --wait-for-lock {command}", code=code, NIXTLA_API_KEY=KEY)

    def experiment(self, options: str, code: int | None = 0) -> int:
        """Run an experiment up to `forecast`; how many requests it was billed."""
        facts = {"base_url": self.server.url, "min_rows": 100}
        facts |= {"input_size": INPUT_SIZE, "model_horizon": MODEL_HORIZON}
        chosen = ["preset=smoke", "forecaster=timegpt", "api=online", "api.cooldown_sec=0"]
        chosen += [f"forecaster.{name}={value}" for name, value in facts.items()]
        before = self.server.billed
        self.dvc("exp run " + " ".join(f"-S {choice}" for choice in chosen) + f" {options} forecast", code)
        return self.server.billed - before

    def paid_again(self, options: str = "") -> int:
        """How many requests `dvc repro` of the forecast is billed."""
        before = self.server.billed
        self.dvc(f"repro {options} forecast")
        return self.server.billed - before


@pytest.fixture(scope="module")
def shopper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shopper]:
    clone = clone_working_tree(tmp_path_factory.mktemp("shopper") / "repository")
    with TimeGPTServer() as server:
        shopper = Shopper(clone, server)
        assert shopper.experiment("-n first") == SNAPSHOTS
        yield shopper


def test_running_again_pays_nothing(shopper: Shopper):
    assert shopper.paid_again("-f") == 0


def test_an_edited_docstring_pays_nothing(shopper: Shopper):
    path = shopper.clone.path / "stages" / "forecast.py"
    text = path.read_text()
    path.write_text(text.replace('"""Stage `forecast`:', '"""Stage forecast:'))
    assert shopper.paid_again() == 0
    path.write_text(text)


def test_a_changed_command_pays_nothing(shopper: Shopper):
    path = shopper.clone.path / "dvc.yaml"
    text = path.read_text()
    path.write_text(text.replace("cmd: python -m stages.forecast\n", "cmd: python -u -m stages.forecast\n"))
    assert shopper.paid_again() == 0
    path.write_text(text)


def test_garbage_collection_spares_the_answers(shopper: Shopper):
    shopper.dvc("gc -w -f")
    assert shopper.paid_again("-f") == 0


def test_another_name_elsewhere_and_one_symbol_fewer_pay_nothing(shopper: Shopper):
    assert (
        shopper.experiment("--temp -n fewer -S 'universe.symbols=[STRONG,WEAK]' -S 'universe.whitelist=[STRONG,WEAK]'")
        == 0
    )


def test_a_crash_elsewhere_is_gone_on_from_here(shopper: Shopper):
    """The slice asks at 11:00 too; two requests are answered, then the key is refused; a later run pays the rest."""
    new = "-S \"requests.snapshots_et=['11:00']\""
    shopper.server.next("ok", "ok", "401")
    assert shopper.experiment(f"--temp -n crash {new}", code=None) == 2
    assert shopper.experiment(f"-f -n resumed {new}") in {2, 3}
    assert max(shopper.server.series_billed.values()) == 1


def test_queued_experiments_that_share_questions_pay_each_once(shopper: Shopper):
    names, before = {"a": "12:00", "b": "12:00", "c": "12:30", "d": "09:45"}, shopper.server.series_billed.total()
    for name, time in names.items():
        shopper.experiment(f"--queue -n queued-{name} -S \"requests.snapshots_et=['{time}']\"")
    shopper.dvc("queue start -j 2")
    for name in names:
        shopper.dvc(f"queue logs -f queued-{name}", code=None)
    assert "Failed" not in shopper.dvc("queue status")
    paid, most = shopper.server.series_billed.total() - before, max(shopper.server.series_billed.values())
    print(f"\nqueue: experiments=4 series_paid={paid} most_payments_of_one={most}")
    assert most == 1
    assert paid > 0


def test_a_second_clone_with_the_shared_remote_pays_nothing_but_its_own_news(
    shopper: Shopper, tmp_path_factory: pytest.TempPathFactory
):
    shared = tmp_path_factory.mktemp("team") / "remote"
    other = Shopper(clone_working_tree(tmp_path_factory.mktemp("other") / "repository"), shopper.server)
    for one in (shopper, other):
        one.dvc(f"remote add -d team {shared}")
        one.clone.sh("git commit -q -m 'A shared remote' .dvc/config")
    assert shopper.experiment("-f -n shares") == 0
    assert other.experiment("-n reads") == 0
    assert other.experiment("-n news -S \"requests.snapshots_et=['10:30','11:45']\"") in {4, 5}
    assert max(shopper.server.series_billed.values()) == 1
