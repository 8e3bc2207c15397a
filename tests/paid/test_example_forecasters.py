"""The forecasters of examples/ answer real questions through the contract; what needs a library is skipped without."""

import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import yaml

from stages.forecasting.backend import Asked
from stages.io.file_identity import digest_of_files
from stages.io.object_store import LocalStore
from stages.paid.answer_store import AnswerStore
from stages.paid.command import CommandBackend
from stages.params.api import ApiParams
from tests.architecture.dependencies import ROOT
from tests.forecasting.windows import forecaster_params
from tests.support.contexts import API, asked

EXAMPLES = sorted(ROOT.glob("examples/forecasters/*.py"))
SESSION = 390


def answered(folder: Path, example: str, *arguments: str, rows: int = 5 * SESSION) -> tuple[Asked, np.ndarray]:
    """A question about returns that are uniform between -5 and 5 bp, and the example's answer to it."""
    script = f"examples/forecasters/{example}.py"
    files = [script, *arguments]
    (folder / "examples").symlink_to(ROOT / "examples")
    command = [sys.executable, script, *arguments]
    stated = {"name": "command", "model": example, "command": command, "files": files}
    params = forecaster_params(**stated, files_sha256=digest_of_files(command, files))
    facts = {"model": example, "deployment": "command", "options": params.model_spec.options}
    one = asked("AAA", rows=rows, **facts)
    backend = CommandBackend(
        params, ApiParams(**API | {"silence_sec": 600.0}), AnswerStore(LocalStore(folder / "store"), None)
    )
    return one, backend.answer([one])[one.question.key].values_bp


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_example_takes_about_thirty_lines():
    assert len(EXAMPLES) == 3
    assert {path.name: length for path in EXAMPLES if (length := len(path.read_text().splitlines())) > 35} == {}


def test_the_choice_in_conf_is_identified_as_the_program_that_stands_here(monkeypatch):
    monkeypatch.chdir(ROOT)
    stated = yaml.safe_load((ROOT / "conf/forecaster/command.yaml").read_text())
    assert digest_of_files(stated["command"], stated["files"]) == stated["files_sha256"], "run `make identify`"


def test_the_last_value_stands_amid_the_quantiles_of_past_moves(tmp_path):
    one, found = answered(tmp_path, "last_value")
    y_bp = one.window().y_bp
    for step in (1, 20):
        moves = y_bp[step:] - y_bp[:-step]
        right = np.quantile(moves, [0.05, 0.25, 0.5, 0.75, 0.95], method="weibull")
        assert found[:, step - 1] == pytest.approx(right - right[2])


def test_the_library_model_finds_the_spread_of_the_returns(tmp_path):
    """Uniform returns of +-5 bp have a deviation of 5 / sqrt(3); over h minutes it grows with the root."""
    pytest.importorskip("skaters", reason="the optional extra skaters is not installed")
    _, found = answered(tmp_path, "laplace")
    normal = NormalDist(0, 5 / 3**0.5 * 20**0.5)
    assert found[4, 19] - found[0, 19] == pytest.approx(2 * normal.inv_cdf(0.95), rel=0.2)
    assert found[:, 0] - found[2, 0] == pytest.approx((found[:, 19] - found[2, 19]) / 20**0.5, abs=0.2)


def chronos_2(folder: Path) -> None:
    """A Chronos-2 with weights drawn at random, saved as the vendor saves its own."""
    from chronos.chronos2 import Chronos2Model
    from chronos.chronos2.config import Chronos2CoreConfig

    tiny = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    patches = {"input_patch_size": 4, "input_patch_stride": 4, "output_patch_size": 4, "max_output_patches": 8}
    levels = [0.01, *(percent / 100 for percent in range(5, 100, 5)), 0.99]
    own = {"context_length": 64, "quantiles": levels, "use_reg_token": True, "use_arcsinh": True} | patches
    config = Chronos2CoreConfig(**tiny, vocab_size=2, chronos_config=own, chronos_pipeline_class="Chronos2Pipeline")
    Chronos2Model(config).save_pretrained(folder)


def chronos_bolt(folder: Path) -> None:
    """The same of Chronos-Bolt."""
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

    tiny = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    own = {"context_length": 64, "prediction_length": 32, "input_patch_size": 4, "input_patch_stride": 4}
    own |= {"quantiles": [tenth / 10 for tenth in range(1, 10)], "use_reg_token": True}
    config = T5Config(**tiny, vocab_size=2, chronos_config=own, chronos_pipeline_class="ChronosBoltPipeline",
                      decoder_start_token_id=0, architectures=["ChronosBoltModelForForecasting"])  # fmt: skip
    ChronosBoltModelForForecasting(config).save_pretrained(folder)


@pytest.mark.journey  # torch takes seconds to import, here and in the program
@pytest.mark.parametrize("build", [chronos_2, chronos_bolt])
def test_open_weights_are_loaded_from_their_folder_and_asked_for_the_levels(tmp_path, build):
    pytest.importorskip("chronos", reason="the optional extra chronos is not installed")
    import torch
    from chronos import BaseChronosPipeline

    torch.manual_seed(7)
    build(tmp_path / "weights")
    one, found = answered(tmp_path, "chronos_weights", "weights")

    pipeline = BaseChronosPipeline.from_pretrained(tmp_path / "weights", device_map="cpu")
    past = torch.tensor(one.window().y_bp, dtype=torch.float32)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    right = pipeline.predict_quantiles([past], prediction_length=20, quantile_levels=levels)[0][0]
    assert found == pytest.approx(np.sort(right.numpy().reshape(20, 5), axis=1).T, rel=1e-3, abs=1e-3)
    assert np.ptp(found) > 0
