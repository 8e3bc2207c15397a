"""Fixtures that these tests share with others."""

from tests.support.fixtures import pytest_runtest_makereport, server

__all__ = ["pytest_runtest_makereport", "server"]
