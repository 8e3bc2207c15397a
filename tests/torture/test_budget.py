"""The purse under torture: kills and races at length. Counts come from the server, numbers are printed.

Run with `make torture`.
"""

import hashlib
import os
import random
import string
from collections import Counter
from pathlib import Path

import pytest

from stages.errors import ConfigurationError
from stages.paid.reservations import DAYS
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.crowd import at_length, counted, exit_codes, ledger_watched, start, tell, until
from tests.support.timegpt_server import KEY, TimeGPTServer
from tests.unpacked import unpacked

pytestmark = pytest.mark.torture


def test_kill_nine_at_random_instants(contexts: ContextFactory, server: TimeGPTServer):
    """Kills, each within 20 ms after some request arrived: in flight, while storing, claiming or reserving."""
    server.seconds = 0.003
    snapshots, kills, limit = at_length(200), 0, 1000
    moments = random.Random(20261122)
    with ledger_watched(contexts, server) as wrong:
        while kills < at_length(120):
            reached = server.sent + moments.randint(0, 3)
            buyer = start(contexts, ["AAA", "BBB"], range(snapshots), per_day=limit)
            until(lambda buyer=buyer, reached=reached: server.sent > reached or buyer.exitcode is not None)
            buyer.join(moments.uniform(0.0, 0.02))
            if buyer.exitcode is None:
                buyer.kill()
                kills += 1
            else:
                snapshots += 50  # all were bought before the last kill: want more
            buyer.join()
        codes = exit_codes([start(contexts, ["AAA", "BBB"], range(snapshots), per_day=limit)])
    store = contexts.context().store
    lost = 2 * snapshots - store.size()
    tell(
        "kill -9",
        kills=kills,
        questions=2 * snapshots,
        calls_paid=server.billed,
        calls_needed=snapshots,
        lost=lost,
        overspent=max(0, server.sent - limit),
        ledger=counted(contexts),
    )
    assert codes == [0]
    assert wrong == []
    assert lost == 0
    assert server.billed <= snapshots + kills
    assert server.sent <= counted(contexts) <= limit
    assert list(store.damaged()) == []


def test_kill_nine_never_breaks_a_small_budget(contexts: ContextFactory, server: TimeGPTServer):
    """Twice as many killed buyers as the budget has requests."""
    moments, limit = random.Random(5), at_length(100)
    with ledger_watched(contexts, server) as wrong:
        for number in range(at_length(200)):
            buyer = start(contexts, [f"SYM{number}"], range(3), per_day=limit)
            buyer.join(moments.uniform(0.0, 0.15))
            buyer.kill()
            buyer.join()
        exit_codes([start(contexts, ["LAST"], range(limit), per_day=limit)])
    tell("kill -9, small budget", kills=number + 1, limit=limit, sent=server.sent, ledger=counted(contexts))
    assert wrong == []
    assert server.sent <= counted(contexts) == limit


def test_eight_buyers_of_the_same_fifty_keys(contexts: ContextFactory, server: TimeGPTServer):
    codes = exit_codes([start(contexts, ["AAA"], range(50)) for _ in range(8)])
    tell("single flight", buyers=8, keys=50, paid=server.billed)
    assert codes == [0] * 8
    assert server.billed == 50


@pytest.mark.parametrize("limit", [0, 1, 20])
def test_sixteen_buyers_race_for_a_budget(limit: int, contexts: ContextFactory, server: TimeGPTServer):
    with ledger_watched(contexts, server) as wrong:
        codes = exit_codes([start(contexts, [f"SYM{n}"], range(4), per_day=limit) for n in range(16)])
    tell("budget race", buyers=16, wanted=64, limit=limit, sent=server.sent)
    assert wrong == []
    assert set(codes) <= {0, 4}
    assert server.sent == limit


def test_no_buyer_is_refused_while_a_reservation_is_free(contexts: ContextFactory, server: TimeGPTServer):
    """As many reservations as requests are wanted: whoever is refused was refused wrongly."""
    codes = exit_codes([start(contexts, [f"SYM{n}"], range(2), per_day=32) for n in range(16)])
    tell("just enough", buyers=16, wanted=32, limit=32, sent=server.sent, refused=sum(map(bool, codes)))
    assert codes == [0] * 16
    assert server.sent == 32


