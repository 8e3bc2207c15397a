"""`dvc plots` in a repository with this project's pictures: two runs in each, drawn from a file that loads nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import vl_convert
import yaml

from tests.docs.plots_page import PAGE, SCRIPT, plots_page, vega
from tests.support.repositories import commit_folder

ROOT = Path(__file__).parents[2]
DVC = Path(sys.executable).parent / "dvc"
CHROMIUM = shutil.which("chromium")
PLOTS = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
CURVE = 'aria-roledescription="line mark"'
LABEL = "Local forecaster (not TimeGPT) on an artificial market"
RUNS = {
    "artifacts/backtest/equity.csv": "session,net_bp,equity_bp,drawdown_bp,forecast\n2024-01-02,{0},{0},0.0,{1}\n"
    "2024-01-03,-1.0,{0},-1.0,{1}\n",
    "artifacts/score_forecasts/reliability.csv": "method,horizon_min,level,raw,calibrated,n,forecast\n"
    "cqr,5,0.05,0.1,0.0{0},40,{1}\ncqr,5,0.95,0.9,0.94,40,{1}\ncqr,10,0.05,0.1,0.0{0},40,{1}\n"
    "cqr,10,0.95,0.9,0.94,40,{1}\n",
    "artifacts/score_forecasts/coverage_by_time.csv": "method,horizon_min,snapshot_et,raw,calibrated,n,n_days,"
    "forecast\ncqr,5,09:45,0.4,0.5{0},40,20,{1}\ncqr,5,10:30,0.4,0.5{0},40,20,{1}\n",
}


@pytest.mark.journey  # the drawing library is made anew
def test_the_committed_library_and_page_are_those_that_make_plots_page_writes():
    script = vega()
    assert (ROOT / SCRIPT).read_text(encoding="utf-8") == script, "run `make plots-page`"
    assert (ROOT / PAGE).read_text(encoding="utf-8") == plots_page(script), "run `make plots-page`"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """`dvc plots diff HEAD` between a committed run and the workspace."""
    path = tmp_path_factory.mktemp("plots")
    shutil.copytree(ROOT / ".dvc/plots", path / ".dvc/plots")
    for name in ("config", "plots.html"):
        shutil.copy(ROOT / ".dvc" / name, path / ".dvc" / name)
    (path / ".gitignore").write_text("/.dvc/tmp\n/artifacts/plots\n")
    (path / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    for name, text in RUNS.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text.format(3, LABEL))
    commit_folder(path, "a run")
    for name, text in RUNS.items():
        (path / name).write_text(text.format(7, LABEL))
    subprocess.run([DVC, "plots", "diff", "HEAD"], cwd=path, check=True, capture_output=True)
    return path / "artifacts/plots/index.html"


@pytest.mark.journey  # `dvc plots` of two runs
def test_every_picture_shows_both_runs(page):
    _, *pictures = page.read_text(encoding="utf-8").split("var spec = ")
    assert len(pictures) == len(PLOTS) == 3
    for picture in pictures:
        spec, _ = json.JSONDecoder().raw_decode(picture)
        assert {row["rev"] for row in spec["data"]["values"]} == {"HEAD", "workspace"}
        assert "<DVC_METRIC" not in json.dumps(spec)


def spec_of(page: Path, name: str) -> dict:
    """The picture whose data has this column."""
    pictures = page.read_text(encoding="utf-8").split("var spec = ")[1:]
    specs = [json.JSONDecoder().raw_decode(picture)[0] for picture in pictures]
    return next(spec for spec in specs if name in spec["data"]["values"][0])


def drawn(spec: dict) -> str:
    return vl_convert.vegalite_to_svg(spec, vl_version="6.4")


@pytest.mark.journey  # `dvc plots` of two runs
def test_only_what_differs_between_the_runs_is_drawn(page):
    """Calibration `aci` is alike in both runs, `cqr` is not."""
    spec = spec_of(page, "level")
    alike = [row | {"method": "aci", "calibrated": "0.5"} for row in spec["data"]["values"]]
    svg = drawn(spec | {"data": {"values": [*spec["data"]["values"], *alike]}})
    assert ">cqr<" in svg
    assert ">aci<" not in svg
    assert "the same in all runs" not in svg


@pytest.mark.journey  # `dvc plots` of two runs
def test_a_picture_of_equal_runs_says_so_and_draws_no_curve_and_one_run_alone_is_drawn(page):
    spec = spec_of(page, "equity_bp")
    equal = [row | {"equity_bp": "3", "drawdown_bp": "0"} for row in spec["data"]["values"]]
    both = drawn(spec | {"data": {"values": equal}})
    assert "the same in all runs, so not drawn" in both
    assert both.count(CURVE) == 0
    alone = drawn(spec | {"data": {"values": [row for row in equal if row["rev"] == "HEAD"]}})
    assert "so not drawn" not in alone
    assert alone.count(CURVE) == 2, "equity and drawdown"


@pytest.mark.journey  # `dvc plots` of two runs
def test_an_editor_reads_the_same_pictures_as_data(page):
    """What the DVC extension of VS Code runs; a broken template or data file would stand under errors."""
    told = subprocess.run(
        [DVC, "plots", "diff", "HEAD", "--json", "--split", "-o", ".dvc/tmp/plots"],
        cwd=page.parents[2], check=True, capture_output=True, text=True,
    )  # fmt: skip
    shown = json.loads(told.stdout)
    assert "errors" not in shown
    assert set(shown["data"]) == {next(iter(plot)) for plot in PLOTS}


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH (apt-get install chromium)")
def test_the_pictures_are_drawn_without_a_request_or_a_word_on_the_console(page):
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        sheet, said, asked = chromium.new_page(), [], []
        sheet.on("console", lambda message: said.append(message.text))
        sheet.on("pageerror", lambda error: said.append(str(error)))
        sheet.on("request", lambda request: asked.append(request.url))
        sheet.goto(page.as_uri())
        sheet.wait_for_function(f"document.querySelectorAll('.vega-embed svg.marks').length === {len(PLOTS)}")
        named = sheet.locator(".vega-embed").evaluate_all("all => all.map(one => one.textContent)")
        sheet.set_viewport_size({"width": 390, "height": 800})
        reach = sheet.evaluate("document.documentElement.scrollWidth")
        chromium.close()
    assert said == []
    assert asked == [page.as_uri()]
    assert all(picture.count(LABEL) == 2 for picture in named), "each run says on each picture who forecast"
    assert reach == 390
