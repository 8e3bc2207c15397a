"""`make experiments` and `make show`: variants are named by what differs, and read at 80 columns."""

import subprocess

import pytest

from stages.commands import experiments
from stages.commands.experiments import names, table
from stages.errors import ConfigurationError

FIGURES = {"net_bp": "706.2", "sharpe": "15.67", "oos_sharpe": "", "trades": "333", "over_free_pct": "13.88"}


def row(rev, name="", *, state="", verdict="SEALED", worth="WORTH IT", **params):
    found = {"Experiment": name, "rev": rev, "State": state, "verdict": verdict, "worth": worth, **FIGURES}
    return found | {"rules.s_stop": "1.0", "rules.k_sigma": "0.5", "stages/a.py": "x"} | params


@pytest.fixture
def queued(project, monkeypatch):
    """Each call of DVC that a file of conf/sweeps/ leads to, instead of the call; but those that fail are recorded."""
    calls, recorded = [], set()
    head = project.git("rev-parse", "HEAD").strip()

    def run(text, failing=(), waiting="", refused=()):
        def dvc(*words):
            calls.append(" ".join(words))
            if words[2] == "--queue" and words[4] in refused:
                raise ConfigurationError("refused")
            if words[2] == "--queue" and words[4] not in failing:
                recorded.add(f"refs/exps/{head[:2]}/{head[2:]}/{words[4]}")
            for ref in recorded if words[2] == "--run-all" else ():
                project.git("update-ref", ref, head)

        monkeypatch.setattr(experiments, "_dvc", dvc)
        (project.path / "conf/sweeps/mine.txt").write_text(text)
        monkeypatch.setattr(experiments, "run_dvc", lambda *_, captured: subprocess.CompletedProcess((), 0, waiting))
        calls.clear()
        try:
            project.run("experiments", "mine")
        finally:
            (project.path / "conf/sweeps/mine.txt").unlink()
        return calls

    run.calls = calls
    return run


def test_every_variant_is_queued_under_the_name_of_what_differs_and_then_all_run(queued):
    assert queued("-S rules.k_sigma=0.5,0.75 -S preset=smoke\n\n-S rules.k_sigma=0.5 -S preset=smoke\n") == [
        "exp run --queue --name k_sigma=0.5 -S rules.k_sigma=0.5 -S preset=smoke",
        "exp run --queue --name k_sigma=0.75 -S rules.k_sigma=0.75 -S preset=smoke",
        "exp run --run-all",
    ]


@pytest.mark.journey  # many variants are composed
def test_no_variant_takes_the_name_of_another_in_its_file_and_all_names_fit_a_file(queued):
    sessions = [",".join(f"'2024-{month:02d}-{day:02d}'" for day in range(1, 29)) for month in (1, 2)]
    for text in (
        "-S report.study=a/b,ab\n",
        "-S rules.k_sigma=1 -S rules.s_stop=1\n-S rules.s_stop=1 -S rules.k_sigma=1\n",
        f"-S requests.skip_sessions=[{sessions[0]}]\n-S requests.skip_sessions=[{sessions[0]},{sessions[1]}]\n",
        "-S ~preset\n-S rules.k_sigma=1\n",
    ):
        called = [call.split()[4] for call in queued(text)[:-1]]
        assert len(set(called)) == 2, text
        assert all(0 < len(name) < 240 and "~" not in name for name in called)


def test_an_experiment_of_the_same_name_on_this_commit_is_replaced(queued, project):
    head = project.git("rev-parse", "HEAD").strip()
    project.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/k_sigma=0.75", head)
    calls = queued("-S rules.k_sigma=0.75")
    assert calls[0] == "exp remove -q k_sigma=0.75"
    assert len(calls) == 3


QUEUE = """Task     Name          Created       Status
2b5b91c                Nov 29, 2026  Queued
36d2149  k_sigma=0.75  09:33 PM      Queued
d61945e  k_sigma=0.75  09:29 PM      Failed
dda3e81  k_sigma=0.75  09:30 PM      Success
fb2c375  s_stop=2      09:27 PM      Queued

Worker status: 0 active, 0 idle
"""


def test_what_an_earlier_call_left_queued_or_failed_under_these_names_is_removed_first(queued):
    """Else it would run beside the new ones, and perhaps be the one that has the name."""
    calls = queued("-S rules.k_sigma=0.75", waiting=QUEUE)
    assert calls[0] == "queue remove -q 36d2149 d61945e"
    assert len(calls) == 3


def test_nothing_stays_queued_when_dvc_refuses_a_variant(queued):
    """As for a word that is none of its options; the next call would run what was queued before it."""
    with pytest.raises(ConfigurationError, match=r"^refused"):
        queued("-S rules.k_sigma=0.75,1 # a note", waiting=QUEUE, refused=["k_sigma=1"])
    assert queued.calls[-1] == "queue remove -q 36d2149"


def test_a_variant_that_did_not_run_to_its_end_is_named(queued):
    """DVC itself ends with 0."""
    with pytest.raises(ConfigurationError, match=r"^k_sigma=0.75 did not finish .* NAME=mine` again"):
        queued("-S rules.k_sigma=0.5,0.75", failing=["k_sigma=0.75"])


