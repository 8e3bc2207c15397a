"""Bars in a bucket: a real Cloud Storage server on loopback, downloads that happen once, faults told in seconds."""

import io
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import httpx
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from stages.errors import ConfigurationError, DataContractError, PipelineError
from stages.fetching.bars import bars_to_fetch, fetch_bars
from stages.fetching.files import files_of, find_files, read_files
from stages.fetching.inspection import inspect
from stages.io import bucket_access
from stages.io.bucket_access import preflight
from stages.io.partitions import Writer
from tests.sources import vendors
from tests.sources.dialects import source
from tests.support.gcs_server import BUCKET, free_port, gcs_server

TEMPLATE = f"gs://{BUCKET}/stocks/{{symbol}}/{{yyyy}}/{{symbol}}_{{yyyy}}-{{mm}}.parquet"
FRAMES = {month: pl.DataFrame({"t": [i], "c": [10.0 + i]}) for i, month in enumerate(("2024-01", "2024-02", "2024-03"))}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gcs_server(tmp_path_factory.mktemp("gcs") / "log") as url:
        for month, frame in FRAMES.items():
            upload(url, f"stocks/AAPL/2024/AAPL_{month}.parquet", frame)
        yield url


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A main repository with a cache of its own."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def bucket(server: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    speak_to(server, monkeypatch)
    return server


def speak_to(url: str, monkeypatch: pytest.MonkeyPatch, token: Any = "anon") -> None:
    """Environment of a user whose bucket is at `url`, without a login or with this one."""
    import gcsfs  # after gcs_server has set the environment it reads when imported

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": token, "endpoint_url": url})
    monkeypatch.setitem(fsspec.config.conf, "gcs", {"token": token, "endpoint_url": url})
    gcsfs.GCSFileSystem.clear_instance_cache()


