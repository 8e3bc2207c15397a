"""The driver and its partitions: an engine may run a partition more than once, so what costs money is the driver's.

*Errors*: `ConfigurationError` (exit 5) when work on a partition reaches for the paid backend.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from stages.errors import ConfigurationError

_partition: ContextVar[str | None] = ContextVar("partition", default=None)


@contextmanager
def in_partition(key: str) -> Iterator[None]:
    """Whatever runs in the block, in this process or on another machine, is work on the partition `key`."""
    token = _partition.set(key)
    try:
        yield
    finally:
        _partition.reset(token)


def demand_driver(what: str) -> None:
    """Refuse to do within a partition what must happen at most once."""
    key = _partition.get()
    if key is not None:
        raise ConfigurationError(
            f"work on partition {key} tried to open {what}: only the driver buys, since an engine may run a partition "
            "twice. Ask in the stage's main(), outside of stages.outside.engine.run."
        )
