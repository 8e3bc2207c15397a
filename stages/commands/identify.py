"""`make identify`: which program answers, as one digest of its files in conf/, be it asked or a free candidate.

DVC sees neither weights nor code of a program of yours, so params state them: `forecaster.files_sha256` is part of
every question. Write it anew after the program changed. Its questions are new then; those of the program before keep
their answers in the store.

*Errors*: `ConfigurationError` (exit 5) where conf/ names no program, or a file of it is missing.
"""

from stages.configuration.compose import compose, refuse_to_discard
from stages.configuration.edit_conf import choices_of, put_into, standing_choices, state
from stages.errors import ConfigurationError
from stages.io.file_identity import digest_of_files
from stages.params.forecaster import ForecasterParams
from stages.params.section import parse

GROUP = "forecaster"


def identify(choice: str | None = None) -> None:
    """The files of a choice of conf/forecaster -> `files_sha256` in its file; in params.yaml too, where it stands."""
    if choice is not None and choice not in choices_of(GROUP):
        raise ConfigurationError(f"there is no forecaster {choice!r}: conf/forecaster/ offers {choices_of(GROUP)}.")
    stands = choice is None or standing_choices()[GROUP] == choice
    if stands:
        refuse_to_discard()
    program = parse(ForecasterParams, compose(overrides=[] if stands else [f"{GROUP}={choice}"]))
    if not program.command:
        raise ConfigurationError(
            f"forecaster.name is {program.name} and forecaster.command [], so there is no program of yours: name its "
            "choice, like `make identify CHOICE=command`, or state forecaster.command and forecaster.files."
        )
    digest = digest_of_files(program.command, program.files)
    if digest == program.files_sha256:
        print(f"identify: conf/ says {digest[:12]}… of {program.program_name} already.")
        return
    values = {"files_sha256": digest}
    files = state({GROUP: values}) if stands else [put_into(GROUP, str(choice), values)]
    print(f"identify: {program.program_name} is {digest} -> {' '.join(map(str, files))}")
    print("Next: `make run`. What this program was not asked yet is computed; everything else is in the store.")
