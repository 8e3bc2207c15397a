"""The panels that no hashed file may hold tell what ledger, trial log and git hold."""

from stages.commands.live_sections import openings, spend, trials
from stages.trading.trials import Entry

RUN = {
    "ended_utc": "2025-01-02T15:00:00.000000+00:00", "run": "r1", "experiment": "workspace", "questions": 40,
    "from_store": 30, "bought": 10, "calls": {"answered": 10},
}  # fmt: skip
HERE = ("bars", "a study")


def test_hits_are_the_share_of_questions_that_lay_in_the_store_already():
    (table,) = spend([RUN], [{"state": "answered"}] * 10).grids
    assert table.rows[0].cells == ("2025-01-02T15:00:00Z", "r1", "workspace", "40", "75", "10")


def test_hits_over_runs_weigh_each_run_by_its_questions():
    replayed = RUN | {"questions": 160, "from_store": 160, "bought": 0}
    sentence = "Over these runs 95.0 % of 200 questions were answered from the store, 10 answers bought."
    assert spend([RUN, replayed], []).sentences[-1] == sentence


def test_refunded_requests_are_not_counted_and_damaged_records_are_not_hidden():
    section = spend([RUN, {"damaged": True}], [{"state": "answered"}, {"state": "refunded"}, {"state": "unknown"}])
    assert section.sentences[0].startswith(
        "2 requests counted in the ledger's latest days, 2 runs in its latest records."
    )
    assert len(section.grids[0].rows) == 1


def test_a_repository_that_never_bought_anything_says_so_in_one_line():
    section = spend([], [])
    assert section.sentences[0].startswith("0 requests counted")
    assert len(section.sentences) == 1
    assert section.grids == ()


def test_a_variant_that_was_tried_twice_is_counted_once_and_studies_are_counted_apart():
    log = [Entry(*HERE, ("v1", "v2")), Entry(*HERE, ("v2", "v3")), Entry("bars", "another", ("v1",))]
    section = trials(log, HERE, None)
    assert section.sentences[0].startswith("3 variants of this source and study are in this machine's trial log.")
    assert [row.cells for row in section.grids[0].rows] == [("bars", "a study", "3"), ("bars", "another", "1")]
    assert "`make null`" in section.sentences[-1]


def test_the_share_that_luck_passes_is_shown_with_its_interval():
    rate = {"passed": 1, "n": 20, "share": 0.05, "ci": [0.001265, 0.248733]}
    found = {null: dict.fromkeys(("forecast", "trading", "verdict"), rate) for null in ("dates", "markets")}
    (table,) = trials([], HERE, found).grids
    assert len(table.rows) == 6
    assert table.rows[-1].cells == ("markets of random walks", "both, as a run must", "1", "20", "0.1 to 24.9 %")


def test_every_opening_says_where_it_is_on_record():
    section = openings("bars", {"s1": "commit abc", "s2": "trial log"})
    assert section.sentences[0].startswith("The holdout of source bars was opened for 2 strategies")
    assert [row.cells for row in section.grids[0].rows] == [("s1", "commit abc"), ("s2", "trial log")]


def test_a_clone_that_lacks_earlier_commits_says_so_beside_its_openings():
    assert "may be more" not in " ".join(openings("bars", {"s1": "commit abc"}).sentences)
    assert "may be more" in " ".join(openings("bars", {"s1": "commit abc"}, shallow=True).sentences)


def test_months_that_one_strategy_opened_are_openings_of_one_strategy():
    section = openings("bars", {"s1 for 2025-02": "commit abc", "s1 for 2025-03": "trial log"})
    assert section.sentences[0].startswith("The holdout of source bars was opened for 1 strategy")
    assert len(section.grids[0].rows) == 2
