"""The panel that no hashed file may hold tells what the ledger holds."""

from stages.commands.page import spend_section

RUN = {
    "ended_utc": "2025-01-02T15:00:00.000000+00:00", "run": "r1", "experiment": "workspace", "questions": 40,
    "from_store": 30, "bought": 10, "calls": {"answered": 10},
}  # fmt: skip


def test_hits_are_the_share_of_questions_that_lay_in_the_store_already():
    (table,) = spend_section([RUN], [{"state": "answered"}] * 10).grids
    assert table.rows[0].cells == ("2025-01-02T15:00:00Z", "r1", "workspace", "40", "75", "10")


def test_refunded_requests_are_not_counted_and_damaged_records_are_not_hidden():
    section = spend_section(
        [RUN, {"damaged": True}], [{"state": "answered"}, {"state": "refunded"}, {"state": "unknown"}]
    )
    assert section.sentences[0].startswith("2 requests counted in the ledger's latest days, 2 runs in its records.")
    assert len(section.grids[0].rows) == 1


def test_a_repository_that_never_bought_anything_says_so_in_one_line():
    section = spend_section([], [])
    assert section.sentences[0].startswith("0 requests counted")
    assert section.grids == ()
