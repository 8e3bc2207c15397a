"""`make study`: the command that commits what it wrote."""

import subprocess

from stages.commands.worth import _edited


def test_the_command_names_both_files_of_a_moved_preset_and_redirects_nothing(project):
    """Git tells a move as `old -> new`, and a shell would empty the new file."""
    project.git("mv", "conf/preset/smoke.yaml", "conf/preset/small.yaml")
    assert _edited() == "conf/preset/small.yaml conf/preset/smoke.yaml"
    subprocess.run(["bash", "-c", f"git commit -q -m Moved {_edited()}"], check=True)
    assert "_global_" in project.text("conf/preset/small.yaml")
    assert _edited() == ""
