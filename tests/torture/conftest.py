"""The torture uses the same contexts and servers as the tests of `stages/paid`."""

from tests.support.fixtures import clock, contexts, pytest_runtest_makereport, server

__all__ = ["clock", "contexts", "pytest_runtest_makereport", "server"]
