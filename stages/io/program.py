"""One run of a program of the user's: lines to its stdin, lines from its stdout; its stderr is kept for an error.

It runs without a shell, in the working directory and in its own process group, which is killed at the end. It may
answer while it still reads, or after it has read everything.

*Units*: seconds.
*Errors*: `ConfigurationError` (exit 5) when it cannot be started; `ProgramFailed` when it goes silent or writes an
endless line, after printing its last lines of stderr.
"""

import os
import signal
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import IO, Self

from stages.errors import ConfigurationError
from stages.io.clock import INTERRUPTS
from stages.io.terminal import print_to_stderr

LONGEST_LINE = 50_000_000  # bytes
SHOWN_LINES, SHOWN_CHARACTERS = 10, 300
GRACE_SEC = 1.0  # for the last lines of a process that has ended


class ProgramFailed(Exception):
    """How a program broke its contract, in words that follow its name."""


class Program:
    """One run of a program, as a context manager: at the end of the block its whole process group is killed."""

    def __init__(self, command: Sequence[str], silence_sec: float, environment: Mapping[str, str]) -> None:
        self._silence_sec = silence_sec
        self._lines: Queue[bytes | None] = Queue()
        self._last_words: deque[str] = deque(maxlen=SHOWN_LINES)
        self._threads: list[Thread] = []
        self._unsent: Exception | None = None
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(  # noqa: S603  # the user's own program, in words of params
                command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
            )
        except OSError as error:
            raise ConfigurationError(
                f"the program `{' '.join(command)}` of forecaster.command cannot be started ({error.strerror}): name "
                "one that runs from the project's root."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join(GRACE_SEC)

    def answers(self, questions: Iterable[bytes]) -> Iterator[bytes]:
        """Send every line of `questions`, and yield each line of the output that is not empty, as it comes.

        `questions` is read in another thread; an error there is raised here at the end.
        """
        for work, pipe in (
            (self._read, self._process.stdout),
            (self._listen, self._process.stderr),
            (lambda stdin: self._send(stdin, questions), self._process.stdin),
        ):
            self._threads.append(Thread(target=work, args=(pipe,), daemon=True))
            self._threads[-1].start()
        while (line := self._next()) is not None:
            if len(line) > LONGEST_LINE:
                raise self.failed(f"wrote a line of more than {LONGEST_LINE:,} bytes")
            yield line
        if self._unsent is not None:
            raise self._unsent

    def ending(self) -> str | None:
        """How it ended, after its output did; None for exit code 0."""
        try:
            with INTERRUPTS.waiting():
                code = self._process.wait(self._silence_sec)
        except subprocess.TimeoutExpired:
            return f"closed its output and did not end within {self._silence_sec:g} s (api.silence_sec)"
        if code < 0:
            return f"was ended by signal {-code} ({signal.strsignal(-code)})"
        return f"ended with exit code {code}" if code else None

    def failed(self, what: str) -> ProgramFailed:
        """The error to raise, after printing the program's last lines of stderr."""
        if self._process.poll() is not None:
            self._threads[1].join(GRACE_SEC)
        for line in self._last_words:
            print_to_stderr(f"  | {line}")
        where = "its last lines on stderr are above" if self._last_words else "it wrote nothing on stderr"
        return ProgramFailed(f"{what}; {where}")

    def _next(self) -> bytes | None:
        with INTERRUPTS.waiting():
            try:
                return self._lines.get(timeout=self._silence_sec)
            except Empty:
                raise self.failed(
                    f"gave no answer for {self._silence_sec:g} s (api.silence_sec), so it was ended"
                ) from None

    def _send(self, stdin: IO[bytes], questions: Iterable[bytes]) -> None:
        try:
            for line in questions:
                try:
                    stdin.write(line)
                except OSError:  # it has ended: its exit code says how
                    break
        except Exception as error:
            self._unsent = error
        finally:
            with suppress(OSError):
                stdin.close()

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in iter(lambda: stdout.readline(LONGEST_LINE + 1), b""):
                if line.strip():  # an empty line does not end a silence
                    self._lines.put(line)
        self._lines.put(None)

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            for line in iter(lambda: stderr.readline(LONGEST_LINE), b""):
                self._last_words.append(line.decode("utf-8", "replace").rstrip()[:SHOWN_CHARACTERS])
