"""dvc.yaml tells the truth: what it declares is what the scripts import, read and write."""

import ast
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

from stages.io import dated_files
from stages.params.section import Section
from stages.params.study import StageStudy, Study
from tests.architecture.dependencies import ROOT, artifact_paths, code_deps, code_files, declared, load_dvc_yaml

STAGES = load_dvc_yaml()["stages"]
NAMES = list(STAGES)
STORY = [
    "list_source", "fetch_bars", "check_data", "build_features", "build_requests", "forecast_free", "forecast",
    "calibrate", "seal", "judge_worth", "score_forecasts", "sweep", "backtest", "evaluate", "report",
]  # fmt: skip
READS_THE_HOLDOUT = {"evaluate", "report"}
KEEPS_ANSWERS = {
    "answer_store", "command", "locks", "opening_program", "records", "reservations", "shared_answers",
    "store_identity",
}  # fmt: skip
LISTS = {
    "read_listing": "conf/manifests/${source.name}.json",
    "read_events": "conf/events/${features.events}.csv",
    "read_halts": "conf/halts/${quality.halts}.csv",
    "read_actions": "conf/corporate_actions/${quality.corporate_actions}.csv",
}
UNSEALED = (
    "artifacts/calibrate/",
    "artifacts/check_data/bars",
    "artifacts/forecast/quantiles.parquet",
    "artifacts/forecast_free/",
    "artifacts/fetch_bars/bars",
    "artifacts/build_features/features",
    "artifacts/build_requests/schedule.parquet",
)


def outs_of(stage: str) -> set[str]:
    return {path for kind in ("outs", "metrics", "plots") for path in declared(STAGES[stage], kind)}


def sections_read(stage: str) -> set[str]:
    """The params entries of every model handed to `read_params`; of `StageStudy` from params, all of its sections."""
    module = importlib.import_module(f"stages.{stage}")
    calls = (node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call))
    models = [call.args[0].id for call in calls if getattr(call.func, "id", "") == "read_params"]
    whole = hasattr(module, "StageStudy") and hasattr(module, "read_document")
    entries = set(get_type_hints(StageStudy)) if whole else set()
    for name in models:
        model: type[Section] = getattr(module, name)
        entries |= {f"{model.section}.{key}" for key in model.model_fields} if model.partial else {model.section}
    return entries


def forbidden_to(stage: str, read: list[str]) -> list[str]:
    """What a stage behind `seal` may not read."""
    sealed = stage not in READS_THE_HOLDOUT
    return [path for path in read if path.startswith(UNSEALED) or (sealed and "holdout" in path)]


def test_the_graph_has_the_fifteen_stages_in_the_order_of_the_story():
    assert NAMES == STORY


def wrong(found: Callable[[str], object], right: Callable[[str], object]) -> dict[str, tuple[object, object]]:
    """The stages of which two things that should be equal are not, with both."""
    both = {stage: (found(stage), right(stage)) for stage in NAMES}
    return {stage: (one, other) for stage, (one, other) in both.items() if one != other}


def deps_of(stage: str, folder: str) -> list[str]:
    return sorted(path for path in declared(STAGES[stage], "deps") if path.startswith(folder))


def test_a_stage_runs_the_script_of_its_name_as_a_module():
    assert wrong(lambda stage: STAGES[stage]["cmd"], lambda stage: f"python -m stages.{stage}") == {}, "in dvc.yaml"


def test_a_stage_says_what_it_does_in_one_sentence_that_dvc_shows_whole():
    assert {name: stage["desc"] for name, stage in STAGES.items() if not 20 <= len(stage["desc"]) <= 80} == {}


def test_deps_are_exactly_the_imported_code():
    assert wrong(lambda stage: deps_of(stage, "stages/"), code_deps) == {}, "run `make deps`"


def test_params_are_exactly_the_sections_that_the_script_reads():
    found = wrong(lambda stage: set(STAGES[stage].get("params", [])), sections_read)
    assert found == {}, "by stage: what dvc.yaml states, and what the script reads; correct dvc.yaml"


def test_an_edit_of_the_whitelist_reruns_nothing_before_the_scores_but_the_check_of_params():
    declares = {one for one in NAMES if {"universe", "universe.whitelist"} & set(STAGES[one].get("params", []))}
    assert declares & ancestors("score_forecasts") == {"list_source"}


