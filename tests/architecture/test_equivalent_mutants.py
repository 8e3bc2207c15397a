"""The list of mutants that nobody could notice follows the code: a line whose code is gone would hide nothing."""

from tests.mutants import equivalents


def test_every_listed_mutant_exists_and_has_a_reason():
    assert equivalents()
