"""The terminal: progress while a script runs, its one summary line, and its errors with the right exit code.

Progress is shown on stderr at a terminal only and removed at the end; logs, pipes and tests see none. `NO_COLOR` is
respected. Where DVC runs a stage at a terminal, its name and elapsed time are shown until it prints its summary.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from operator import length_hint
from pathlib import Path
from signal import SIGINT, SIGPIPE
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar

from stages.errors import ConfigurationError, DataContractError, PipelineError, shorten
from stages.io.atomic import disk_reason
from stages.io.content import changed_inputs
from stages.io.settings import require_params_as_read
from stages.io.wrapped_text import beneath, broken, fitted, harmless, width

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """The items, with a progress bar; `total` is needed if the items have no length."""
    if not _is_watched():
        yield from items
        return
    with _line(label, total or length_hint(items) or None) as (display, line):
        for item in items:
            yield item
            display.advance(line)


@contextmanager
def clock(label: str) -> Iterator[None]:
    """Show a name and its elapsed time."""
    if not _is_watched():
        yield
        return
    with _line(label, None):
        yield


def clear() -> None:
    """Remove the progress display, before text that should stay."""
    if _is_watched():
        _display().stop()


def _is_watched() -> bool:
    return sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))


@contextmanager
def _line(label: str, total: int | None) -> Iterator[tuple["Progress", "TaskID"]]:
    display = _display()
    display.start()
    line = display.add_task(label, total=total)
    try:
        yield display, line
    finally:
        display.remove_task(line)
        if not display.tasks:
            display.stop()


@cache
def _display() -> "Progress":
    """The one display of this process: a terminal can hold only one."""
    from rich.console import Console  # imported only at a terminal
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(file=beneath(sys.stderr)), transient=True)


STDERR = 2
STARTED_SEC = time.perf_counter()


def say(verb: str, **facts: object) -> None:
    """Print one summary line with the elapsed time: `check_data: sessions=144 dropped=0 seconds=1.2`."""
    clear()
    facts |= {"seconds": round(time.perf_counter() - STARTED_SEC, 1)}
    words = " ".join(f"{name}={_short(value)}" for name, value in facts.items())
    print(f"{verb}: {words}", flush=True)


def print_to_stderr(sentence: object) -> None:
    """Print a sentence on stderr, apart from the output of a command or stage."""
    print(harmless(sentence), file=sys.stderr, flush=True)


def show(paragraphs: Iterable[str], indent: str = "") -> None:
    """Print sentences wrapped at the terminal's width, at most 80 columns; empty ones are left out."""
    for paragraph in filter(None, paragraphs):
        print(broken(paragraph, min(width(), 80), indent))


@contextmanager
def without_panic_text() -> Iterator[None]:
    """Hide the text that Rust prints for a panic, for a block whose caller explains the error in a sentence.

    Rust bypasses Python, so the file descriptor itself is redirected to a file; without a panic the text is printed
    afterwards. The descriptor belongs to the process, so other threads than the main one do not redirect it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        kept = os.dup(STDERR)
        os.dup2(captured.fileno(), STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, STDERR)
            os.close(kept)
            captured.seek(0)
            text = captured.read()
            if b"panicked at" not in text:
                os.write(STDERR, text)


def run(main: Callable[[], None]) -> None:
    """Run `main`; a `PipelineError`, a bad disk or Ctrl-C becomes one sentence on stderr and its exit code.

    So does any error if an input was changed by hand. All other errors are bugs and keep their traceback. A reader that
    goes away (`| head -1`) ends the run silently, with the exit code that a shell gives.
    """
    _replace_closed()
    try:
        try:
            with fitted():
                _run(main)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout, sys.stderr)
        sys.exit(128 + SIGPIPE)
    except KeyboardInterrupt:  # also while an error is shown
        print_to_stderr("SIGINT ended this run: what it had finished is kept; run it again.")
        sys.exit(128 + SIGINT)


def _replace_closed() -> None:
    """Open a closed stream (`>&-`) on the null device, so that no output file takes its descriptor."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode)  # noqa: SIM115  # as long as the process
            os.set_inheritable(nowhere.fileno(), True)
            setattr(sys, name, nowhere)


def _run(main: Callable[[], None]) -> None:
    try:
        with _disk_in_words(), clock(os.environ["DVC_STAGE"]) if "DVC_STAGE" in os.environ else nullcontext():
            if sys.flags.optimize > 1:
                raise ConfigurationError(
                    "Python drops docstrings here (PYTHONOPTIMIZE=2 or -OO), but the drawing library needs them: "
                    "`unset PYTHONOPTIMIZE`, then run again."
                )
            main()
            if "DVC_STAGE" in os.environ:
                require_params_as_read()
            sys.stdout.flush()
    except PipelineError as error:
        _fail(error)
    except BrokenPipeError:
        raise
    except Exception as error:
        if not (changed := changed_inputs(Path(sys.argv[0]).stem)):
            raise
        _fail(
            DataContractError(
                f"{shorten(changed)} changed after the run that dvc.lock records and cannot be used "
                f"({type(error).__name__}: {error}): `make run` makes it again."
            )
        )


def _fail(error: PipelineError) -> NoReturn:
    from rich.console import Console  # imported only on failure

    Console(stderr=True, highlight=False, soft_wrap=True).print("[red]error[/red] ", end="")
    print_to_stderr(error)
    sys.exit(error.exit_code)


@contextmanager
def _disk_in_words() -> Iterator[None]:
    """Explain errors of the disk that no writer explained: of temporary folders, or of the output itself."""
    try:
        yield
    except OSError as error:
        reason = None if isinstance(error, PipelineError) else disk_reason(error)
        if reason is None:
            raise
        if error.filename is None:
            _discard(sys.stdout)
        raise ConfigurationError(f"{error.filename or 'the output'} could not be used: {reason}.") from error


def _discard(*streams: TextIO) -> None:
    """Redirect the streams to the null device, so that Python's last flush does not fail."""
    with Path(os.devnull).open("w") as nowhere:
        for stream in streams:
            os.dup2(nowhere.fileno(), stream.fileno())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
