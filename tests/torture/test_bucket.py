"""Machines that share a bucket under torture: the fake-gcs-server binary, a cache of its own for each buyer.

Counts come from the service and from the bucket; numbers are printed.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.io.bucket_store import open_remote
from stages.io.object_store import ObjectStore
from stages.io.workspace import Remote
from stages.paid.records import path_of
from stages.paid.reservations import DAYS, ReservationLog, held
from tests.support.contexts import ContextFactory, questions
from tests.support.crowd import at_length, exit_codes, start, tell, until
from tests.support.gcs_server import BUCKET, gcs_server
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[ObjectStore]:
    """A new bucket on a server of its own."""
    with gcs_server(tmp_path / "log") as url:
        options = {"endpointurl": url, "allow_anonymous_login": True, "projectname": "test"}
        yield open_remote(Remote(name="team", url=f"gs://{BUCKET}/dvc", options=options))


def reservations_in(bucket: ObjectStore) -> int:
    return sum(held(ReservationLog(bucket, f"{DAYS}/{day}").taken()) for day in bucket.names(DAYS))


def test_sixteen_machines_race_for_one_budget(tmp_path: Path, server: TimeGPTServer, bucket: ObjectStore):
    limit = 20
    factories = [ContextFactory(tmp_path / str(n), server.url, bucket) for n in range(16)]
    buyers = [start(one, [f"SYM{n}"], range(3), scope="remote", per_day=limit) for n, one in enumerate(factories)]
    codes = exit_codes(buyers)
    tell("bucket race", buyers=16, wanted=48, limit=limit, sent=server.sent, reservations=reservations_in(bucket))
    assert set(codes) <= {0, 4}
    assert server.sent == limit == reservations_in(bucket)


def test_kill_nine_on_a_bucket(tmp_path: Path, server: TimeGPTServer, bucket: ObjectStore):
    """Kills of buyers with keys of their own, four at a time, just after a request or wherever they are."""
    moments, kills, limit = random.Random(3), 0, 1000
    while kills < at_length(200):
        factories = [ContextFactory(tmp_path / str(kills + n), server.url, bucket) for n in range(4)]
        names, reached = [f"S{kills + n}" for n in range(4)], server.sent
        buyers = [
            start(one, [name], range(99), scope="remote", per_day=limit)
            for one, name in zip(factories, names, strict=True)
        ]
        until(lambda reached=reached: server.sent > reached)
        for buyer in buyers:
            buyer.join(moments.uniform(0.0, 0.05))
            kills += buyer.is_alive()
            buyer.kill()
        exit_codes(buyers)
    reservations = reservations_in(bucket)
    tell("kill -9 on a bucket", kills=kills, limit=limit, sent=server.sent, reservations=reservations)
    assert server.sent <= reservations <= server.sent + kills <= limit


def test_machines_that_meet_damage_on_the_bucket_pay_for_it_once(
    tmp_path: Path, server: TimeGPTServer, bucket: ObjectStore
):
    """Ten shared answers, three of them with a flipped bit; four machines with empty stores want all ten at once."""
    server.seconds = 0.02
    wanted = questions(["AAA"], range(10))
    ContextFactory(tmp_path / "first", server.url, bucket).backend(scope="remote").answer(wanted)
    for one in wanted[::4]:
        name = path_of(one.question.key)
        sound = bucket.read(name) or b""
        assert bucket.swap(name, sound, sound.replace(b"0", b"1", 1))
    factories = [ContextFactory(tmp_path / str(n), server.url, bucket) for n in range(4)]
    codes = exit_codes([start(one, ["AAA"], range(10), scope="remote", timeout_sec=60) for one in factories])
    left = list(factories[0].context().store.mend_remote())
    tell("damage on a bucket", machines=4, damaged=3, paid=server.billed - 10, left=len(left))
    assert codes == [0] * 4
    assert server.billed == 10 + 3
    assert left == []


def test_machines_racing_for_the_same_keys_pay_each_once(tmp_path: Path, server: TimeGPTServer, bucket: ObjectStore):
    server.seconds = 0.02
    factories = [ContextFactory(tmp_path / str(n), server.url, bucket) for n in range(4)]
    codes = exit_codes([start(one, ["AAA"], range(10), scope="remote", timeout_sec=60) for one in factories])
    tell("one flight over machines", machines=4, keys=10, paid=server.billed)
    assert codes == [0] * 4
    assert server.billed == 10
