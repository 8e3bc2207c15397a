"""`make identify`: writes the digest of your program's files into conf/, whether it is asked or a free candidate.

DVC does not see the weights and code of a program of yours, so params state their digest: `forecaster.files_sha256` is
part of every question. Run it again after the program changed. Its questions are then new ones; the answers of the
earlier program stay in the store.

*Errors*: `ConfigurationError` (exit 5) if conf/ names no program, or a file of it is missing.
"""

from stages.configuration.compose import compose, refuse_to_discard
from stages.configuration.edit_conf import active_choices, choices_of, state, write_choice
from stages.errors import ConfigurationError
from stages.io.file_identity import digest_of_files
from stages.params.forecaster import ForecasterParams
from stages.params.section import parse

GROUP = "forecaster"


def identify(choice: str | None = None) -> None:
    """The files of a choice of conf/forecaster -> `files_sha256` in its file, and in params.yaml if it is in use."""
    if choice is not None and choice not in choices_of(GROUP):
        raise ConfigurationError(f"there is no forecaster {choice!r}: conf/forecaster/ offers {choices_of(GROUP)}.")
    is_active = choice is None or active_choices()[GROUP] == choice
    if is_active:
        refuse_to_discard()
    program = parse(ForecasterParams, compose(overrides=[] if is_active else [f"{GROUP}={choice}"]))
    if not program.command:
        raise ConfigurationError(
            f"forecaster.name is {program.name} and forecaster.command [], so there is no program of yours: name a "
            "file of conf/forecaster, like `make identify CHOICE=command`, or state forecaster.command and "
            "forecaster.files."
        )
    digest = digest_of_files(program.command, program.files)
    if digest == program.files_sha256:
        print(f"identify: conf/ already says {digest[:12]}… of {program.program_name}.")
        return
    values = {"files_sha256": digest}
    files = state({GROUP: values}) if is_active else [write_choice(GROUP, str(choice), values)]
    print(f"identify: {program.program_name} is {digest} -> {' '.join(map(str, files))}")
    print("Next: `make run`. It computes only what this program was not asked yet; the rest is in the store.")