def upload(url: str, name: str, frame: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    put(url, name, buffer.getvalue())


def put(url: str, name: str, content: bytes) -> None:
    target = f"{url}/upload/storage/v1/b/{BUCKET}/o"
    httpx.post(target, params={"uploadType": "media", "name": name}, content=content).raise_for_status()


def fetched(files: list[dict[str, Any]]) -> pl.DataFrame:
    return fetch_bars("AAPL", files, source(name="bucket", kind="gcs", uri_template=TEMPLATE), pl.DataFrame())[0]


def test_a_listing_of_a_bucket_carries_md5_and_generation_without_a_download(bucket: str) -> None:
    listed = find_files(TEMPLATE, "AAPL")

    assert [file["month"] for file in listed] == list(FRAMES)
    assert all(len(file["md5"]) == 32 and file["generation"].isdigit() for file in listed)
    assert listed[0]["uri"] == f"gs://{BUCKET}/stocks/AAPL/2024/AAPL_2024-01.parquet"


def test_the_months_that_are_listed_are_read_in_order(bucket: str) -> None:
    listed = find_files(TEMPLATE, "AAPL")

    assert fetched(listed).equals(pl.concat(FRAMES.values()))
    assert fetched(listed[1:2]).equals(FRAMES["2024-02"])


def test_what_was_downloaded_once_is_read_from_the_cache_though_the_bucket_is_gone(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = find_files(TEMPLATE, "AAPL")
    fetched(listed[:2])
    speak_to(f"http://127.0.0.1:{free_port()}", monkeypatch)

    assert fetched(listed[:2]).equals(pl.concat([FRAMES["2024-01"], FRAMES["2024-02"]]))
    with pytest.raises(ConfigurationError, match="does not answer"):
        fetched(listed)


def test_a_cached_file_that_rotted_is_downloaded_again(bucket: str, workspace: Path) -> None:
    listed = find_files(TEMPLATE, "AAPL")[:1]
    fetched(listed)
    (kept,) = (workspace / ".dvc/cache/sources").rglob("*/*")
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")

    assert fetched(listed).equals(FRAMES["2024-01"])
    assert kept.read_bytes()[-1:] != b"?"


def test_an_object_that_the_vendor_revised_is_refused_until_it_is_listed_again(bucket: str) -> None:
    upload(bucket, "stocks/MSFT/2024/MSFT_2024-01.parquet", FRAMES["2024-01"])
    listed = find_files(TEMPLATE, "MSFT")
    upload(bucket, "stocks/MSFT/2024/MSFT_2024-01.parquet", FRAMES["2024-02"])

    with pytest.raises(DataContractError, match=r"MSFT_2024-01\.parquet is not the listed file"):
        read_files(listed)
    assert [content for _, content in read_files(find_files(TEMPLATE, "MSFT"))]


def test_a_composed_object_has_no_md5_and_is_pinned_by_its_generation(bucket: str) -> None:
    composed = [file | {"md5": None} for file in find_files(TEMPLATE, "AAPL")[:1]]
    rewritten = [file | {"generation": "1"} for file in composed]

    assert fetched(composed).equals(FRAMES["2024-01"])
    with pytest.raises(DataContractError, match=r"is not the listed file.*listed 1\)"):
        fetched(rewritten)


def test_an_object_that_is_gone_is_named(bucket: str) -> None:
    listed = find_files(TEMPLATE, "AAPL")[:1]
    gone = listed[0] | {"uri": listed[0]["uri"].replace("2024-01", "2024-09"), "md5": "0" * 32}
    start = time.monotonic()

    with pytest.raises(DataContractError, match=r"AAPL_2024-09\.parquet is listed but does not exist"):
        read_files([gone])
    assert time.monotonic() - start < 5


def test_what_came_before_a_fault_is_kept_and_not_downloaded_again(bucket: str, workspace: Path) -> None:
    """A crash is such a fault: each file is kept, whole, as soon as it has come."""
    listed = find_files(TEMPLATE, "AAPL")
    gone = listed[0] | {"uri": listed[0]["uri"].replace("2024-01", "2024-09"), "md5": "0" * 32}
    with pytest.raises(DataContractError, match="does not exist"):
        fetched([*listed[:2], gone])
    came = {path: path.stat().st_mtime_ns for path in (workspace / ".dvc/cache/sources").rglob("*/*")}

    assert fetched(listed).equals(pl.concat(FRAMES.values()))
    after = {path: path.stat().st_mtime_ns for path in (workspace / ".dvc/cache/sources").rglob("*/*")}
    assert (len(came), len(after)) == (2, 3)
    assert came.items() <= after.items()


def test_a_user_who_may_write_a_shared_cache_may_keep_files_there_after_another_user(
    bucket: str, workspace: Path
) -> None:
    cache = workspace / ".dvc/cache"
    cache.mkdir()
    cache.chmod(0o2775)
    mask = os.umask(0o077)
    try:
        fetched(find_files(TEMPLATE, "AAPL"))
    finally:
        os.umask(mask)
    for path in (cache / "sources").rglob("*"):
        assert path.stat().st_mode & 0o7777 == (0o2775 if path.is_dir() else 0o664), path


def test_an_update_by_a_month_downloads_that_month_alone(bucket: str) -> None:
    """The months before it are taken away from the bucket, and nobody misses them."""
    for month in ("2024-01", "2024-02"):
        upload(bucket, f"stocks/MORE/2024/MORE_{month}.parquet", FRAMES[month])
    first = find_files(TEMPLATE, "MORE")
    fetch_bars("MORE", first, source(name="bucket", kind="gcs", uri_template=TEMPLATE), pl.DataFrame())
    upload(bucket, "stocks/MORE/2024/MORE_2024-03.parquet", FRAMES["2024-03"])
    listed = find_files(TEMPLATE, "MORE")
    for month in ("2024-01", "2024-02"):
        name = f"stocks%2FMORE%2F2024%2FMORE_{month}.parquet"
        httpx.delete(f"{bucket}/storage/v1/b/{BUCKET}/o/{name}").raise_for_status()

    assert listed[:2] == first
    bars, _ = fetch_bars("MORE", listed, source(name="bucket", kind="gcs", uri_template=TEMPLATE), pl.DataFrame())
    assert bars.equals(pl.concat(FRAMES.values()))


def test_a_truncated_parquet_file_is_named_and_nothing_is_made_of_it(bucket: str) -> None:
    whole = io.BytesIO()
    FRAMES["2024-01"].write_parquet(whole)
    put(bucket, "stocks/TORN/2024/TORN_2024-01.parquet", whole.getvalue()[:-20])
    listed = find_files(TEMPLATE, "TORN")

    with pytest.raises(DataContractError, match=r"TORN_2024-01\.parquet is not readable as parquet.*get it again"):
        fetch_bars("TORN", listed, source(name="bucket", kind="gcs", uri_template=TEMPLATE), pl.DataFrame())


class Refusing(BaseHTTPRequestHandler):
    """A bucket that answers every request with the status of its class, and a login that refuses every key."""

    status = 403

    def do_GET(self) -> None:
        self.answer(self.status, b'{"error": {"code": %d, "message": "Invalid Credentials"}}' % self.status)

    def do_POST(self) -> None:
        self.answer(400, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}')

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


class Unauthorized(Refusing):
    status = 401


class Overloaded(Refusing):
    status = 503


class ObjectsOnly(Refusing):
    """Who may read objects, and neither list them nor look at their bucket."""

    def do_GET(self) -> None:
        if self.path.endswith("/o/listed.parquet"):
            self.answer(200, b'{"name": "listed.parquet"}')
        else:
            super().do_GET()


class ObjectsListed(Refusing):
    """Who may use and list objects, of which there is none yet, but not look at their bucket: `storage.objectUser`."""

    def do_GET(self) -> None:
        if "/o?" in self.path:
            self.answer(200, b'{"kind": "storage#objects"}')
        elif "/o/" in self.path:
            self.answer(404, b"{}")
        else:
            super().do_GET()


@pytest.fixture
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as http:
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture
def silent() -> Iterator[str]:
    """A door that opens and behind which nobody speaks."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"


def complaint(template: str = TEMPLATE, exit_code: int = 5) -> str:
    """What `fetch_bars` says about the first file under a template, within seconds and with this exit code."""
    uri = template.format(symbol="AAPL", yyyy="2024", mm="01")
    file = {"uri": uri, "symbol": "AAPL", "month": "2024-01", "size": 1, "md5": "1" * 32, "generation": "1"}
    start = time.monotonic()
    with pytest.raises(PipelineError) as caught:
        fetched([file])
    assert (caught.value.exit_code, time.monotonic() - start < 5) == (exit_code, True)
    return str(caught.value)


def shorten(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the limits on waiting, by default of seconds: the test waits it out."""
    assert getattr(bucket_access, limit) >= 3.0
    monkeypatch.setattr(bucket_access, limit, 0.3)


def test_a_missing_bucket_is_named(bucket: str) -> None:
    assert "does bucket 'nobodys' exist?" in complaint(TEMPLATE.replace(BUCKET, "nobodys"), exit_code=2)


@pytest.mark.parametrize(
    ("refusing", "words"),
    [
        (Refusing, r"may not be used with the present credentials.*gcloud auth"),
        (Unauthorized, r"the credentials for gs://.* do not work \(HTTP 401\).*gcloud auth"),
        (Overloaded, r"does not answer \(HTTP 503.*check the network"),
    ],
    indirect=["refusing"],
)
def test_a_refused_login_is_reported_with_its_reason_and_remedy(
    refusing: str, words: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_to(refusing, monkeypatch)
    assert re.search(words, complaint())


def revoked_key(refusing: str) -> dict[str, str]:
    """A key of a service account, with which no login succeeds there."""
    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"type": "service_account", "client_email": "x@y.z", "private_key": pem, "token_uri": f"{refusing}/token"}


@pytest.mark.parametrize("refusing", [Refusing], indirect=True)
def test_a_key_that_was_revoked_is_reported_as_such(
    refusing: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would try such a key for half a minute, and then call it a bucket that does not answer."""
    speak_to(refusing, monkeypatch, token=revoked_key(refusing))
    assert re.search("the credentials for gs://.*gcloud auth", complaint())


@pytest.mark.parametrize("refusing", [ObjectsOnly], indirect=True)
def test_reading_objects_needs_no_right_to_list_the_bucket(
    refusing: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_to(refusing, monkeypatch)

    preflight("gs://theirs/listed.parquet")
    with pytest.raises(ConfigurationError, match="may not be used"):
        preflight("gs://theirs/{symbol}.parquet")


@pytest.mark.parametrize("refusing", [ObjectsListed], indirect=True)
def test_using_objects_needs_no_right_to_look_at_the_bucket(
    refusing: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_to(refusing, monkeypatch)

    preflight("gs://team/partitions", "storage.root")
    preflight("gs://team", "storage.root")


def test_a_login_that_waits_is_given_up_within_seconds(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    from gcsfs.credentials import GoogleCredentials

    speak_to(silent, monkeypatch)
    monkeypatch.setattr(GoogleCredentials, "connect", lambda *_, **__: threading.Event().wait(20))
    shorten("LOGIN_SEC", monkeypatch)
    assert "the login to bucket 'team' did not succeed within 0.3 s" in complaint()


def test_a_dead_endpoint_is_reported_within_seconds(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speak_to(f"http://127.0.0.1:{free_port()}", monkeypatch)
    assert "does not answer" in complaint()


def test_an_endpoint_that_says_nothing_is_reported_within_seconds(
    silent: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_to(silent, monkeypatch)
    shorten("FIRST_ANSWER_SEC", monkeypatch)
    assert "does not answer" in complaint()


def test_broken_credentials_are_reported_as_such(bucket: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speak_to(bucket, monkeypatch, token={"type": "authorized_user"})
    assert "credentials" in complaint()


def test_a_look_into_a_bucket_finds_layout_and_columns_and_many_symbols_are_read_once(
    bucket: str, workspace: Path
) -> None:
    vendors.massive(workspace / "flat")
    for path in (workspace / "flat").rglob("*.gz"):
        put(bucket, f"flat/{path.name}", path.read_bytes())
    seen = inspect(f"gs://{BUCKET}/flat")
    assert seen.source.uri_template == f"gs://{BUCKET}/flat/{{yyyy}}-{{mm}}-{{dd}}.csv.gz"
    assert (seen.source.kind, seen.source.unit, seen.symbols) == ("gcs", "ns", vendors.SYMBOLS)
    listed = files_of(seen.source, vendors.SYMBOLS)
    assert [file["day"] for file in listed] == vendors.CALENDAR["session"].cast(pl.String).to_list()
    manifest = {"symbols": list(vendors.SYMBOLS), "files": listed}
    (workspace / "aside").mkdir()
    given, fetch = bars_to_fetch(
        manifest, seen.source, pl.DataFrame(), Writer(str(workspace / "aside"), in_bucket=False)
    )
    close = fetch("MSFT", *(part.read() for part in given["MSFT"]))[0]["close"]
    assert close.to_list() == vendors.BARS["MSFT"]["close"].to_list()
