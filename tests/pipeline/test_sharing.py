"""A team with one bucket: the sharing page, typed by everyone it names, and what a colleague without a key may do.

The bucket is the real GCS server binary; each clone has its own history, cache and environment.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.docs import steps
from tests.docs.blocks import ROOT, blocks, typed
from tests.docs.shell import shell
from tests.pipeline.clone import BIN, Clone, clone_working_tree
from tests.support.gcs_server import BUCKET, gcs_server
from tests.support.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("sharing")]  # four people and a bucket

PAGE = ROOT / "docs/SHARING.md"
AGAIN = "dvc exp run -n same_again -S rules.s_stop=1.5"
BUCKET_OF_THE_PAGE = "gs://your-bucket/dvc"
LOGIN = """['remote "team"']
    endpointurl = {}
    allow_anonymous_login = true
    projectname = test
"""
ON_LOOPBACK = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false", "NO_GCE_CHECK": "true"}


@dataclass(frozen=True)
class Team:
    """A git remote and a bucket, and how a new member comes to a clone."""

    folder: Path
    bucket: str

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    def found(self, owner: Clone) -> Clone:
        """The owner's clone, its run committed, with the git remote that the others clone."""
        owner.sh("git diff --quiet || git commit -q -am 'the run'")
        subprocess.run(["git", "clone", "-q", "--bare", owner.path, self.origin], check=True)
        owner.sh(f"git remote add origin {self.origin} && git fetch -q origin && git branch -q -u origin/main")
        return owner

    def join(self, name: str, *, networked: bool = True) -> Clone:
        """A fresh clone with an empty cache of its own."""
        path = self.folder / name
        subprocess.run(["git", "clone", "-q", self.origin, path], check=True)
        member = Clone(path)
        member.sh("git config user.email test@example.org && git config user.name test")
        (path / ".venv").symlink_to(BIN.parent)
        for pins in ("requirements.txt", "requirements-dev.txt"):
            os.utime(path / pins, (0, 0))
        if networked:
            self.log_in(member)
        return member

    def log_in(self, member: Clone) -> None:
        """What a login to Google is elsewhere: where the loopback server listens, and that it asks nobody's name."""
        with (member.path / ".dvc/config.local").open("a") as options:
            options.write(LOGIN.format(self.bucket))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with team_in(tmp_path_factory.mktemp("team")) as founded:
        yield founded


@pytest.fixture
def buyers(tmp_path: Path) -> Iterator[Team]:
    """A team with a bucket of its own."""
    with team_in(tmp_path) as founded:
        yield founded


@contextmanager
def team_in(folder: Path) -> Iterator[Team]:
    with gcs_server(folder / "gcs.log") as address:
        yield Team(folder, address)


@dataclass(frozen=True)
class Walked:
    """Who typed the page, and what the terminal showed by whom and command."""

    people: dict[str, Clone]
    said: dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def walked(default_run: Clone, team: Team) -> Walked:
    """The page, typed from top to bottom by everyone it names."""
    owner = team.found(default_run.copy_to(team.folder / "owner"))
    cache = owner.path / ".dvc/cache"
    people, terminals, said = {"": owner}, ExitStack(), {}
    typed_by = [(block.note.removeprefix("by "), command) for block in blocks(PAGE) for command in typed(block)]
    with terminals:
        readers = {"": terminals.enter_context(shell(owner.path, **ON_LOOPBACK))}
        for (name, command), (who, _, shows) in zip(typed_by, steps.SHARING, strict=True):
            assert name == who
            if name not in people:
                people[name] = team.join(name, networked=name != "neighbour")
                readers[name] = terminals.enter_context(shell(people[name].path, **ON_LOOPBACK))
            here = command.replace(BUCKET_OF_THE_PAGE, f"gs://{BUCKET}/dvc").replace("/srv/dvc-cache", str(cache))
            said[name, command] = readers[name].step(here, shows)
            if command.startswith("dvc remote add"):
                team.log_in(owner)
            if name and command == "make run":
                assert people[name].sh("git status --porcelain") == "", "a colleague reproduces the committed lock"

    return Walked(people, said)


def test_the_sharing_page_can_be_typed_by_everyone_it_names(walked):
    for who in (("colleague", "make run"), ("neighbour", "make run"), ("colleague", AGAIN)):
        assert "Running stage" not in walked.said[who], "everything came from where it is shared"
    comment = walked.people["colleague"].text("artifacts/pr_comment/comment.md")
    assert comment.startswith("## ✔ PASS → ▣ SEALED")
    assert "**Price of this change:** **0 calls**" in comment


def test_two_runs_stand_on_one_page_and_in_the_pictures_of_dvc(walked):
    colleague = walked.people["colleague"]
    page = colleague.text("artifacts/page/wider_stop-and-HEAD.html")
    assert page.index("rules.s_stop") < page.index('id="verdicts"') < page.index('id="figure-search-equity"')
    pictures = colleague.text("artifacts/plots/index.html")
    assert pictures.count("vegaEmbed('#") == 3
    assert '"rev": "wider_stop"' in pictures
    assert '"rev": "HEAD"' in pictures


