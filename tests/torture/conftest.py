"""The torture uses the same shops and servers as the tests of `stages/outside`."""

from tests.outside.conftest import clock, keeper, server

__all__ = ["clock", "keeper", "server"]
