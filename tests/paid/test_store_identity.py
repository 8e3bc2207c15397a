"""A store and a ledger that this repository knows: an empty place, or another's, is not taken for a new study."""

import os
import resource
import shutil
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from stages.errors import ConfigurationError
from stages.io import workspace
from stages.io.object_store import LocalStore
from stages.io.workspace import store_root
from stages.paid import moving
from stages.paid.answer_store import AnswerStore
from stages.paid.checks import release_late
from stages.paid.context import Counts
from stages.paid.limits import set_standing_limit, standing_limit
from stages.paid.locks import lock
from stages.paid.moving import move_store
from stages.paid.opening import begin_here, ledger_anywhere, open_backend, open_context, store_anywhere
from stages.paid.opening_program import answer_store
from stages.paid.purchase import Buyer
from stages.paid.records import path_of
from stages.paid.store_identity import STORE, begun_store, id_at, known_elsewhere, known_store
from stages.paid.units import Units
from stages.params.forecaster import ForecasterParams
from tests.io.test_workspace import api
from tests.questions.markets import requests_params
from tests.support.contexts import FORECASTER, ContextFactory, asked, questions, states
from tests.support.repositories import commit_folder, git
from tests.support.timegpt_server import TimeGPTServer


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone under git, with the default cache."""
    folder = tmp_path / "repository"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("")
    (folder / ".gitignore").write_text("/.dvc/cache\n/.dvc/tmp\n")
    commit_folder(folder, "begin")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    stand_in(folder, monkeypatch)
    return folder


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, cache: Path | None = None) -> None:
    """Go into a clone; its cache lies elsewhere if said."""
    if cache is not None:
        (folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n")
    workspace._dvc_config.cache_clear()
    monkeypatch.chdir(folder)


def forecaster() -> ForecasterParams:
    return ForecasterParams(**{**FORECASTER, "base_url": "http://127.0.0.1:9"})


def test_a_fresh_clone_begins_with_one_line(repository: Path, capfd: pytest.CaptureFixture[str]):
    begun_store()
    begun_store()
    told = f"this repository keeps its answers and ledger in {store_root()} from now on.\n"
    assert capfd.readouterr().err == told


def test_commands_that_only_read_make_no_store(repository: Path):
    known_store()
    store_anywhere(api(mode="offline"))
    ledger_anywhere(api())
    open_context(forecaster(), api(mode="offline"))
    assert not store_root().exists()
    assert not (repository / ".git/forecasts").exists()


def test_rescued_answers_lie_by_the_id_of_their_store_and_by_its_place_where_it_has_none(
    repository: Path, tmp_path: Path
):
    begun, *others = (
        {folder.name for folder in answer_store(api(), store, None).rescue.outside}
        for store in (begun_store(), LocalStore(tmp_path / "one"), LocalStore(tmp_path / "other"))
    )
    number = id_at(STORE, known_store())
    assert begun == {f"rescued-{number}", f"forecasts-rescued-{number}"}
    assert [len(names) for names in (*others, others[0] & others[1])] == [2, 2, 0]


def test_a_cache_that_was_moved_without_its_store_stops_every_run_and_names_both_places(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    old = begun_store().root
    stand_in(repository, monkeypatch, tmp_path / "new")
    for asking in (
        known_store,
        lambda: open_context(forecaster(), api()),
        lambda: open_context(forecaster(), api(mode="offline")),
        lambda: store_anywhere(api()),
        lambda: ledger_anywhere(api()),
    ):
        with pytest.raises(ConfigurationError, match=r"make adopt-store.*make new-store") as stop:
            asking()
        assert f"are in {old}; DVC's cache now has no store at {tmp_path}/new/forecasts" in str(stop.value)
        assert f"dvc cache dir --local {old.parent}" in str(stop.value)
    assert not (tmp_path / "new").exists()


def test_local_forecasters_ask_for_no_store(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begun_store()
    stand_in(repository, monkeypatch, tmp_path / "new")
    assert open_backend(ForecasterParams(**{**FORECASTER, "name": "seasonal", "model": "seasonal"}), requests_params())


def test_a_cache_that_moved_as_a_whole_goes_on(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    begun_store()
    shutil.move(repository / ".dvc/cache", tmp_path / "new")
    stand_in(repository, monkeypatch, tmp_path / "new")
    capfd.readouterr()
    begun_store()
    assert capfd.readouterr().err == ""
    shutil.rmtree(tmp_path / "new")
    with pytest.raises(ConfigurationError, match=f"are no longer in {tmp_path}/new/forecasts; "):
        known_store()


def test_a_cache_that_was_copied_goes_on_and_says_that_two_count(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    begun_store()
    shutil.copytree(repository / ".dvc/cache", tmp_path / "new")
    stand_in(repository, monkeypatch, tmp_path / "new")
    capfd.readouterr()
    begun_store()
    said = capfd.readouterr().err
    assert "is a copy of" in said
    assert "under api.scope machine each counts its own requests" in said, "one on the remote serves both"
    begun_store()
    assert capfd.readouterr().err == ""


def test_a_wiped_cache_stops_runs_until_a_person_starts_a_new_store(repository: Path):
    begun_store()
    shutil.rmtree(repository / ".dvc/cache")
    with pytest.raises(ConfigurationError, match=r"are no longer in .*; .* Restore the folder, or `make new-store`"):
        known_store()
    begin_here(api())
    assert known_store().root == store_root()


def test_a_worktree_has_no_store_of_its_own_and_may_use_that_of_the_clone(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clone_s = begun_store().root
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    stand_in(tmp_path / "tree", monkeypatch)
    with pytest.raises(ConfigurationError, match=f"are in {clone_s}; DVC's cache now has no store at {tmp_path}/tree"):
        open_context(forecaster(), api())
    stand_in(tmp_path / "tree", monkeypatch, clone_s.parent)
    assert open_context(forecaster(), api()).store.local.address == str(clone_s)
    stand_in(repository, monkeypatch)
    assert known_store().root == clone_s


def test_clones_that_share_a_cache_from_the_start_share_its_store(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    git(tmp_path, "clone", "-q", str(repository), str(tmp_path / "colleague"))
    for clone in (repository, tmp_path / "colleague", repository):
        stand_in(clone, monkeypatch, tmp_path / "shared")
        begun_store()
        assert known_store().root == tmp_path / "shared/forecasts"


def test_a_clone_with_answers_of_its_own_is_stopped_before_it_joins_anothers_store(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    begun_store()
    git(tmp_path, "clone", "-q", str(repository), str(tmp_path / "colleague"))
    stand_in(tmp_path / "colleague", monkeypatch, tmp_path / "shared")
    begun_store()
    stand_in(repository, monkeypatch, tmp_path / "shared")
    with pytest.raises(ConfigurationError, match="now has another store at"):
        known_store()


def test_a_store_that_an_earlier_version_left_is_used_as_it_is(repository: Path):
    (store_root() / "ab").mkdir(parents=True)
    assert begun_store().root == store_root()
    assert id_at(STORE, known_store())


def test_a_temporary_experiment_has_the_store_of_its_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    begun_store()
    git(tmp_path, "clone", "-q", str(repository), str(tmp_path / "temporary"))
    stand_in(tmp_path / "temporary", monkeypatch)
    monkeypatch.setenv("DVC_ROOT", str(repository))
    assert begun_store().root == repository / ".dvc/cache/forecasts"


def test_two_projects_in_one_git_repository_do_not_know_each_others_stores(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    begun_store()
    (repository / "other/.dvc").mkdir(parents=True)
    stand_in(repository / "other", monkeypatch)
    assert begun_store().root == repository / "other/.dvc/cache/forecasts"


def test_without_git_it_is_said_once_that_nothing_is_remembered(
    repository: Path, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
):
    shutil.rmtree(repository / ".git")
    begun_store()
    assert capfd.readouterr().err.endswith(
        "from now on; without git, a later change of this location goes unnoticed.\n"
    )
    ContextFactory(store_root(), server.url).backend().answer([asked()])
    begun_store()
    assert capfd.readouterr().err == ""
    assert known_elsewhere(known_store()) == []


def test_a_budget_of_all_machines_is_not_counted_anew_on_another_remote(
    repository: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    def shared(remote: Path):
        text = f"[core]\n    remote = team\n['remote \"team\"']\n    url = {remote}\n"
        (repository / ".dvc/config").write_text(text)
        workspace._dvc_config.cache_clear()
        return open_context(forecaster(), api(scope="remote"))

    shared(tmp_path / "first")
    shared(tmp_path / "first")
    assert capfd.readouterr().err.count(f"its ledger for all machines in {tmp_path}/first/forecasts") == 1
    with pytest.raises(ConfigurationError, match=f"counted at {tmp_path}/first/forecasts.*{tmp_path}/second/forecasts"):
        shared(tmp_path / "second")
    begin_here(api(scope="remote"))
    assert shared(tmp_path / "second").ledger.objects.address == f"{tmp_path}/second/forecasts"
    shutil.rmtree(tmp_path / "second/forecasts")
    with pytest.raises(ConfigurationError, match=f"at {tmp_path}/second/forecasts, and that ledger is no longer there"):
        shared(tmp_path / "second")


class TestMoving:
    @pytest.fixture
    def old(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: TimeGPTServer
    ) -> LocalStore:
        """A store that bought six answers in three requests, left behind by the cache."""
        old = begun_store()
        contexts = ContextFactory(old.root, server.url)
        set_standing_limit(old, 5, contexts.context().clock)
        contexts.backend().answer(questions(["AAA", "BBB"], range(3)))
        stand_in(repository, monkeypatch, tmp_path / "new")
        return old

    def test_answers_and_counted_requests_follow(self, old: LocalStore, server: TimeGPTServer):
        new = LocalStore(store_root())
        assert [store.root for store in known_elsewhere(new)] == [old.root]
        move_store(old, new)
        begin_here(api())
        assert known_store().root == new.root
        contexts = ContextFactory(new.root, server.url)
        assert contexts.context().ledger.left_today() == 2
        assert len(contexts.backend().answer(questions(["AAA", "BBB"], range(3)))) == 6
        assert server.sent == 3

    def test_a_run_that_still_points_to_the_old_place_of_the_store_is_refused(
        self, old: LocalStore, monkeypatch: pytest.MonkeyPatch
    ):
        move_store(old, LocalStore(store_root()))
        begin_here(api())
        repository = old.root.parents[2]
        (repository / ".dvc/config.local").unlink()
        stand_in(repository, monkeypatch)
        with pytest.raises(ConfigurationError, match=f"cache now has no store at {old.root}"):
            known_store()

    def test_a_move_that_is_repeated_counts_nothing_twice(self, old: LocalStore, server: TimeGPTServer):
        new, interrupted = LocalStore(store_root()), id_at(STORE, old)
        move_store(old, new)
        old.create(STORE.file, f"{interrupted}\n".encode())  # as if it had been killed before its last step
        move_store(old, new)
        assert ContextFactory(new.root, server.url).context().ledger.left_today() == 2

    def test_where_another_store_is_both_become_one_and_requests_of_both_count(
        self, old: LocalStore, server: TimeGPTServer
    ):
        new = LocalStore(store_root())
        new.create(STORE.file, b"another\n")
        contexts = ContextFactory(new.root, server.url)
        contexts.backend().answer(questions(["CCC"], range(4)))
        for _ in range(2):
            move_store(old, new)
        begin_here(api())
        assert id_at(STORE, known_store()) == "another"
        assert states(contexts) == {"answered": 7}
        assert (
            len(contexts.backend().answer([*questions(["AAA", "BBB"], range(3)), *questions(["CCC"], range(4))])) == 10
        )
        assert server.sent == 7

    @pytest.mark.journey  # waits for the service five times
    def test_late_requests_of_both_are_each_held_back_and_released_on_their_own(
        self, old: LocalStore, server: TimeGPTServer
    ):
        """The n-th request of a day came late in both places, for two questions and for the same one."""
        new = LocalStore(store_root())
        there, here = (ContextFactory(store.root, server.url) for store in (old, new))
        set_standing_limit(new, 100, here.context().clock)
        here.backend().answer(questions(["CCC"], range(3)))
        server.seconds = 0.5
        for contexts, symbol in ((there, "DDD"), (here, "EEE"), (there, "FFF"), (here, "FFF")):
            with pytest.raises(ConfigurationError, match="billed once"):
                contexts.backend(timeout_sec=0.2).answer([asked(symbol)])
        ddd, eee, fff = (asked(symbol).question.key for symbol in ("DDD", "EEE", "FFF"))
        release_late(old, fff)
        for _ in range(2):
            move_store(old, new)
        assert release_late(new, ddd) == {ddd}
        for symbol in ("EEE", "FFF"):
            with pytest.raises(ConfigurationError, match="billed once"):
                here.backend(timeout_sec=0.2).answer([asked(symbol)])
        assert [release_late(new, key) for key in (eee, fff)] == [{eee}, {fff}]

    @pytest.mark.parametrize("unsound", ["damaged", "dropped"])
    def test_a_sound_answer_takes_the_place_of_one_that_counts_no_more(
        self, unsound: str, old: LocalStore, server: TimeGPTServer
    ):
        """`unsound` is a copy that lies in the other place; here it was dropped, and its question bought again."""
        new, one = LocalStore(store_root()), asked("AAA")
        name, contexts = path_of(one.question.key), ContextFactory(new.root, server.url)
        new.create(name, b"{}" if unsound == "damaged" else old.read(name) or b"")
        AnswerStore(old, None).drop(one.question.key)
        set_standing_limit(old, 100, contexts.context().clock)
        ContextFactory(old.root, server.url).backend().answer([one])
        for _ in range(2):
            move_store(old, new)
        assert new.read(name) == old.read(name)
        assert len(contexts.backend().answer(questions(["AAA", "BBB"], range(3)))) == 6
        assert server.sent == 4

    @pytest.mark.parametrize("earlier", ["there", None])
    def test_answers_that_the_remote_of_this_place_never_got_are_shared_with_it(
        self, earlier: str | None, old: LocalStore, server: TimeGPTServer, tmp_path: Path
    ):
        new, remote = LocalStore(store_root()), LocalStore(tmp_path / "remote")
        if earlier:
            AnswerStore(old, LocalStore(tmp_path / earlier)).share_again()
        AnswerStore(new, remote).share_again()
        move_store(old, new)
        AnswerStore(new, remote).share_again()
        assert AnswerStore(remote, None).size() == 6

    @pytest.mark.torture  # the same at every file that is moved
    @pytest.mark.parametrize("others", [0, 1])
    def test_a_move_that_is_killed_at_any_file_and_repeated_counts_as_one_that_was_not(
        self, others: int, old: LocalStore, server: TimeGPTServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        set_standing_limit(old, 4, ContextFactory(old.root, server.url).context().clock)  # after 5
        create, left = LocalStore.create, [0]

        def mortal(store: LocalStore, name: str, content: bytes, **durable: bool) -> bool:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return create(store, name, content, **durable)

        monkeypatch.setattr(LocalStore, "create", mortal)
        for killed_at in range(10, 30):
            left[0] = 10**6
            one = LocalStore(shutil.copytree(old.root, tmp_path / f"{killed_at}/old"))
            contexts = ContextFactory(tmp_path / f"{killed_at}/new", server.url)
            contexts.backend().answer(questions(["CCC"], range(others)))
            left[0] = killed_at
            with suppress(KeyboardInterrupt):
                move_store(one, LocalStore(contexts.root))
            left[0] = 10**6
            move_store(one, LocalStore(contexts.root))
            assert states(contexts) == {"answered": 3 + others}, killed_at
            assert standing_limit(LocalStore(contexts.root)) == 4, killed_at
            contexts.context(tokens_per_day=10**9).ledger.used()

    def test_a_run_that_goes_on_after_the_move_buys_nothing_into_the_old_place(
        self, old: LocalStore, server: TimeGPTServer
    ):
        """It holds no lock before its first request and between two; a store that comes back is bought into again."""
        there, back = ContextFactory(old.root, server.url), LocalStore(store_root())
        run = there.backend()
        move_store(old, back)
        with pytest.raises(ConfigurationError, match="was moved while this run went on"):
            run.answer([asked("CCC")])
        assert server.sent == 3
        move_store(back, old)
        assert len(there.backend().answer([asked("CCC")])) == 1

    def test_no_request_about_the_service_is_counted_in_the_place_that_the_store_left(
        self, old: LocalStore, server: TimeGPTServer
    ):
        context = ContextFactory(old.root, server.url).context()
        move_store(old, LocalStore(store_root()))
        with pytest.raises(ConfigurationError, match="was moved while this run went on"):
            Buyer(context, Counts()).buy_models()
        assert server.sent == 3

    def test_a_store_does_not_move_onto_itself(self, old: LocalStore):
        with pytest.raises(ConfigurationError, match="is already the store of DVC's cache"):
            move_store(old, LocalStore(old.root))
        assert id_at(STORE, old)

    def test_a_store_of_more_snapshots_than_files_may_be_open_moves_too(self, old: LocalStore):
        for number in range(100):
            old.create(f"claims/2024-{number}.lock", b"", durable=False)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        os.close(next_file := os.dup(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_file + 50, hard))
        try:
            move_store(old, new := LocalStore(store_root()))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert id_at(STORE, new)

    def test_a_request_that_is_made_here_meanwhile_counts_beside_those_that_come(
        self, old: LocalStore, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch
    ):
        new = LocalStore(store_root())
        contexts, copy = ContextFactory(new.root, server.url), moving._copy

        def buy() -> None:
            with lock(new):
                contexts.context().ledger.reserve({}, Units())

        buyer = Thread(target=buy)

        def copied(old: LocalStore, new: LocalStore, name: str) -> None:
            if name.startswith("budget/days/") and not buyer.ident:
                buyer.start()
                buyer.join(0.5)
            copy(old, new, name)

        monkeypatch.setattr(moving, "_copy", copied)
        move_store(old, new)
        buyer.join()
        assert states(contexts) == {"answered": 3, "reserved": 1}

    def test_a_store_does_not_move_while_a_run_is_buying(self, old: LocalStore, server: TimeGPTServer):
        told = pytest.raises(ConfigurationError, match="a run is buying into")
        with lock(old, ["2024-09-03T1430Z"]), told:
            move_store(old, LocalStore(store_root()))
        assert not store_root().exists()
        with lock(LocalStore(store_root())), pytest.raises(ConfigurationError, match=f"buying into {store_root()}"):
            move_store(old, LocalStore(store_root()))


def test_reservations_are_copied_before_their_endings(
    contexts: ContextFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A move that is cut off leaves no ending alone: of what is only reserved, the request counts."""
    contexts.backend().answer(questions(["AAA"], range(3)))
    copied, copy = list[str](), moving._copy
    monkeypatch.setattr(moving, "_copy", lambda old, new, name: copied.append(name) or copy(old, new, name))
    move_store(contexts.context().store.local, LocalStore(tmp_path / "new"))
    kinds = [Path(name).suffix for name in copied if Path(name).stem in {"0000-0", "0001-0", "0002-0"}]
    assert kinds == [".json"] * 3 + [".answered"] * 3