@pytest.mark.parametrize(
    "wrong",
    ["rules.k_sigma=abc", "rules.k_sigmaa=1", "preset=nope", "rules.k_sigma", "forecaster=glob(e*)",
     "rules.k_sigma=interval(0.5,1)"],
)  # fmt: skip
def test_nothing_is_queued_when_one_variant_cannot_be_composed(queued, wrong):
    with pytest.raises(ConfigurationError):
        queued(f"-S rules.k_sigma=0.75\n-S {wrong}")


@pytest.mark.parametrize("wrong", ["", "# none\n", "rules.k_sigma=0.75", "-S rules.k_sigma=0.75\n-S"])
def test_a_file_or_a_line_that_sets_nothing_is_reported_and_nothing_is_queued(queued, wrong):
    with pytest.raises(ConfigurationError, match=r"write .*-S"):
        queued(wrong)


def test_a_file_that_is_not_utf_8_is_reported_and_a_mark_of_utf_8_is_no_word(queued, project):
    assert len(queued("\ufeff-S rules.k_sigma=0.5,0.75")) == 3
    (project.path / "conf/sweeps/latin.txt").write_bytes("# für\n-S rules.k_sigma=0.5".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"latin\.txt cannot be read .*: save it as UTF-8"):
        experiments.experiments("latin")


def test_a_file_that_is_not_there_is_reported_with_those_that_are(project):
    with pytest.raises(ConfigurationError, match=r"no conf/sweeps/nope.txt: conf/sweeps/ offers \['k_sigma'\]"):
        experiments.experiments("nope")


def test_nothing_is_queued_behind_a_torn_lock(queued, project):
    lock = project.path / ".dvc/tmp/exps/rwlock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    with pytest.raises(ConfigurationError, match=r"`rm .*/\.dvc/tmp/exps/rwlock` while no dvc command runs here"):
        queued("-S rules.k_sigma=0.75")
    lock.unlink()


def test_names_hold_what_differs_in_short_and_only_what_git_takes():
    assert names([("rules.k_sigma=0.5", "preset=a"), ("rules.k_sigma=1", "preset=a")]) == ["k_sigma=0.5", "k_sigma=1"]
    assert names([("rules.history_days=1", "features.history_days=2"), ("preset=a",)])[0] == (
        "rules.history_days=1,features.history_days=2"
    )
    odd = names([("requests.snapshots_et=['10:00','11:00']", "a.b=x..y.lock"), ("a.b=~^?*[\\ @{.",)])
    assert odd[0] == "snapshots_et=1000,1100,b=x.y"
    for name in odd:
        assert subprocess.run(["git", "check-ref-format", f"refs/exps/ab/cd/{name}"], check=False).returncode == 0


def test_a_run_is_told_by_what_differs_from_the_commit_then_its_verdicts_and_figures():
    rows = [
        row("workspace", verdict="PASS", **{"stages/a.py": "y"}),
        row("main", verdict="PASS"),
        row("1a", "wide", **{"rules.s_stop": "1.5", "worth": "!"}),
        row("2b", "k=1", state="Queued", verdict="", worth="", **{"rules.k_sigma": "1.0"} | dict.fromkeys(FIGURES, "")),
    ]
    said = [line.split() for line in table(rows, 80)]
    assert said[2] == ["workspace"]
    assert said[4] == ["main:", "rules.s_stop=1.0", "rules.k_sigma=0.5"]
    assert said[6] == ["wide:", "rules.s_stop=1.5"]
    assert said[7] == ["SEALED", "-", "706.2", "15.67", "-", "333", "13.88"]
    assert said[8:] == [["k=1:", "rules.k_sigma=1.0"], ["Queued", *"------"]]


def test_nothing_is_wider_than_the_terminal_and_no_word_is_cut():
    many = {f"rules.a_long_key_number_{n}": "0.25" for n in range(9)}
    few = dict.fromkeys(many, "1")
    rows = [
        row("workspace", **few),
        row("main", worth="NOT YET KNOWN", verdict="INCONCLUSIVE", **few),
        row("x", **many),
    ]
    said = list(table(rows, 80))
    without_state = [{key: value for key, value in one.items() if key != "State"} for one in rows]
    assert said == list(table(without_state, 80)), "as DVC gives them where nothing was queued"
    assert max(map(len, said)) <= 80
    assert {f"{key}=0.25" for key in many} < set(" ".join(said).split())


def test_a_row_whose_params_dvc_could_not_read_differs_in_none():
    """As of the workspace amid a merge, while dvc.lock holds its marks: every key would be told as missing."""
    unread = row("workspace") | {key: "" for key in row("workspace") if "." in key and "/" not in key}
    said = [line.split() for line in table([unread, row("main"), row("1a", "wide", **{"rules.s_stop": "1.5"})], 80)]
    assert said[4] == ["main:", "rules.s_stop=1.0"]
    assert said[6] == ["wide:", "rules.s_stop=1.5"]


def test_before_the_first_commit_the_workspace_is_shown_alone():
    assert list(table([row("workspace")], 80))[2] == "workspace"
