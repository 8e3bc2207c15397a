"""Whatever params say is shown in a report and a comment, and does nothing there; markdown-it-py reads them."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stages.reporting.comment import render_comment
from stages.reporting.markdown import as_code, fenced, in_address, in_cell, in_text
from stages.reporting.page import render_report, render_robustness
from tests.reporting.records import record
from tests.reporting.test_comment import change

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</details>", "<!-- hidden", "&lt;b&gt;", "a | b || c",
    "`code", "``", "```", "`a``b`<b>", "``<b>``", "[click](https://evil.example)", "![x](https://evil.example/pixel.png)",
    "<https://evil.example>", "https://evil.example/a?b=c", "www.evil.example", "someone@evil.example", "@owner",
    "@org/team", "#12", "GH-12", "org/repo#12", "**bold** *x* ~~gone~~", "# head", "- item", "1. item", "> quote",
    "---", "=====",
    "a\n\n# head\n\n| a |\n|---|\n| b |", "a\n```\n<b>\n", "\\<b>", "\\", "![a]: https://evil.example", "a  \nb",
]  # fmt: skip
# Each way out of a place where its form was forgotten: paragraph, cell, code, address, block.
EVERY_WAY = " ".join(
    ["<script>alert(1)</script>", "a | b || c", "[click](https://evil.example)",
     "a\n\n# head\n\n| a |\n|---|\n| b |", "a\n```\n<b>\n"]
)  # fmt: skip
SIGNS = st.text(st.sampled_from("`<>&|[]()!\\*~@#:/ab.1 \n-_="), min_size=1, max_size=24)


def tags(rendered: str) -> set[str]:
    return set(re.findall(r"</?([a-z0-9]+)", rendered))


def outside_code(rendered: str) -> str:
    return re.sub(r"<(code|pre)\b.*?</\1>", "", rendered, flags=re.DOTALL)


def is_live(rendered: str) -> bool:
    """Whether a git host would find a link or a mention in it."""
    return re.search(r"@\w|://|www\.|#\d|GH-\d", html.unescape(outside_code(rendered))) is not None


def in_row(text: str) -> str:
    return READER.render(f"| a | b |\n|---|---|\n| {in_cell(text)} | last |\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_a_paragraph_a_cell_and_a_picture_of_plain_words(text: str):
    for rendered in (READER.render(in_text(text)), READER.render(f"**{in_cell(text)}** and more")):
        assert tags(rendered) <= {"p", "code", "strong"}, rendered
        assert not is_live(rendered)
    assert in_row(text).count("<td>") == 2
    assert tags(in_row(text)) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert not is_live(in_row(text))
    picture = READER.render(f"![{in_cell(text)}]({in_address('https://host/' + text)})")
    assert re.fullmatch(r"<p><img [^<>]*/></p>\n", picture), picture


@given(SIGNS)
def test_no_text_at_all_becomes_more_than_words_and_code(text: str):
    rendered = READER.render(in_text(text))
    assert tags(rendered) <= {"p", "code"}, rendered
    assert in_row(text).count("<td>") == 2
    assert not is_live(rendered)


@given(SIGNS.filter(lambda text: "`" not in text))
def test_a_reader_sees_the_text_as_it_was_written(text: str):
    seen = html.unescape(re.sub("<[^<>]+>", "", READER.render(in_text(text)))).strip()
    assert seen == " ".join(text.split())


@given(SIGNS.filter(str.strip))
def test_as_code_a_text_is_one_piece_of_code(text: str):
    rendered = READER.render(f"by {as_code(text)} here")
    assert html.unescape(re.fullmatch(r"<p>by <code>([^<>]*)</code> here</p>\n", rendered)[1]) == " ".join(text.split())


@given(SIGNS)
def test_lines_cannot_leave_their_block(text: str):
    rendered = READER.render(fenced(f"{text}\n", "yaml") + "\n\nafter\n")
    assert re.fullmatch(r'<pre><code class="language-yaml">[^<>]*</code></pre>\n<p>after</p>\n', rendered), rendered


def test_code_in_our_own_sentences_stays_code():
    assert in_text("Set `api.pack: a|b`, then `make run`.") == r"Set `api.pack: a\|b`, then `make run`."


def pages(text: str) -> list[str]:
    """The reports of a study of this name, and a comment that says it, as a reader of markdown renders them."""
    config = record().config
    named = record(config=config | {"report": config["report"] | {"study": text}})
    pictures = {"a.png": text}
    comment = render_comment(change(differing=[("report.study", "sound", text)], base=f"base {text}"), pictures)
    return [READER.render(page) for page in (render_report(named), render_robustness(named), comment)]


def skeleton(page: str) -> list[str]:
    """Its tags in order but for code, with the addresses they name."""
    found = re.findall(r'<(/?[a-z0-9]+)(?:[^<>]*?\b((?:src|href)="[^"]*"))?[^<>]*>', page)
    return [" ".join(one).strip() for one in found if one[0].strip("/") != "code"]


@pytest.mark.journey  # a whole page twice
def test_a_study_of_a_hostile_name_has_the_same_pages_as_one_of_a_plain_name():
    for page, plain in zip(pages(EVERY_WAY), pages("plain"), strict=True):
        assert skeleton(page) == skeleton(plain)
