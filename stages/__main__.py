"""`python -m stages <verb>`: what you ask beside the graph (see `commands/command_line.py`)."""

from stages.commands.command_line import main
from stages.io.terminal import run

if __name__ == "__main__":
    run(main)
