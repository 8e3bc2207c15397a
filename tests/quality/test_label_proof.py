"""No made-up feed is ordered into the other label, and few stay undecided; `make label-proof` does 2,000."""

import pytest

from tests.benchmarks.bench_labels import answers
from tests.quality.label_feeds import drawn


@pytest.mark.torture  # a hundred feeds
@pytest.mark.parametrize(
    "first", [10_000, 20_000], ids=["one hundred", "another hundred"]
)  # not those it was made with
def test_of_a_hundred_feeds_none_is_read_wrongly_and_few_stay_undecided(first: int) -> None:
    found = answers(map(drawn, range(first, first + 100)))
    ample = {one: sum(feeds for (_, is_ample, said), feeds in found.items() if is_ample and said == one) for one in
             ("right", "undecided")}  # fmt: skip

    assert sum(found.values()) == 100
    assert [feeds for (_, _, said), feeds in found.items() if said == "wrong"] == []
    assert ample["undecided"] <= 0.05 * (ample["right"] + ample["undecided"])
