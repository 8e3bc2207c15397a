"""Places: a name is created once, whole, by one writer; on a disk and on a Cloud Storage server."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stages.errors import ConfigurationError
from stages.io import bucket_store
from stages.io.bucket_store import BucketStore, open_remote
from stages.io.object_store import LocalStore, ObjectStore, StoreUnreachable
from stages.io.workspace import Remote
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


def test_a_dead_remote_is_told_within_five_seconds():
    started = time.monotonic()
    with pytest.raises(StoreUnreachable, match="nothing answers at"):
        open_remote(remote_at(f"http://127.0.0.1:{free_port()}"))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("endpoint", ["http://host:abc", "http://host:99999", "http://[::1", "http://a..b"])
def test_an_endpoint_that_is_no_address_is_told(endpoint: str):
    with pytest.raises(StoreUnreachable, match="is not an address"):
        open_remote(remote_at(endpoint))


def test_a_remote_that_takes_calls_and_says_nothing_is_told_soon_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bucket_store, "FIRST_ANSWER_SEC", 0.2)
    told = pytest.raises(StoreUnreachable, match=r"http://127.0.0.1:\d+ fails \(FSTimeoutError")
    with socket.create_server(("127.0.0.1", 0)) as silent, told:
        open_remote(remote_at(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_a_missing_bucket_is_told(gcs: str):
    options = {"endpointurl": gcs, "allow_anonymous_login": True, "projectname": "test"}
    objects = open_remote(Remote(name="team", url="gs://nowhere/dvc", options=options))
    assert isinstance(objects, BucketStore)
    with pytest.raises(StoreUnreachable):
        objects.create("reservation", b"x")


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


def test_a_killed_writer_leaves_whole_files_only(tmp_path: Path):
    for round_ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", KILLED_WRITER, tmp_path / str(round_)])
        while len(LocalStore(tmp_path / str(round_)).names("")) < 20:
            assert writer.poll() is None
        writer.kill()
        writer.wait()
        names = LocalStore(tmp_path / str(round_)).names("")
        assert {len((tmp_path / str(round_) / name).read_bytes()) for name in names} == {20_000}
