"""Tests of one group run on one worker: what they share, a cluster or a browser, is made once."""

import pytest

pytestmark = pytest.mark.xdist_group("shared")


def test_the_name_of_a_test_ends_with_its_group(request: pytest.FixtureRequest, worker_id: str):
    """`--dist loadgroup` spreads tests by what stands behind the @; with pytest 9.2 nothing did."""
    assert worker_id == "master" or request.node.nodeid.endswith("@shared")
