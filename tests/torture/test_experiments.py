"""Experiments share one purse: real dvc, the real SDK, the stand-in service, a clone that buys a five-session slice.

Every journey counts what the service billed.
"""

import hashlib
import os
import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.pipeline.clone import clone_working_tree
from tests.support.crowd import tell, until
from tests.support.gcs_server import BUCKET, gcs_server
from tests.support.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer
from tests.unpacked import unpacked

pytestmark = [pytest.mark.torture, pytest.mark.pipeline, pytest.mark.xdist_group("experiments")]

SNAPSHOTS = 18
AS_MAKE_DOES = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false", "NO_GCE_CHECK": "true"}  # else a bucket costs a minute
BUCKET_REMOTE = f"""    url = gs://{BUCKET}/dvc
    endpointurl = {{url}}
    allow_anonymous_login = true
    projectname = test
"""
PRESET = """# @package _global_
defaults:
  - smoke
  - override /forecaster: timegpt
  - override /api: online
forecaster: {{base_url: "{url}", min_rows: 100, input_size: {input_size}, model_horizon: {horizon}}}
api: {{cooldown_sec: 0, per_day: 1000, per_run: 1000}}
report: {{study: buyer}}
"""


class Buyer:
    """A clone whose standing choice is the slice, asked of the stand-in."""

    def __init__(self, folder: Path, server: TimeGPTServer) -> None:
        self.clone, self.server = clone_working_tree(folder), server
        text = PRESET.format(url=server.url, input_size=INPUT_SIZE, horizon=MODEL_HORIZON)
        (self.clone.path / "conf/preset/buyer.yaml").write_text(text)
        self.clone.sh("python -m stages use buyer && git add -A && git commit -q -m 'The preset'")

    def dvc(self, command: str, code: int | None = 0) -> str:
        """Output of a dvc command, run as a user with a key would."""
        return self.clone.sh(f"dvc --wait-for-lock {command}", code=code, NIXTLA_API_KEY=KEY, **AS_MAKE_DOES)

    def paid(self, command: str, code: int | None = 0) -> int:
        """How many requests a dvc command was billed."""
        before = self.server.billed
        self.dvc(command, code)
        return self.server.billed - before

    def experiment(self, options: str, code: int | None = 0) -> int:
        """Run an experiment up to `forecast`; how many requests it was billed."""
        return self.paid(f"exp run {options} forecast", code)

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """One file changed for a while."""
        file = self.clone.path / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        yield
        file.write_text(text)

    @property
    def forecast_hashes(self) -> list[str]:
        """What dvc.lock records of the answers."""
        outs = yaml.safe_load(self.clone.text("dvc.lock"))["stages"]["forecast"]["outs"]
        return [out["md5"] for out in outs]


@pytest.fixture(scope="module")
def buyer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buyer]:
    with TimeGPTServer() as server:
        buyer = Buyer(tmp_path_factory.mktemp("buyer") / "repository", server)
        assert buyer.experiment("-n first") == SNAPSHOTS
        buyer.clone.sh("git add -A && git commit -q -m 'What was bought'")
        yield buyer


def test_going_offline_or_online_makes_nothing_stale(buyer: Buyer):
    with buyer.edited("params.yaml", "mode: online", "mode: offline"):
        assert "up to date" in buyer.dvc("status forecast")


def test_an_edited_docstring_and_a_changed_command_pay_nothing(buyer: Buyer):
    docstring = buyer.edited("stages/forecast.py", '"""Stage `forecast`:', '"""Stage forecast:')
    command = buyer.edited("dvc.yaml", "python -m stages.forecast\n", "python -u -m stages.forecast\n")
    with docstring, command:
        assert buyer.paid("repro forecast") == 0


def test_garbage_collection_and_running_again_by_force_pay_nothing(buyer: Buyer):
    buyer.dvc("gc -w -f")
    assert buyer.paid("repro -f -s forecast") == 0


def test_switched_branches_pay_nothing(buyer: Buyer):
    sh = buyer.clone.sh
    sh("git stash -q; git checkout -q -b elsewhere main~1 && dvc checkout -q", code=None)
    assert buyer.paid("repro forecast") == 0
    assert buyer.paid("repro -f -s forecast") == 0
    sh("git checkout -q -f main && dvc checkout -q", code=None)
    assert buyer.paid("repro forecast") == 0