def test_mixed_limits_spend_no_more_than_the_largest(contexts: ContextFactory, server: TimeGPTServer):
    limits = [5, 10, 15, 20] * 4
    exit_codes([start(contexts, [f"SYM{n}"], range(4), per_day=limit) for n, limit in enumerate(limits)])
    tell("mixed limits", limits="5,10,15,20", sent=server.sent)
    assert server.sent == 20


def test_a_nearly_full_row_gives_its_last_reservations_once(contexts: ContextFactory, server: TimeGPTServer):
    exit_codes([start(contexts, ["FILL"], range(17), per_day=20)])
    codes = exit_codes([start(contexts, [f"SYM{n}"], range(2), per_day=20) for n in range(16)])
    tell("nearly full", free=3, sent=server.sent - 17)
    assert server.sent == 20
    assert set(codes) <= {0, 4}


def test_a_gap_in_the_numbers_of_reservations_stops_every_run(contexts: ContextFactory, server: TimeGPTServer):
    exit_codes([start(contexts, ["FILL"], range(8))])
    day = next(iter(contexts.context().ledger.objects.names(DAYS)))
    for reservation in (contexts.root / DAYS / day).glob("0003-0.*"):
        reservation.unlink()
    codes = exit_codes([start(contexts, [f"SYM{n}"], range(2)) for n in range(8)])
    tell("gap", sent_after=server.sent - 8)
    assert codes == [4] * 8
    assert server.sent == 8


def test_nothing_of_the_key_lies_anywhere(contexts: ContextFactory, server: TimeGPTServer, tmp_path: Path):
    """Neither the key nor one of its digests, in any file of the store, whatever the service answered."""
    for behaviour in ("401_echo", "503", "garbage", "crossed", None):
        server.always(behaviour)
        exit_codes([start(contexts, ["AAA"], range(1))])
    secrets = [KEY.encode(), *(hashlib.new(name, KEY.encode()).hexdigest().encode() for name in ("md5", "sha256"))]
    contents = [unpacked(path) for path in tmp_path.rglob("*") if path.is_file()]
    assert contents
    assert not [secret for secret in secrets for content in contents if secret in content]


def test_a_request_that_is_refused_for_its_size_pays_nothing_twice(contexts: ContextFactory, server: TimeGPTServer):
    """46 questions travel together; the service takes from 1 to 46 of them, or refuses one for itself."""
    for number, most in enumerate((1, 2, 5, 11, 12, 23, 45, 46)):
        server.judge = lambda body, most=most: "413" if len(body["series"]["sizes"]) > most else None
        wanted = questions([f"S{number}{letter}" for letter in string.ascii_letters[:46]], range(1))
        before = Counter(server.requests), server.billed
        assert len(contexts.backend().answer(wanted)) == 46
        tell("413", taken=most, requests=server.requests["forecast"] - before[0]["forecast"],
             billed=server.billed - before[1])  # fmt: skip
    assert max(server.series_billed.values()) == 1
    assert server.sent == counted(contexts)
    assert not list(contexts.root.glob("refused/*"))
    places = range(46) if os.environ.get("AT_LENGTH") else (0, 7, 22, 45)
    for refused, objects in enumerate(places, start=1):
        wanted = [asked(f"T{objects}.{n}", rows=1101 if n == objects else 1100) for n in range(46)]
        server.judge = lambda body: "422" if 1101 in body["series"]["sizes"] else None
        with pytest.raises(ConfigurationError, match="says 422"):
            contexts.backend().answer(wanted)
        assert len(list(contexts.root.glob("refused/*"))) == refused
    tell("one bad of 46", places=refused, kept=contexts.context().store.size() - 8 * 46, wanted=45 * refused)
    assert contexts.context().store.size() == 8 * 46 + 45 * refused
    assert max(server.series_billed.values()) == 1
