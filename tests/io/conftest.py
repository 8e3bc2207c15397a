"""Fixtures that these tests share with others."""

from tests.support.fixtures import cluster_and_bucket, pytest_runtest_makereport, server, small_disk, two_workers

__all__ = ["cluster_and_bucket", "pytest_runtest_makereport", "server", "small_disk", "two_workers"]
