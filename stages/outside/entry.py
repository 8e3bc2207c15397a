"""How a script starts, speaks and ends: one summary line, one sentence for a user's problem, the right exit code."""

import sys
from collections.abc import Callable

from stages.errors import PipelineError


def say(verb: str, **facts: object) -> None:
    """One line of what a stage did: `check_data: sessions=144 dropped=0`."""
    words = " ".join(f"{name}={_short(value)}" for name, value in facts.items())
    print(f"{verb}: {words}", flush=True)


def run(main: Callable[[], None]) -> None:
    """Run `main`; a `PipelineError` becomes one sentence on stderr and its exit code."""
    try:
        main()
    except PipelineError as error:
        from rich.console import Console  # only who fails pays for its import

        Console(stderr=True, highlight=False, soft_wrap=True).print("[red]error[/red] ", end="")
        print(error, file=sys.stderr, flush=True)
        sys.exit(error.exit_code)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
