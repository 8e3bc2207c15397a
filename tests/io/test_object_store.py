"""Places: a name is created once, whole, by one writer; on a disk and on a Cloud Storage server."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from stages.errors import ConfigurationError
from stages.io import bucket_access, bucket_store
from stages.io.bucket_store import BucketStore, open_remote
from stages.io.object_store import LocalStore, ObjectStore, StoreRefused, StoreUnreachable
from stages.io.workspace import Remote
from tests.fetching.test_bucket import Overloaded, Refusing, Unauthorized, revoked_key
from tests.fetching.test_bucket import refusing as refusing
from tests.support.gcs_server import BUCKET, free_port, gcs_server


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gcs_server(tmp_path_factory.mktemp("gcs") / "log") as url:
        yield url


def remote_at(url: str, prefix: str = "dvc") -> Remote:
    options = {"endpointurl": url, "allow_anonymous_login": True, "projectname": "test"}
    return Remote(name="team", url=f"gs://{BUCKET}/{prefix}", options=options)


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return LocalStore(tmp_path)
    return open_remote(remote_at(request.getfixturevalue("gcs"), tmp_path.name))


def test_a_name_is_created_once(objects: ObjectStore):
    assert objects.create("budget/d/0000-0.json", b"first")
    assert not objects.create("budget/d/0000-0.json", b"second")
    assert objects.read("budget/d/0000-0.json") == b"first"


def test_names_lists_one_folder_fresh_every_time(objects: ObjectStore):
    assert objects.names("budget/d") == []
    for name in ("b", "a"):
        objects.create(f"budget/d/{name}", b"x")
        objects.create(f"budget/e/{name}", b"x")
    assert objects.names("budget/d") == ["a", "b"]
    assert objects.names("budget") == ["d", "e"]


def test_what_is_not_there_reads_as_none(objects: ObjectStore):
    objects.create("aa/1.json", b"1")
    assert objects.read("aa/2.json") is None
    assert objects.read_many(["aa/1.json", "aa/2.json"]) == {"aa/1.json": b"1"}


def test_of_many_writers_one_wins(objects: ObjectStore):
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(5):
            contents = [f"{round_}-{writer}".encode() for writer in range(8)]
            won = list(pool.map(lambda content: objects.create(f"race/{round_}", content), contents))  # noqa: B023
            assert won.count(True) == 1
            assert objects.read(f"race/{round_}") == contents[won.index(True)]


def test_only_what_was_seen_is_replaced(objects: ObjectStore):
    objects.create("aa/1.json", b"damaged")
    assert not objects.swap("aa/1.json", b"something else", b"sound")
    assert not objects.swap("aa/2.json", b"damaged", b"sound")
    assert objects.swap("aa/1.json", b"damaged", b"sound")
    assert not objects.swap("aa/1.json", b"damaged", b"late")
    assert objects.read("aa/1.json") == b"sound"


def test_of_many_who_replace_one_wins(objects: ObjectStore):
    objects.create("aa/1.json", b"damaged")
    contents = [f"sound {number}".encode() for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda content: objects.swap("aa/1.json", b"damaged", content), contents))
    assert won.count(True) == 1
    assert objects.read("aa/1.json") == contents[won.index(True)]


def test_a_bucket_refuses_to_replace_another_generation_than_the_one_that_was_read(
    gcs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Somebody mends the object between our look and our write: theirs stands."""
    objects, other = (open_remote(remote_at(gcs, tmp_path.name)) for _ in range(2))
    assert isinstance(objects, BucketStore)
    objects.create("aa/1.json", b"damaged")
    read = objects.read

    def overtaken(name: str) -> bytes | None:
        seen = read(name)
        other.swap("aa/1.json", b"damaged", b"theirs")
        return seen

    monkeypatch.setattr(objects, "read", overtaken)
    assert not objects.swap("aa/1.json", b"damaged", b"ours")
    assert objects.read("aa/1.json") == b"theirs"


def test_a_writer_knows_its_own_object_again(gcs: str, tmp_path: Path):
    """The reply to a create may be lost and the create repeated; the writer meets its own object and has won."""
    objects = open_remote(remote_at(gcs, tmp_path.name))
    assert objects.create("reservation", b"nonce 1")
    assert objects.create("reservation", b"nonce 1")
    assert not objects.create("reservation", b"nonce 2")


def test_a_dead_remote_is_reported_within_five_seconds():
    started = time.monotonic()
    with pytest.raises(StoreUnreachable, match="nothing answers at"):
        open_remote(remote_at(f"http://127.0.0.1:{free_port()}"))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("endpoint", ["http://host:abc", "http://host:99999", "http://[::1", "http://a..b"])
