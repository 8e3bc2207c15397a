"""`make compare A=x B=y`: two runs on one page, params that differ first; written to artifacts/page/.

A run is an experiment, a branch, a commit or `workspace`; neither the workspace nor any stage's output changes.
"""

from stages.commands.page import PAGES, WORKSPACE, read_run
from stages.configuration.compose import differences
from stages.errors import ConfigurationError
from stages.io.arguments import Arguments
from stages.io.files import write_text
from stages.io.terminal import run
from stages.reporting.compare import render_pair


def main() -> None:
    """The files of two runs -> one page."""
    parser = Arguments(prog="make compare", description="two runs on one page")
    parser.add_argument("a", help="an experiment, a branch, a commit, or workspace")
    parser.add_argument("b", nargs="?", default=WORKSPACE, help="another one; the workspace if left out")
    names = parser.parse_args()
    if names.a == names.b:
        raise ConfigurationError(f"A and B are both {names.a!r}: name two runs, `make show` lists the experiments.")

    runs = {name: read_run(name) for name in (names.a, names.b)}
    one, other = (record.config for record in runs.values())
    differing = [(".".join(path), *values) for path, values in differences(one, other).items()]

    path = PAGES / f"{'-and-'.join(name.replace('/', '-') for name in runs)}.html"
    write_text(render_pair(runs, differing), path)
    print(f"compare: {path}")


if __name__ == "__main__":
    run(main)
