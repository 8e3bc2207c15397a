"""Params section `forecaster`: who answers."""

import re
import shlex
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from stages.errors import ConfigurationError
from stages.params.model_spec import AZURE_IN_SDK, ModelSpec, deployment_of, is_address, is_azure
from stages.params.section import Day, Neutral, Section, Text
from stages.tables.forecasts import FREE

LOCAL = "local"
LocalName = Literal["seasonal", "persistence", "ewma_fhs", "har"]  # files of stages/forecasting/local/
# What can change an answer, by forecaster: params of this section, or SDK options, which are sent as written.
LOCAL_OPTIONS = {
    "seasonal": ("lookback_sessions",),
    "persistence": ("lookback_sessions",),
    "ewma_fhs": ("lookback_sessions", "ewma_half_life_min", "fhs_paths"),
    "har": ("lookback_sessions", "ewma_half_life_min", "fhs_paths"),
}
LOCAL_EPOCH = "1"
COMMAND = "command"  # a program of the user's: name, deployment, and start of the source of its answers
NO_PROGRAM = (
    "a program of yours needs forecaster.command, the words that start the program, and forecaster.files, the files it "
    "consists of; without one, both are [] and forecaster.files_sha256 is null"
)
MODEL_OF_A_COMMAND = re.compile(r"(?!timegpt|azureai)[a-z0-9][a-z0-9_.\-]{0,99}", re.IGNORECASE)
SENDABLE_MODEL = re.compile(r"[!-~]([ -~]*[!-~])?")  # it is also sent as a header
AZURE_MODEL = "azureai"  # as nixtla 0.9.0 names it
# SDK option -> its default in nixtla 0.9.0. Questions always hold the first three; the others enter a question
# only when they differ, so that no key of an older answer changes.
SDK_OPTIONS: dict[str, float | int | str] = {"clean_ex_first": True, "finetune_steps": 0, "multivariate": False}
LATER_SDK_OPTIONS: dict[str, Any] = {"finetune_depth": 1, "finetune_loss": "default", "finetuned_model_id": None}


class LocalWindows(Section, section="forecaster", partial=True):
    """What local forecasters read of the params: sessions to look back, minutes, and simulated paths."""

    lookback_sessions: Annotated[int, Field(ge=2, le=10_000)]
    ewma_half_life_min: Annotated[float, Field(gt=0, le=1_000_000)]
    fhs_paths: Annotated[int, Field(ge=100, le=100_000)]


class ProgramParams(Section, section="forecaster", partial=True):
    """A program of the user's: the words that start it, its files, and the digest of their contents."""

    command: Annotated[tuple[Text, ...], Neutral([])]
    files: Annotated[tuple[Text, ...], Neutral([])]
    files_sha256: Annotated[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None, Neutral(None)]

    def _problems(self) -> Iterator[str]:
        if bool(self.command) != bool(self.files) or (self.files_sha256 and not self.command):
            yield NO_PROGRAM
        if outside := [path for path in self.files if path.startswith("/") or ".." in path.split("/")]:
            yield f"forecaster.files {outside} must be paths within the project; link to what lies elsewhere"

    @property
    def program_name(self) -> str:
        """The program's name in tables and messages. As a free candidate it has none of its own."""
        return COMMAND

    @property
    def free_spec(self) -> ModelSpec:
        """The program as a free candidate. The digest of its files is its version."""
        epoch, options = str(self.files_sha256), self._program_options
        return ModelSpec(
            model=COMMAND, model_epoch=epoch, deployment=COMMAND, min_rows=1, options=options, remote=False
        )

    @property
    def _program_options(self) -> dict[str, float | int | str]:
        if self.files_sha256 is None:
            raise ConfigurationError(
                f"forecaster.files_sha256 is null, so nothing says which {self.program_name} answers: `make identify` "
                "writes it."
            )
        return {"command": shlex.join(self.command), "files_sha256": self.files_sha256}


class LocalParams(LocalWindows, ProgramParams, partial=True):
    """What may answer on this machine, for any asked forecaster: the windows of the local ones, and a program."""


def local_spec(name: str, windows: LocalWindows) -> ModelSpec:
    """A local forecaster that uses every row, as a model."""
    options = {option: getattr(windows, option) for option in LOCAL_OPTIONS[name]}
    return ModelSpec(model=name, model_epoch=LOCAL_EPOCH, deployment=LOCAL, min_rows=1, options=options, remote=False)


