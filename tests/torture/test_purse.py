"""The purse under torture: kills, races and pauses at length. Counts come from the server, numbers are printed.

Run with `pytest -m torture -s tests/torture`.
"""

import random
import signal
from os import kill
from pathlib import Path
from typing import Any

import pytest

from stages.outside.bucket_place import open_remote
from stages.outside.paid.ledger import DAYS
from stages.outside.paid.seats import Row, held
from stages.outside.places import Place
from stages.outside.workspace import Remote
from tests.outside.crowd import counted, exit_codes, ledger_watched, start, until
from tests.outside.gcs_server import BUCKET, gcs_server
from tests.outside.shops import ShopKeeper
from tests.outside.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


def bucket_at(url: str) -> Place:
    options = {"endpointurl": url, "allow_anonymous_login": True, "projectname": "test"}
    return open_remote(Remote(name="team", url=f"gs://{BUCKET}/dvc", options=options))


def tell(name: str, **numbers: Any) -> None:
    print(f"\n{name}: " + " ".join(f"{key}={value}" for key, value in numbers.items()))


def test_kill_nine_at_random_instants(keeper: ShopKeeper, server: TimeGPTServer):
    """120 kills, each within 20 ms after some request arrived: in flight, while storing, claiming or reserving."""
    server.seconds = 0.003
    wanted, kills, limit = range(240), 0, 600
    moments = random.Random(20261122)
    with ledger_watched(keeper, server) as wrong:
        while kills < 120:
            reached = server.sent + moments.randint(0, 3)
            buyer = start(keeper, ["AAA", "BBB"], wanted, per_day=limit)
            until(lambda buyer=buyer, reached=reached: server.sent > reached or buyer.exitcode is not None)
            buyer.join(moments.uniform(0.0, 0.02))
            if buyer.exitcode is None:
                buyer.kill()
                kills += 1
            buyer.join()
        codes = exit_codes([start(keeper, ["AAA", "BBB"], wanted, per_day=limit)])
    store = keeper.shop().store
    lost = 2 * len(wanted) - store.size()
    tell(
        "kill -9",
        kills=kills,
        questions=2 * len(wanted),
        calls_paid=server.billed,
        calls_needed=len(wanted),
        lost=lost,
        overspent=max(0, server.sent - limit),
        ledger=counted(keeper),
    )
    assert codes == [0]
    assert wrong == []
    assert lost == 0
    assert server.billed <= len(wanted) + kills
    assert server.sent <= counted(keeper) <= limit
    assert list(store.damaged()) == []


def test_kill_nine_never_breaks_a_small_budget(keeper: ShopKeeper, server: TimeGPTServer):
    """200 killed buyers against a budget of 25."""
    moments = random.Random(5)
    with ledger_watched(keeper, server) as wrong:
        for number in range(200):
            buyer = start(keeper, [f"SYM{number}"], range(3), per_day=25)
            buyer.join(moments.uniform(0.0, 0.15))
            buyer.kill()
            buyer.join()
        exit_codes([start(keeper, ["LAST"], range(30), per_day=25)])
    tell("kill -9, small budget", kills=200, limit=25, sent=server.sent, ledger=counted(keeper))
    assert wrong == []
    assert server.sent <= counted(keeper) == 25


def test_eight_buyers_of_the_same_fifty_keys(keeper: ShopKeeper, server: TimeGPTServer):
    codes = exit_codes([start(keeper, ["AAA"], range(50)) for _ in range(8)])
    tell("single flight", buyers=8, keys=50, paid=server.billed)
    assert codes == [0] * 8
    assert server.billed == 50


@pytest.mark.parametrize("limit", [0, 1, 20])
def test_sixteen_buyers_race_for_a_budget(limit: int, keeper: ShopKeeper, server: TimeGPTServer):
    with ledger_watched(keeper, server) as wrong:
        codes = exit_codes([start(keeper, [f"SYM{n}"], range(4), per_day=limit) for n in range(16)])
    tell("budget race", buyers=16, wanted=64, limit=limit, sent=server.sent)
    assert wrong == []
    assert set(codes) <= {0, 4}
    assert server.sent == limit


def test_mixed_limits_spend_no_more_than_the_largest(keeper: ShopKeeper, server: TimeGPTServer):
    limits = [5, 10, 15, 20] * 4
    exit_codes([start(keeper, [f"SYM{n}"], range(4), per_day=limit) for n, limit in enumerate(limits)])
    tell("mixed limits", limits="5,10,15,20", sent=server.sent)
    assert server.sent == 20


def test_a_nearly_full_row_gives_its_last_seats_once(keeper: ShopKeeper, server: TimeGPTServer):
    exit_codes([start(keeper, ["FILL"], range(17), per_day=20)])
    codes = exit_codes([start(keeper, [f"SYM{n}"], range(2), per_day=20) for n in range(16)])
    tell("nearly full", free=3, sent=server.sent - 17)
    assert server.sent == 20
    assert set(codes) <= {0, 4}


