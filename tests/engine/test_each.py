"""Results come by key, each as soon as all before it are done, so that whoever adds them up need not keep them."""

import pytest

from stages.engine import engine


def test_a_result_waits_for_those_before_it_and_for_no_other(monkeypatch: pytest.MonkeyPatch):
    done = []

    def in_another_order(named, partitions):
        for key in "BADC":
            done.append(key)
            yield named(key, partitions[key])

    monkeypatch.setattr(engine, "chosen_engine", lambda: in_another_order)
    seen = [(key, n, "".join(done)) for key, n in engine.each(len_of, dict.fromkeys("DCBA", "xy"), "counting")]
    assert seen == [("A", 2, "BA"), ("B", 2, "BA"), ("C", 2, "BADC"), ("D", 2, "BADC")]


def len_of(_: str, text: str) -> int:
    return len(text)