def test_the_workflow_for_pull_requests_prices_runs_and_comments(walked, team, tmp_path):
    """The steps that need no service of the host are run as they stand, on the colleague's branch of the page."""
    walked.people["colleague"].sh("git push -q origin wider_stop")
    owner, runner = walked.people[""], team.join("runner")
    runner.sh("git switch -q wider_stop")
    workflow = yaml.safe_load((ROOT / "docs/ci/pull-request.yaml").read_text())
    steps = {
        name: [one["run"] for one in job["steps"] if "run" in one and not one["run"].startswith("gh ")]
        for name, job in workflow["jobs"].items()
    }
    assert {name: len(ours) for name, ours in steps.items()} == {"judge": 3, "publish": 1}
    settings = ON_LOOPBACK | {"BASE": "origin/main", "PICTURES": "https://host/raw/pr-pictures/7"}
    said = [runner.sh(step, **settings) for step in steps["judge"]]
    assert "Running stage" not in said[1]
    (tmp_path / "publisher").mkdir()
    shutil.copytree(runner.path / "artifacts/pr_comment", tmp_path / "publisher/comparison")
    origin = runner.sh("git remote get-url origin").strip()
    for _ in range(2):  # also onto the branch that is there by then
        Clone(tmp_path / "publisher").sh(f"rm -rf pictures; {steps['publish'][0]}", REPOSITORY=origin, NUMBER="7")

    comment = runner.text("artifacts/pr_comment/comment.md")
    assert comment.startswith("## ✔ PASS → ▣ SEALED")
    assert "| rules.s_stop | 1.0 | 1.5 |" in comment
    assert "](https://host/raw/pr-pictures/7/search-equity.png)" in comment
    assert (runner.path / "artifacts/pr_comment/search-equity.png").read_bytes().startswith(b"\x89PNG")
    owner.sh("git fetch -q origin pr-pictures")
    assert "7/search-equity.png" in owner.sh("git ls-tree -r --name-only FETCH_HEAD")

    runner.sh("sed -i 's/lookback_sessions: 40/lookback_sessions: 39/' params.yaml")
    unknown = runner.sh("make pr-comment BASE=origin/main", code=2, **ON_LOOPBACK)
    assert "the questions of this change are not known: list_source, build_requests did not run" in unknown


def test_what_one_bought_a_colleague_without_a_key_uses_at_0_calls_and_new_questions_are_priced(
    tmp_path, buyers, monkeypatch
):
    team = buyers
    monkeypatch.delenv("NIXTLA_API_KEY", raising=False)
    owner = team.found(clone_working_tree(tmp_path / "owner"))
    owner.sh(f"dvc remote add -d team gs://{BUCKET}/dvc && git commit -q -m remote .dvc/config && git push -q")
    team.log_in(owner)
    with TimeGPTServer() as service:
        chosen = ["preset=smoke", "forecaster=timegpt", "api=online", "api.cooldown_sec=0"]
        facts = {"base_url": service.url, "min_rows": 100, "input_size": INPUT_SIZE, "model_horizon": MODEL_HORIZON}
        study = " ".join(f"-S {one}" for one in [*chosen, *(f"forecaster.{name}={v}" for name, v in facts.items())])

        owner.sh(f"dvc exp run -q -n bought {study}", NIXTLA_API_KEY=KEY, **ON_LOOPBACK)
        paid = service.sent
        assert service.billed == 18, "one call a snapshot; the rest is the model's metadata"
        owner.sh("dvc exp push -q --run-cache origin bought", **ON_LOOPBACK)

        colleague = team.join("colleague")
        colleague.sh("dvc exp pull -q --run-cache origin bought && dvc exp apply bought", **ON_LOOPBACK)
        colleague.sh("dvc repro", **ON_LOOPBACK)
        told = colleague.sh("dvc repro -f -s forecast", **ON_LOOPBACK)
        assert "calls=0 bought=0 hits=100.0%" in told

        asks_more = study.replace("-S api=online", "") + " -S \"requests.snapshots_et=['10:30','11:00']\""
        colleague.sh("git add -A && git commit -q -m 'the bought run'")
        stopped = colleague.sh(f"dvc exp run -n more {asks_more}", code=None, **ON_LOOPBACK)
        assert "have no stored answer" in stopped
        assert "api.mode offline buys nothing" in stopped
        colleague.sh("make pr-comment BASE=HEAD", **ON_LOOPBACK)
        comment = colleague.text("artifacts/pr_comment/comment.md")
        assert "not judged yet" in comment
        assert "answers must be bought" in comment
        assert service.sent == paid