def test_a_gap_in_the_row_stops_everybody(keeper: ShopKeeper, server: TimeGPTServer):
    exit_codes([start(keeper, ["FILL"], range(8))])
    day = next(iter(keeper.shop().ledger.place.names(DAYS)))
    for seat in (keeper.root / DAYS / day).glob("0003-0.*"):
        seat.unlink()
    codes = exit_codes([start(keeper, [f"SYM{n}"], range(2)) for n in range(8)])
    tell("gap", sent_after=server.sent - 8)
    assert codes == [4] * 8
    assert server.sent == 8


def test_pauses_at_random_instants_never_pay_twice(keeper: ShopKeeper, server: TimeGPTServer):
    """40 rounds: one of two buyers of the same keys is stopped somewhere, and goes on later."""
    server.seconds = 0.005
    moments, rounds = random.Random(11), 40
    for number in range(rounds):
        buyers = [start(keeper, [f"SYM{number}"], range(6)) for _ in range(2)]
        buyers[0].join(moments.uniform(0.0, 0.25))
        if buyers[0].exitcode is None:
            kill(buyers[0].pid, signal.SIGSTOP)
            buyers[1].join(0.3)
            kill(buyers[0].pid, signal.SIGCONT)
        assert exit_codes(buyers) == [0, 0]
    tell("SIGSTOP", rounds=rounds, keys=6 * rounds, paid=server.billed)
    assert server.billed == 6 * rounds


def test_a_pause_while_the_request_is_in_flight(keeper: ShopKeeper, server: TimeGPTServer):
    server.seconds = 0.3
    first = start(keeper, ["AAA"], range(2))
    until(lambda: server.sent == 1)
    kill(first.pid, signal.SIGSTOP)
    second = start(keeper, ["AAA"], range(2))
    second.join(1.5)
    kill(first.pid, signal.SIGCONT)
    assert exit_codes([first, second]) == [0, 0]
    assert server.billed == 2


def test_nothing_of_the_key_lies_anywhere(keeper: ShopKeeper, server: TimeGPTServer, tmp_path: Path):
    from tests.outside.timegpt_server import KEY

    for behaviour in ("401_echo", "503", "garbage", "crossed", None):
        server.always(behaviour)
        exit_codes([start(keeper, ["AAA"], range(1))])
    found = [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert found == []


def test_sixteen_buyers_on_sixteen_machines_race_for_a_bucket(tmp_path: Path, server: TimeGPTServer):
    """One budget of 20 on a Cloud Storage server, each buyer with a cache of its own."""
    with gcs_server(tmp_path / "log") as url:
        keepers = [ShopKeeper(tmp_path / str(n), server.url, bucket_at(url)) for n in range(16)]
        buyers = [start(one, [f"SYM{n}"], range(4), scope="remote", per_day=20) for n, one in enumerate(keepers)]
        codes = exit_codes(buyers)
        seats = Row(bucket_at(url), f"{DAYS}/{bucket_at(url).names(DAYS)[0]}").taken()
    tell("bucket race", buyers=16, wanted=64, limit=20, sent=server.sent, seats=held(seats))
    assert set(codes) <= {0, 4}
    assert server.sent == 20 == held(seats)


def test_kill_nine_on_a_bucket(tmp_path: Path, server: TimeGPTServer):
    """60 buyers of other keys, killed after their first request, against a budget of 60 on a Cloud Storage server."""
    moments = random.Random(3)
    with gcs_server(tmp_path / "log") as url:
        for number in range(60):
            keeper = ShopKeeper(tmp_path / str(number), server.url, bucket_at(url))
            buyer = start(keeper, [f"SYM{number}"], range(3), scope="remote", per_day=60)
            sent = server.sent
            until(lambda buyer=buyer, sent=sent: server.sent > sent or buyer.exitcode is not None)
            buyer.join(moments.uniform(0.0, 0.3))
            buyer.kill()
            buyer.join()
        seats = Row(bucket_at(url), f"{DAYS}/{bucket_at(url).names(DAYS)[0]}").taken()
    tell("kill -9 on a bucket", kills=60, limit=60, sent=server.sent, seats=held(seats))
    assert server.sent <= held(seats) <= 60


def test_machines_racing_for_the_same_keys_pay_each_once(tmp_path: Path, server: TimeGPTServer):
    server.seconds = 0.02
    with gcs_server(tmp_path / "log") as url:
        keepers = [ShopKeeper(tmp_path / str(n), server.url, bucket_at(url)) for n in range(4)]
        codes = exit_codes([start(one, ["AAA"], range(10), scope="remote", timeout_sec=60) for one in keepers])
    tell("one flight over machines", machines=4, keys=10, paid=server.billed)
    assert codes == [0] * 4
    assert server.billed == 10