def test_a_whole_experiment_with_another_rule_pays_nothing_and_holds_no_key(buyer: Buyer):
    """Searched: every file of the clone but this test's own source, packed git objects and the pages included."""
    assert buyer.paid("exp run -n wide -S rules.k_sigma=1.0") == 0
    buyer.clone.sh("python -m stages page && python -m stages spend && make plan")
    secrets = [KEY.encode(), *(hashlib.new(name, KEY.encode()).hexdigest().encode() for name in ("md5", "sha256"))]
    files = [path for path in buyer.clone.path.rglob("*") if path.is_file() and ".venv" not in path.parts]
    holding = {path for path in files for secret in secrets if secret in unpacked(path)}
    assert {path.name for path in holding} <= {"timegpt_server.py"}
    assert (buyer.clone.path / "artifacts/report/index.html") in files
    objects = "git rev-list --objects --all --not main | cut -d' ' -f1 | git cat-file --batch | grep -c -a -F -e {}"
    assert buyer.clone.sh(objects.format(shlex.quote(KEY)), code=1).strip() == "0"


def test_a_kill_elsewhere_is_gone_on_from_here(buyer: Buyer):
    """`exp run --temp` asks at 11:00 too and is killed at its third request; `dvc repro` pays the rest."""
    preset = "conf/preset/buyer.yaml"
    with buyer.edited(preset, "report:", "requests: {snapshots_et: ['11:00']}\nreport:"):
        buyer.clone.sh("python -m stages params")
        before, arrived = buyer.server.billed, []

        def kill_at_the_third() -> None:
            arrived.append(True)
            if len(arrived) == 3:
                os.kill(buyer_in(buyer.clone.path), signal.SIGKILL)

        buyer.server.on_arrival = kill_at_the_third
        buyer.dvc("exp run --temp -n crash forecast", code=255)
        buyer.server.on_arrival = lambda: None
        killed = buyer.server.billed - before
        rest = buyer.paid("repro forecast")
    tell("kill -9 in exp run --temp, then repro", paid_before=killed, paid_after=rest)
    assert killed == 3
    assert rest == buyer.server.billed - before - killed == sessions_asked(buyer) - 2
    buyer.clone.sh("git checkout -q -f . && dvc checkout -q", code=None)


def buyer_in(folder: Path) -> int:
    """The process of stage `forecast` that runs below a folder."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command, cwd = (process / "cmdline").read_bytes(), (process / "cwd").readlink()
            except OSError:
                continue
            if b"stages.forecast" in command and b"python" in command.split(b"\0")[0] and cwd.is_relative_to(folder):
                return int(process.name)
    raise AssertionError("no buyer runs")


def sessions_asked(buyer: Buyer) -> int:
    """How many sessions of the present schedule hold a question."""
    import polars as pl

    schedule = pl.read_parquet(buyer.clone.path / "artifacts/build_requests/schedule.parquet")
    return schedule.filter(pl.col("status") == "ok")["session"].n_unique()


def test_queued_experiments_that_share_questions_pay_each_once(buyer: Buyer):
    series = buyer.server.series_billed.copy()
    for name in "ab":
        buyer.experiment(f"--queue -n queued-{name} -S \"requests.snapshots_et=['12:00']\"")
    buyer.dvc("queue start -j 2 > /dev/null 2>&1")  # its workers would keep our pipe open until they are bored
    recorded = buyer.clone.path / ".git/refs/exps"
    until(lambda: {path.name for path in recorded.glob("*/*/queued-?")} == {"queued-a", "queued-b"}, seconds=300)
    bought = buyer.server.series_billed - series
    tell("queue", experiments=2, series_paid=bought.total(), most_payments_of_one=max(bought.values()))
    assert max(bought.values()) == 1
    assert bought.total() > 0


def test_two_clones_with_a_shared_remote(buyer: Buyer, tmp_path: Path):
    """What one bought the other has; a new session costs its own snapshots; racing for the same keys they pay once."""
    with gcs_server(tmp_path / "log") as url:
        other = Buyer(tmp_path / "other", buyer.server)
        remote = BUCKET_REMOTE.format(url=url)
        for one in (buyer, other):
            config = f"[core]\n    remote = team\n['remote \"team\"']\n{remote}"
            (one.clone.path / ".dvc/config.local").write_text(config)
        assert buyer.paid("repro -f -s forecast") == 0
        buyer.clone.sh("python -m stages new-store", **AS_MAKE_DOES)  # the last remote had a ledger too

        ahead = "-S universe.last_session=2024-12-04"
        assert other.experiment(f"-n news {ahead}") == 4
        buyer.dvc("gc -w -c -f")
        assert buyer.experiment(f"-n news {ahead}") == 0
        assert other.forecast_hashes == buyer.forecast_hashes  # two stores of different histories, the same bytes

        series = buyer.server.series_billed.copy()
        race = f"-n race {ahead} -S api.scope=remote -S \"requests.snapshots_et=['14:00']\""
        racers = [threading.Thread(target=one.experiment, args=(race,)) for one in (buyer, other)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        bought = buyer.server.series_billed - series
        tell("two clones and a bucket", racing_for=bought.total(), most_payments_of_one=max(bought.values()))
        assert max(bought.values()) == 1
        assert other.forecast_hashes == buyer.forecast_hashes