def test_the_first_stage_declares_every_section_but_api():
    assert set(STAGES["list_source"]["params"]) == set(get_type_hints(Study)) - {"api"}
    assert [stage for stage in NAMES[1:] if not ancestors(stage) & {"list_source"}] == []


def ancestors(stage: str) -> set[str]:
    """All stages before this one."""
    reads = [one for one in NAMES if any(f"{dep}/".startswith(f"artifacts/{one}/") for dep in deps_of(stage, ""))]
    return {*reads, *(further for one in reads for further in ancestors(one))}


def test_the_script_names_exactly_the_files_that_are_declared():
    found = wrong(artifact_paths, lambda stage: set(deps_of(stage, "artifacts/")) | outs_of(stage))
    assert found == {}, "by stage: what the script names, and the deps and outs in dvc.yaml; correct dvc.yaml"


def lists_read(stage: str) -> set[str]:
    """The files of conf/ that the script reads."""
    calls = (
        node for node in ast.walk(ast.parse((ROOT / f"stages/{stage}.py").read_text())) if isinstance(node, ast.Call)
    )
    return {LISTS[name] for call in calls if (name := getattr(call.func, "id", "")) in LISTS}


def test_an_edited_list_of_conf_runs_the_stage_that_reads_it():
    found = wrong(lists_read, lambda stage: set(deps_of(stage, "conf/")))
    assert found == {}, "by stage: the files of conf/ that the script reads, and those in dvc.yaml; correct dvc.yaml"
    assert {name for name in vars(dated_files) if name.startswith("read_")} <= set(LISTS), "name its file in LISTS"


def test_outputs_lie_in_the_folder_of_their_author():
    strays = {stage: [path for path in outs_of(stage) if not path.startswith(f"artifacts/{stage}/")] for stage in NAMES}
    assert {stage: paths for stage, paths in strays.items() if paths} == {}


def test_a_stage_reads_only_what_an_earlier_stage_wrote():
    earlier: set[str] = set()
    for stage in NAMES:
        unwritten = [
            p for p in deps_of(stage, "artifacts/") if not any(f"{p}/".startswith(f"{out}/") for out in earlier)
        ]
        assert unwritten == [], stage
        earlier |= outs_of(stage)


def test_nothing_that_feeds_a_choice_reads_the_holdout_or_the_unsealed_record():
    """Downstream of `seal`, calibrated rows and bars come from its two spans, and only `evaluate` opens the second."""
    for stage in NAMES[NAMES.index("seal") + 1 :]:
        leaks = forbidden_to(stage, declared(STAGES[stage], "deps"))
        assert leaks == [], f"{stage} comes after `seal`, which writes what it may read to artifacts/seal/"


def test_a_holdout_planted_in_the_selection_is_caught():
    for chooser in ("score_forecasts", "sweep", "backtest"):
        for leak in ("artifacts/seal/holdout", "artifacts/seal/holdout/calibrated.parquet", *UNSEALED):
            assert forbidden_to(chooser, [*declared(STAGES[chooser], "deps"), leak]) == [leak]


def test_api_is_the_only_section_that_no_stage_declares():
    document = set(load_params())
    declared_sections = {entry.split(".")[0] for stage in STAGES.values() for entry in stage.get("params", [])}
    assert document - declared_sections == {"api"}


def load_params() -> dict:
    import yaml

    return yaml.safe_load((ROOT / "params.yaml").read_text())


def paid_code(stage: str) -> set[str]:
    """The modules of the room where answers are bought and kept that a stage reaches."""
    return {Path(file).stem for file in code_files(stage) if file.startswith("stages/paid/")}


def test_nothing_after_the_forecasts_can_ask_for_one():
    later = NAMES[NAMES.index("forecast") + 1 :]
    assert {stage: paid_code(stage) for stage in later if paid_code(stage)} == {}


def test_free_forecasts_reach_a_program_and_the_kept_answers_but_nothing_that_buys():
    assert paid_code("forecast_free") == KEEPS_ANSWERS
    assert paid_code("forecast") > KEEPS_ANSWERS | {"purchase", "client", "timegpt", "ledger", "opening"}


def test_no_stage_depends_on_code_that_only_commands_use():
    used = {(stage, file) for stage in NAMES for file in code_files(stage) if file.startswith("stages/commands/")}
    assert used == set(), "move what both need to a room below commands/"
