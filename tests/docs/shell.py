"""A reader's terminal, and a walk: each command of a page is typed, had work to do, and did it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ENVIRONMENT = Path(sys.executable).parent.resolve()
END = "-- ended with "
Step = tuple[str, str]  # how a command begins, and what shows that it did its work


class Shell:
    """A bash that knows PATH and HOME, and nothing else of where the tests run; commands leave it to the next."""

    def __init__(self, folder: Path, **environment: str) -> None:
        path = ":".join(part for part in os.environ["PATH"].split(":") if Path(part).resolve() != ENVIRONMENT)
        self._bash = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            cwd=folder,
            env={"PATH": path, "HOME": os.environ["HOME"]} | environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def type(self, command: str) -> tuple[int, str]:
        """Exit code and what the terminal shows."""
        self._bash.stdin.write(f"{{ {command}\n}} < /dev/null; printf '\\n{END}%s\\n' $?\n")
        self._bash.stdin.flush()
        said = []
        for line in self._bash.stdout:
            if line.startswith(END):
                return int(line.removeprefix(END)), "".join(said)
            said.append(line)
        raise AssertionError(f"the shell ended at $ {command}\n{''.join(said)}")

    def step(self, command: str, shows: str) -> str:
        """Type a command of a page; `shows` is a pattern of what it says, or a `$ test` that holds only after it."""
        test = shows.removeprefix("$ ") if shows.startswith("$ ") else None
        assert test is None or self.type(test)[0], f"$ {command}\nhas nothing to do: {test} holds already"
        code, said = self.type(command)
        assert code == 0, f"$ {command}\nexit {code}\n{said[-6000:]}"
        assert "Traceback" not in said, f"$ {command}\n{said[-6000:]}"
        done = self.type(test)[0] == 0 if test else re.search(shows, said)
        assert done, f"$ {command}\ndid not do its work: nothing of {shows}\n{said[-6000:]}"
        return said

    def walk(self, commands: Sequence[str], steps: Sequence[Step]) -> list[str]:
        """Type the commands of a page, each beside its step; what the terminal shows, one by one."""
        assert len(commands) == len(steps), commands
        return [self.step(command, shows) for command, (_, shows) in zip(commands, steps, strict=True)]

    def close(self) -> None:
        """End it, and what a page that broke off left running in it."""
        self._bash.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._bash.wait(timeout=10)
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        self._bash.stdout.close()


@contextmanager
def shell(folder: Path, **environment: str) -> Iterator[Shell]:
    """A terminal in a folder."""
    opened = Shell(folder, **environment)
    try:
        yield opened
    finally:
        opened.close()
