"""What a new machine may lack is said in one sentence with its remedy, before anything is fetched or run."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = '#!/bin/bash\nif [ "$1" = cache ]; then echo "$CACHE"; else echo "uv $* no_cache=${UV_NO_CACHE:-0}"; fi\n'
PYTHON = f"""#!/bin/bash
case "$1 $2" in
  "-c "*) exit $OLD ;;
  "-m venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  "-m pip") [ "$NETWORK" = 1 ] || exit 1; printf '%s' '{UV}' > .venv/bin/uv; chmod +x .venv/bin/uv ;;
  *) echo "python $*" ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """`make demo` on a machine with these commands; what it says, line by line, without make's own last line."""
    for name in ("Makefile", "requirements.txt", "requirements-uv.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "python3").write_text(PYTHON)
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / ".git").mkdir()

    def type_it(**environment):
        known = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "OLD": "0",
            "NETWORK": "1",
            "CACHE": str(tmp_path / "cache"),
        }
        done = subprocess.run(
            ["make", "demo"], cwd=tmp_path, env=known | environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return done.returncode, [line for line in done.stdout.splitlines() if not line.startswith("make: ***")]

    return type_it


def test_a_machine_that_has_everything_installs_by_hashes_and_says_what_it_does(machine):
    code, said = machine()
    assert (code, said[0]) == (0, "install: uv, then the packages of requirements.txt, into .venv")
    assert "--require-hashes -r requirements.txt no_cache=0" in said[1]
    assert said[-1] == "python -m stages demo"


def test_a_folder_without_git_is_reported_before_anything_is_made(machine, tmp_path):
    (tmp_path / ".git").rmdir()
    code, [said] = machine()
    assert code == 2
    assert "not a git clone" in said
    assert said.endswith("clone it, or type: git init && git add -A && git commit -m Start")
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_too_old_is_reported_with_how_to_name_another(machine, tmp_path):
    code, [said] = machine(OLD="1")
    assert (code, said) == (2, "error Python 3.11 or newer is needed: name one, as in make run PYTHON=python3.12")
    assert not (tmp_path / ".venv").exists()


def test_without_a_network_it_is_reported_where_packages_may_come_from(machine):
    code, [_, said] = machine(NETWORK="0")
    assert code == 2
    assert said.startswith("error packages could not be fetched")
    assert "PIP_INDEX_URL and UV_INDEX_URL" in said


def test_a_cache_that_cannot_be_written_is_reported_and_done_without(machine):
    code, said = machine(CACHE="/proc/nowhere")
    assert code == 0
    assert said[1] == (
        "install: /proc/nowhere cannot be written, so no package is kept for next time: UV_CACHE_DIR names a folder"
    )
    assert said[2].endswith("no_cache=1")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-uv.txt"])
def test_every_package_is_pinned_with_the_hashes_of_its_files(name):
    pins = [line for line in (ROOT / name).read_text().split("\n") if line and not line.startswith(("    --hash", "#"))]
    assert pins
    assert [line for line in pins if not (("==" in line) and line.endswith(" \\"))] == []
