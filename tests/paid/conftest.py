"""Fixtures that these tests share with others."""

from tests.support.fixtures import clock, large_disk, pytest_runtest_makereport, server, small_disk

__all__ = ["clock", "keeper", "large_disk", "pytest_runtest_makereport", "server", "small_disk"]
