"""How a script starts, speaks and ends: one summary line, one sentence for a user's problem, the right exit code.

Where DVC runs a stage at a terminal, its name stands beside the time it takes until it has said what it did.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

from stages.errors import Interrupted, PipelineError
from stages.outside.progress import clear, clock

STARTED_SEC = time.perf_counter()


def say(verb: str, **facts: object) -> None:
    """One line of what a stage did and how long it took: `check_data: sessions=144 dropped=0 seconds=1.2`."""
    clear()
    facts |= {"seconds": round(time.perf_counter() - STARTED_SEC, 1)}
    words = " ".join(f"{name}={_short(value)}" for name, value in facts.items())
    print(f"{verb}: {words}", flush=True)


def run(main: Callable[[], None]) -> None:
    """Run `main`; a `PipelineError` or Ctrl-C becomes one sentence on stderr and its exit code."""
    try:
        with clock(os.environ["DVC_STAGE"]) if "DVC_STAGE" in os.environ else nullcontext():
            main()
    except PipelineError as error:
        from rich.console import Console  # only who fails pays for its import

        Console(stderr=True, highlight=False, soft_wrap=True).print("[red]error[/red] ", end="")
        print(error, file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("SIGINT ended this run: what it had finished is kept, run it again.", file=sys.stderr, flush=True)
        sys.exit(Interrupted.exit_code)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
