"""No file shows who worked on it: every stage that is a map over partitions, by every engine and in another order."""

import hashlib
import json
import shutil
from datetime import date
from functools import partial
from importlib import import_module
from pathlib import Path

import fsspec
import pytest
import yaml

from stages.engine import engine
from stages.io import settings
from stages.io.files import read_csv, read_json, read_sheet, read_table, write_json, write_table
from stages.io.partitions import MANIFEST
from stages.tables.forecasts import FreeWeights
from stages.tables.market import Calendar
from stages.tables.trades import Trades
from stages.trading import trade_grid
from stages.trading.trade_grid import blocks_of
from tests.benchmarks.bench_sweep import study
from tests.support.cluster import Cluster
from tests.support.gcs_server import BUCKET
from tests.support.large_market import folder_of_stages, params_of, symbols_of

pytestmark = [pytest.mark.xdist_group("cluster"), pytest.mark.journey]  # a scheduler and workers are started
BY_SYMBOL = ("list_source", "fetch_bars", "check_data", "build_features", "build_requests", "forecast_free")
SCORED = (*BY_SYMBOL, "forecast", "calibrate", "seal", "score_forecasts")
JUDGED = ("list_source", "judge_worth", "sweep", "backtest", "evaluate")
SEALED = {"holdout_sessions": 5, "embargo_sessions": 1}
EVERY_CELL_PASSES = {
    "policy": "point",
    "coverage_rule": "point",
    "coverage_tol": 1.0,
    "rmae_lt": 1e3,
    "rrmse_lt": 1e3,
    "fdr": None,
}
SYMBOLS = symbols_of(5)
FIRST, LAST = date(2024, 9, 3), date(2024, 9, 27)
GRID = {"horizon_min": [10, 5], "k_sigma": [0.1, 0.5, 1.0], "s_stop": [1.0, 2.0]}
COMBOS_AT_ONCE = 5
POOL = pytest.param("local:2", marks=pytest.mark.journey)  # three pools, each to import and compile everything


@pytest.fixture(params=["local:2", "dask", "backwards"])
def other_engine(request: pytest.FixtureRequest, two_workers: Cluster) -> str:
    return two_workers.engine if request.param == "dask" else request.param


def backwards(named, partitions):
    """A loop that begins at the end."""
    for key in reversed(partitions):
        yield named(key, partitions[key])


def outputs(folder: Path) -> dict[str, str]:
    """Every file below artifacts/, hidden ones too."""
    root = folder / "artifacts"
    return {
        path.relative_to(root).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.name != "study.json"  # it repeats params, so also the order of their symbols
    }


