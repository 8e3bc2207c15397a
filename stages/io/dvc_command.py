"""DVC as a subprocess that may finish after Ctrl-C.

Ctrl-C also reaches DVC and its stage, which end by themselves once the answer in flight is kept and no file is half
written; `subprocess.run` would kill DVC after a quarter of a second. A second Ctrl-C does not wait.
"""

import subprocess
import sys

DVC = (sys.executable, "-m", "dvc")


def run_dvc(*words: str, captured: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a dvc command; with `captured`, its output is in the result."""
    pipe = subprocess.PIPE if captured else None
    with subprocess.Popen(  # noqa: S603  # words, no shell
        (*DVC, *words), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            out, err = process.communicate()
        except KeyboardInterrupt:
            _, err = process.communicate()
            sys.stderr.write(err or "")
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
