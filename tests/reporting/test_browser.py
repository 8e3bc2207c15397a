"""The page as people meet it: in a real Chromium, offline, wide and narrow, light and dark."""

import shutil
from itertools import pairwise

import polars as pl
import pytest

from stages.reporting.page import render_page
from tests.reporting.records import ranking, record

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH (apt-get install chromium)"),
    pytest.mark.xdist_group("browser"),
]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(render_page(record()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the page with the network cut; what the console and the network said is kept on the page."""
    contexts = []

    def open_page(viewport=WIDE, **settings):
        context = browser.new_context(viewport=viewport, **settings)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        page.wait_for_function("document.documentElement.dataset.drawn")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_figure_is_drawn_without_a_word_on_the_console_or_a_request(opened, viewport, scheme):
    page = opened(viewport, color_scheme=scheme)
    assert page.locator(".chart svg").count() == page.locator("figure").count() > 5
    assert page.said == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["desktop", "phone"])
def test_nothing_is_wider_than_the_screen(opened, viewport):
    page = opened(viewport)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.chart svg')].map(s => s.getBoundingClientRect().right))"
    )
    assert widest <= viewport["width"]


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["desktop", "phone"])
def test_no_word_of_a_figure_ends_behind_the_margin_of_the_page(opened, viewport):
    cut = opened(viewport).evaluate(
        """[...document.querySelectorAll('figure')].flatMap(figure => {
          const right = figure.getBoundingClientRect().right + 16;
          const words = [...figure.querySelectorAll('svg text')].filter(one => one.textContent.trim());
          return words.filter(one => one.getBoundingClientRect().right > right).map(one => one.textContent);
        })"""
    )
    assert cut == []


def test_tiles_without_room_for_a_number_show_none(browser, tmp_path):
    takes = [ranking().with_columns(pl.col("combo") + f"-{n}", s_take=pl.lit(n / 10)) for n in range(1, 11)]
    many = pl.concat(takes)
    path = tmp_path / "many.html"
    path.write_text(render_page(record(ranking=many)), encoding="utf-8")
    page = browser.new_page(viewport=WIDE)
    page.goto(path.as_uri())
    page.wait_for_function("document.documentElement.dataset.drawn")
    numbers = page.locator("#figure-sweep-map svg .role-mark text[opacity='0']")
    assert numbers.count() == many["sharpe"].count()
    page.close()


def test_figures_follow_the_width_of_the_window(opened):
    page = opened(WIDE)
    width = "document.querySelector('.chart svg').getBoundingClientRect().width"
    before = page.evaluate(width)
    page.set_viewport_size(PHONE)
    page.wait_for_function(f"{width} < {before}")
    assert page.evaluate(width) <= PHONE["width"]


LUMINANCE = """
(pairs) => pairs.map(([front, back]) => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(style.getPropertyValue(name).trim().slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
  return [front, back, (high + 0.05) / (low + 0.05)];
})
"""
TEXT = ["--ink", "--ink-2", "--link", "--good", "--bad", "--unsure", "--sealed"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_with_its_ground_as_wcag_aa_demands(opened, scheme):
    page = opened(color_scheme=scheme)
    pairs = [[name, ground] for name in TEXT for ground in ("--paper", "--panel")]
    assert [pair for pair in page.evaluate(LUMINANCE, pairs) if pair[2] < 4.5] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_contrast_with_the_paper_as_wcag_demands_of_graphics(opened, scheme):
    page = opened(color_scheme=scheme)
    lines = [[name, "--paper"] for name in ("--quiet", *(f"--c{number}" for number in range(1, 9)))]
    assert [pair for pair in page.evaluate(LUMINANCE, lines) if pair[2] < 3] == []


def test_the_keyboard_reaches_the_skip_link_the_sections_and_every_scrolling_table(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
        )
    tables = page.locator(".scroll").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    titles = page.locator("nav a").all_inner_texts()
    assert set(tables) | set(titles) <= reached


def test_headings_step_down_without_a_gap_and_ids_are_unique(opened):
    page = opened()
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_hovering_a_figure_tells_its_numbers(opened):
    page = opened()
    chart = page.locator("#figure-search-drawdown .chart svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "below the peak, bp" in page.locator("#vg-tooltip-element").inner_text()


def test_a_plain_wheel_scrolls_the_page_over_a_figure(opened):
    page = opened()
    box = page.locator(".chart svg").first.bounding_box()
    page.mouse.move(box["x"] + 100, min(box["y"] + 50, 800))
    page.mouse.wheel(0, 300)
    page.wait_for_function("window.scrollY > 0")
    assert page.evaluate("window.scrollY") > 0


def test_paper_shows_black_on_white_without_navigation(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
