"""The torture uses the same shops and servers as the tests of `stages/outside`."""

from tests.support.fixtures import clock, pytest_runtest_makereport, server

__all__ = ["clock", "keeper", "pytest_runtest_makereport", "server"]