def run(folder: Path, stages: tuple[str, ...], choice: str) -> dict[str, str]:
    """What these stages write there with an engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settings.read_document.cache_clear()
        patch.setenv("DVC_ROOT", str(folder))
        patch.setenv("ENGINE", "loop" if choice == "backwards" else choice)
        patch.setattr(trade_grid, "blocks_of", partial(blocks_of, at_once=COMBOS_AT_ONCE))
        if choice == "backwards":
            patch.setattr(engine, "_loop", backwards)
        for stage in stages:
            import_module(f"stages.{stage}").main()
    settings.read_document.cache_clear()
    return outputs(folder)


@pytest.fixture(scope="module")
def by_a_loop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("loop") / "study"
    folder_of_stages(folder, asked(SYMBOLS))
    return judged(folder, "loop")


def asked(symbols: list[str]) -> dict:
    """Params of these symbols, which may all trade, with a holdout that is short enough."""
    params = params_of(symbols, FIRST, LAST, history_days=[5])
    costs = {"half_spread_ticks": dict.fromkeys(SYMBOLS, 1.0), "tick_size": dict.fromkeys(SYMBOLS, 0.01)}
    return params | {
        "split": params["split"] | SEALED,
        "universe": params["universe"] | {"whitelist": SYMBOLS},
        "costs": params["costs"] | costs,
        "gates": params["gates"] | EVERY_CELL_PASSES,
    }


def judged(folder: Path, choice: str) -> dict[str, str]:
    """What all stages to the verdict write, once sealed and then with the holdout open for the strategy."""
    run(folder, SCORED, choice)
    state(folder, asked(SYMBOLS))  # the order of symbols is part of every id
    found = run(folder, JUDGED, choice)
    assert not read_csv(Trades, folder / "artifacts/backtest/bt_trades.csv").is_empty()
    params = asked(SYMBOLS)
    params["split"] |= {"open_holdout": read_json(folder / "artifacts/evaluate/oos.json")["strategy_id"]}
    state(folder, params)
    opened = run(folder, ("list_source", "evaluate"), choice)
    assert not read_csv(Trades, folder / "artifacts/evaluate/oos_trades.csv").is_empty()
    return found | {f"opened/{name}": digest for name, digest in opened.items() if name.startswith("evaluate/")}


def state(folder: Path, params: dict) -> None:
    """Make these its params."""
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def test_every_table_from_bars_to_the_verdict(tmp_path: Path, by_a_loop: dict[str, str], other_engine: str):
    symbols = [*SYMBOLS[2:], *SYMBOLS[:2]] if other_engine == "backwards" else SYMBOLS
    folder_of_stages(tmp_path / "study", asked(symbols))
    assert judged(tmp_path / "study", other_engine) == by_a_loop
    questions = [name for name in by_a_loop if name.startswith("build_requests/requests/")]
    assert len(questions) == len(SYMBOLS) * 14 * 4  # sessions after five, snapshots a day


def test_after_build_requests_the_bucket_holds_what_manifests_name_and_nothing_else(
    tmp_path: Path, two_workers: Cluster
):
    folder, root = tmp_path / "study", f"gs://{BUCKET}/questions"
    params = params_of(SYMBOLS[:2], FIRST, date(2024, 9, 12), history_days=[5]) | {"storage": {"root": root}}
    folder_of_stages(folder, params)
    found = run(folder, BY_SYMBOL, "loop")
    assert sum(name.startswith("build_requests/requests/") for name in found) == 2 * 3 * 4
    manifests = [json.loads(path.read_text())["partitions"] for path in (folder / "artifacts").rglob(f"*/*/{MANIFEST}")]
    named = {one["uri"] for manifest in manifests for one in manifest}
    files = fsspec.filesystem("gs")
    files.invalidate_cache()
    assert {f"gs://{name}" for name in files.find(root)} == named
    assert len(named) == 3 * 2  # of each symbol bars as delivered, bars on the grid, features


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market") / "study"
    study(folder, ("A", "B", "C"), GRID, sessions=30)
    search = folder / "artifacts/seal/search"
    for name, before in (
        ("bars", "check_data"),
        ("calendar.parquet", "fetch_bars"),
        ("calibrated.parquet", "calibrate"),
    ):
        (folder / "artifacts" / before).mkdir()
        (search / name).rename(folder / "artifacts" / before / name)
    corrected = folder / "artifacts/calibrate"
    shutil.copy(corrected / "calibrated.parquet", corrected / "free.parquet")
    write_table(FreeWeights, FreeWeights.create_empty(), corrected / "free_weights.parquet")
    sessions = read_table(Calendar, folder / "artifacts/fetch_bars/calendar.parquet")["session"].to_list()
    days = [{"session": str(session), "dropped": False} for session in sessions]
    report = {"symbols": {symbol: {"days": days} for symbol in "ABC"}}
    write_json(report, folder / "artifacts/check_data/dq_report.json")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["split"] |= SEALED
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


@pytest.fixture(scope="module")
def swept_by_a_loop(market: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = Path(shutil.copytree(market, tmp_path_factory.mktemp("loop") / "study"))
    found = run(folder, ("seal", "sweep"), "loop")
    assert (read_sheet(folder / "artifacts/sweep/ranking.csv")["trades"] > 0).all()
    return found


@pytest.mark.parametrize("other_engine", [POOL, "dask", "backwards"], indirect=True)
def test_sealed_bars_and_a_sweep_in_blocks(
    tmp_path: Path, market: Path, swept_by_a_loop: dict[str, str], other_engine: str
):
    assert len(blocks_of(range(12), COMBOS_AT_ONCE)) == 3
    shutil.copytree(market, tmp_path / "study")
    assert run(tmp_path / "study", ("seal", "sweep"), other_engine) == swept_by_a_loop
    assert {f"seal/{span}/bars/{symbol}.parquet" for span in ("search", "holdout/all") for symbol in "ABC"} <= set(
        swept_by_a_loop
    )
    assert len([name for name in swept_by_a_loop if name.startswith("sweep/grid/")]) == 12


def test_a_sweep_in_blocks_is_the_sweep_as_a_whole(
    tmp_path: Path, market: Path, swept_by_a_loop: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(f"{__name__}.COMBOS_AT_ONCE", 12)
    shutil.copytree(market, tmp_path / "study")
    assert run(tmp_path / "study", ("seal", "sweep"), "loop") == swept_by_a_loop


def test_what_a_sweep_trades_on_lies_in_the_bucket_too(
    tmp_path: Path, market: Path, swept_by_a_loop: dict[str, str], two_workers: Cluster
):
    """Workers of another machine do not see artifacts/: here nothing of the bars is left there."""
    shutil.copytree(market, tmp_path / "study")
    params = yaml.safe_load((market / "params.yaml").read_text()) | {"storage": {"root": f"gs://{BUCKET}/partitions"}}
    (tmp_path / "study/params.yaml").write_text(yaml.safe_dump(params))
    found = run(tmp_path / "study", ("seal",), two_workers.engine)
    sealed = {name for name in found if name.startswith("seal/") and "/bars/" in name}
    assert sealed == {f"seal/{span}/bars/{MANIFEST}" for span in ("search", "holdout/all")}
    found = run(tmp_path / "study", ("sweep",), two_workers.engine)
    swept = {name: digest for name, digest in swept_by_a_loop.items() if name.startswith("sweep/")}
    assert {name: digest for name, digest in found.items() if name.startswith("sweep/")} == swept