class ForecasterParams(LocalParams):
    """Who answers. `model` and `model_epoch` are part of every question, `base_url` names the deployment.

    `input_size` and `model_horizon` are what the service says of the model (null: not known yet, nothing is cut);
    `finetune_steps` to `clean_ex_first` are SDK options, sent as written; then come the windows of the local
    forecasters. `command`, `files` and `files_sha256` are for `forecaster=command`, and for `command` among
    `worth.candidates`: the program's words, the files and folders it consists of, and the digest of their contents that
    `make identify` writes (docs/COMMAND_FORECASTER.md).
    `trained_until` is the last day that the model may have been trained on (null: unknown).
    """

    name: Literal["timegpt", LocalName, "command"]
    model: Text
    model_epoch: Text
    base_url: str | None
    input_size: Annotated[int, Field(ge=1, le=1_000_000)] | None
    model_horizon: Annotated[int, Field(ge=1, le=1_000_000)] | None
    min_rows: Annotated[int, Field(ge=1, le=1_000_000)]
    finetune_steps: Annotated[int, Field(ge=0, le=10_000), Neutral(0)]
    finetune_depth: Annotated[int, Field(ge=1, le=5), Neutral(1)]
    finetune_loss: Annotated[Literal["default", "mae", "mse", "rmse", "mape", "smape", "poisson"], Neutral("default")]
    finetuned_model_id: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,199}$")] | None, Neutral(None)
    ]
    multivariate: Annotated[bool, Neutral(False)]
    clean_ex_first: Annotated[bool, Neutral(True)]
    trained_until: Annotated[Day | None, Neutral(None)]

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.name == COMMAND:
            yield from self._problems_of_program()
        elif self.name in LOCAL_OPTIONS:
            if self.model != self.name or self.base_url is not None:
                yield (
                    f"forecaster {self.name!r} answers locally, so forecaster.model must be {self.name!r} and "
                    f"forecaster.base_url null; choose the whole group with `forecaster={self.name}`"
                )
            yield from self._problems_of_sdk_options()
        elif self.base_url is None or not is_address(self.base_url):
            yield (
                "forecaster.base_url must be the address of the service, as https://api.nixtla.io, without a query, "
                f"not {self.base_url!r}"
            )
        elif not SENDABLE_MODEL.fullmatch(self.model):
            yield f"forecaster.model {self.model!r} cannot be sent: use printable ASCII without space around it"
        elif self.model in LOCAL_OPTIONS or self.model.startswith(FREE):
            yield (
                f"forecaster.model {self.model!r} is the name of a free forecast, whose rows are in the same tables: "
                "rename it"
            )
        elif is_azure(self.base_url):
            yield from self._problems_at_azure()

    def _problems_of_sdk_options(self) -> Iterator[str]:
        if set_ := {name: value for name, value in self.sdk_options.items() if value != SDK_OPTIONS.get(name)}:
            yield f"forecaster {self.name!r} answers locally and has no SDK options: remove {set_}"

    def _problems_of_program(self) -> Iterator[str]:
        if not self.command:
            yield NO_PROGRAM
        if self.base_url is not None:
            yield f"forecaster 'command' sends nothing to forecaster.base_url {self.base_url!r}: set it null"
        if self.model in LOCAL_OPTIONS or not MODEL_OF_A_COMMAND.fullmatch(self.model):
            yield (
                f"forecaster.model {self.model!r} cannot name a program of yours: use letters, digits, `_`, `.` and "
                f"`-`, but neither a local forecaster's name {list(LOCAL_OPTIONS)} nor one that begins like a bought "
                "one"
            )
        yield from self._problems_of_sdk_options()

    def _problems_at_azure(self) -> Iterator[str]:
        if AZURE_IN_SDK in str(self.base_url) and self.model != AZURE_MODEL:
            yield (
                f"at an Azure address the SDK always asks for the model {AZURE_MODEL!r}, so set forecaster.model to "
                f"{AZURE_MODEL!r}, not {self.model!r}"
            )
        if self.input_size is None or self.model_horizon is None:
            yield (
                "an Azure address does not give its model's numbers, so set forecaster.input_size and "
                "forecaster.model_horizon yourself. They only decide how many rows are sent (3 * input_size + "
                "model_horizon), at least forecaster.min_rows: 500 and 20 send 1520, say"
            )

    @property
    def is_paid(self) -> bool:
        """Whether answers are bought from a service; all others are made on this machine free of charge."""
        return self.base_url is not None

    @property
    def program_name(self) -> str:
        """The program's name: that of the asked model if it is the asked one."""
        return self.model if self.name == COMMAND else COMMAND

    @property
    def maker(self) -> str:
        """Who answers on this machine, in words."""
        return f"the program {self.model}" if self.name == COMMAND else self.name

    @property
    def deployment(self) -> str:
        """Where answers come from: `local`, `command`, or the base url without credentials or final slash."""
        if self.base_url is None:
            return COMMAND if self.name == COMMAND else LOCAL
        return deployment_of(self.base_url)

    @property
    def sdk_options(self) -> dict[str, float | int | str]:
        """The SDK options as a question holds them."""
        stated = {name: getattr(self, name) for name in (*SDK_OPTIONS, *LATER_SDK_OPTIONS)}
        return {name: value for name, value in stated.items() if LATER_SDK_OPTIONS.get(name, ...) != value}

    @property
    def model_spec(self) -> ModelSpec:
        """The parts of this section that can change a question or its answer."""
        return ModelSpec(
            model=self.model,
            model_epoch=self.model_epoch,
            deployment=self.deployment,
            min_rows=self.min_rows,
            options=self._options,
            input_size=self.input_size,
            model_horizon=self.model_horizon,
            remote=self.is_paid,
        )

    @property
    def _options(self) -> dict[str, float | int | str]:
        if self.name == COMMAND:
            return self._program_options
        local = {name: getattr(self, name) for name in LOCAL_OPTIONS.get(self.name, ())}
        return local if self.name in LOCAL_OPTIONS else self.sdk_options


class ForecasterName(Section, section="forecaster", partial=True):
    """The name of the asked forecaster, which is that of the candidate that it would be."""

    name: str


class ForecasterModel(Section, section="forecaster", partial=True):
    """The model name of the asked forecasts in the tables."""

    model: str