def test_an_endpoint_that_is_no_address_is_reported(endpoint: str):
    with pytest.raises(StoreUnreachable, match="is not an address"):
        open_remote(remote_at(endpoint))


def test_a_remote_that_takes_calls_and_says_nothing_is_reported_soon_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bucket_access, "FIRST_ANSWER_SEC", 0.2)
    told = pytest.raises(StoreUnreachable, match=r"gs://team/dvc fails \(ReadTimeout")
    with socket.create_server(("127.0.0.1", 0)) as silent, told:
        open_remote(remote_at(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_a_missing_bucket_is_reported(gcs: str):
    options = {"endpointurl": gcs, "allow_anonymous_login": True, "projectname": "test"}
    with pytest.raises(StoreRefused, match="there is no bucket 'nowhere': correct the url"):
        open_remote(Remote(name="team", url="gs://nowhere/dvc", options=options))


def test_a_bucket_that_was_deleted_meanwhile_is_reported(tmp_path: Path):
    with gcs_server(tmp_path / "log") as url:
        objects = open_remote(remote_at(url))
        httpx.delete(f"{url}/storage/v1/b/{BUCKET}").raise_for_status()
        with pytest.raises(StoreRefused, match=f"there is no bucket '{BUCKET}'"):
            objects.create("reservation", b"x")


class ReadOnly(Refusing):
    """Who may list and read, and not write."""

    def do_GET(self) -> None:  # noqa: N802
        self.answer(*(200, b'{"kind": "storage#objects"}') if "/o?" in self.path else (404, b"{}"))

    def do_POST(self) -> None:  # noqa: N802
        self.answer(403, b'{"error": {"code": 403, "message": "x@y.z does not have storage.objects.create access."}}')


@pytest.mark.parametrize(
    ("refusing", "told"),
    [
        (Refusing, "gs://team/dvc may not be used with the present credentials"),
        (Unauthorized, "the credentials for gs://team/dvc do not work"),
        (ReadOnly, r"may not be used with the present credentials \(Forbidden: .* x@y.z does not have storage.*create"),
    ],
    indirect=["refusing"],
)
def test_a_login_that_a_bucket_refuses_is_reported_in_a_line_with_the_way_out(
    refusing: str, told: str, caplog: pytest.LogCaptureFixture
):
    """Nothing is gained by waiting, so it is no `StoreUnreachable`. What the client logs is its traceback."""
    with pytest.raises(StoreRefused, match=f"{told}.*: log in by `gcloud auth application-default login`") as caught:
        open_remote(remote_at(refusing)).create("reservation", b"x")
    assert (caught.value.exit_code, str(caught.value).count("\n"), caplog.text) == (5, 0, "")


def test_a_login_that_waits_is_reported_as_one(gcs: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bucket_access, "LOGIN_SEC", 0.2)
    monkeypatch.setattr(bucket_store, "_file_system", lambda _: threading.Event().wait(5))
    with pytest.raises(StoreRefused, match=r"the login to bucket 'team' did not succeed within 0.2 s: log in by"):
        open_remote(remote_at(gcs))


class AddOnly(ReadOnly):
    """Who may add objects, and not replace one: an upload under a name that is taken is refused."""

    def do_GET(self) -> None:  # noqa: N802
        self.answer(200, b'{"kind": "storage#objects"}' if "/o?" in self.path else b"another's")


@pytest.mark.parametrize("refusing", [AddOnly], indirect=True)
def test_a_name_that_is_taken_is_no_refusal_for_who_may_only_add(refusing: str):
    objects = open_remote(remote_at(refusing))
    assert (objects.create("reservation", b"mine"), objects.create("reservation", b"another's")) == (False, True)


class Unsound(Refusing):
    """Who answers everything with a list, as a proxy might."""

    status = 200


@pytest.mark.parametrize("refusing", [Unsound], indirect=True)
def test_a_reply_that_lacks_something_is_no_matter_of_the_login(refusing: str):
    with pytest.raises(StoreUnreachable, match=r"gs://team/dvc/forecasts fails \(its reply has no 'name'\)"):
        open_remote(remote_at(refusing)).names("budget")


class Hiccup(ReadOnly):
    """Who is overloaded when first asked, once by `open_remote` and once by the client."""

    asked = 0

    def do_GET(self) -> None:  # noqa: N802
        Hiccup.asked += 1
        self.answer(503, b"{}") if Hiccup.asked < 3 else super().do_GET()


@pytest.mark.parametrize("refusing", [Hiccup], indirect=True)
def test_a_bucket_that_was_overloaded_for_a_moment_is_not_down(refusing: str, monkeypatch: pytest.MonkeyPatch):
    """Else a run would go on without it, and buy what it holds."""
    monkeypatch.setattr("gcsfs.retry.random.random", lambda: -1.0)  # no pause before the second request
    assert isinstance(open_remote(remote_at(refusing)), BucketStore)


@pytest.mark.parametrize("refusing", [Overloaded], indirect=True)
def test_a_bucket_that_stays_overloaded_is_reported_within_seconds(refusing: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bucket_store, "FIRST_ANSWER_SEC", 0.2)
    with pytest.raises(StoreUnreachable, match=r"gives no answer within 0.2 s"):
        open_remote(remote_at(refusing))


@pytest.mark.parametrize("refusing", [Refusing], indirect=True)
def test_a_login_that_expired_is_reported_as_such(refusing: str, tmp_path: Path):
    """The client would repeat it for half a minute, and the store would seem not to answer."""
    (tmp_path / "key.json").write_text(json.dumps(revoked_key(refusing)))
    options = {"endpointurl": refusing, "credentialpath": str(tmp_path / "key.json"), "projectname": "test"}
    with pytest.raises(StoreRefused, match=r"the credentials for gs://team/dvc do not work .*gcloud auth"):
        open_remote(Remote(name="team", url=f"gs://{BUCKET}/dvc", options=options))


class Expiring(ReadOnly):
    """Who lets a login in for its first request alone."""

    asked = 0

    def do_GET(self) -> None:  # noqa: N802
        Expiring.asked += 1
        if Expiring.asked == 1:
            return super().do_GET()
        return self.answer(401, b'{"error": {"code": 401, "message": "Invalid Credentials"}}')


@pytest.mark.parametrize("refusing", [Expiring], indirect=True)
def test_a_login_that_expires_in_the_middle_is_told_as_such(refusing: str):
    """The client repeats what it is refused until its time is over."""
    objects = open_remote(remote_at(refusing))
    assert isinstance(objects, BucketStore)
    objects.patience_sec = 0.2
    with pytest.raises(StoreRefused, match=r"the credentials for gs://team/dvc/forecasts do not work .*gcloud auth"):
        objects.read("a")


def test_a_remote_of_another_kind_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"s3://, which cannot share answers .* api.share: false"):
        open_remote(Remote(name="team", url="s3://bucket/dvc"))


def test_a_folder_whose_parent_is_gone_is_down(tmp_path: Path):
    with pytest.raises(StoreUnreachable, match="is a disk unmounted"):
        open_remote(Remote(name="team", url=str(tmp_path / "gone" / "dvc")))


def test_a_full_disk_leaves_no_torn_file(small_disk: Path):
    objects = LocalStore(small_disk)
    objects.create("a", b"x" * 100_000)
    with pytest.raises(ConfigurationError, match="the disk is full"):
        objects.create("b", b"x" * 300_000)
    assert objects.names("") == ["a"]
    assert len(list(small_disk.iterdir())) == 1


@pytest.mark.parametrize("name", ["../a", "b/../../a", "/etc/hostname"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str):
    (tmp_path / "a").write_bytes(b"mine")
    objects = LocalStore(tmp_path / "place")
    for act in (
        objects.read,
        objects.names,
        lambda one: objects.create(one, b""),
        lambda one: objects.replace(one, b""),
    ):
        with pytest.raises(ConfigurationError, match="is not the name of a file within"):
            act(name)
    assert (tmp_path / "a").read_bytes() == b"mine"


KILLED_WRITER = """
import sys
from pathlib import Path
from stages.io.object_store import LocalStore
objects = LocalStore(Path(sys.argv[1]))
number = 0
while True:
    objects.create(f"{number:06d}", b"x" * 20_000)
    number += 1
"""


@pytest.mark.torture  # writers are killed
def test_a_killed_writer_leaves_whole_files_only(tmp_path: Path):
    for round_ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", KILLED_WRITER, tmp_path / str(round_)])
        while len(LocalStore(tmp_path / str(round_)).names("")) < 20:
            assert writer.poll() is None
        writer.kill()
        writer.wait()
        names = LocalStore(tmp_path / str(round_)).names("")
        assert {len((tmp_path / str(round_) / name).read_bytes()) for name in names} == {20_000}
