"""A value set in the text of a YAML file: Hydra reads exactly that, and every other character stays."""

import copy
import io
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from stages.configuration.edit_text import ABSENT, with_value

TEXT = """\
# @package _global_
symbols:
- AAPL   # large
- "ON"

# how far
half: &ones
    "NULL": 1.0    # a tick
    BRK.B: 2e-6
tick: *ones   # the same
nested: {a: {b: 1},
  c: "12:30"}  # and so on
nothing:
long: |
  two
  lines
last: 0x1F"""
ODD = [
    "12:30", "09:45", "ON", "NO", "Y", "NULL", "TRUE", "1E5", "0X1F", "1e-6", "014", "08", "1_000", "0o14",
    "2024-09-03", "BRK.B", "AAPL 2024", "a: b", "x # y", "# x", "\t", ",", "it's", 'say "x"', "Zürich → 日本",
    "two\nlines", "a\u2028b", " edges ", "", "${x.y}", "\\${x}", "a\\", "-", "?", "=", "<<", "*a", "&b", "!c", "%d",
    "@e", "`f", "{g", "[h", "~", ".nan", "x" * 300, "long words " * 30, 1e-7, 1e16, 10**20, -3, True, None, [], {},
    ["10:30", "ON"], {"ON": {"NO": 1}}, [f"SYMBOL{number}" for number in range(20)],
]  # fmt: skip
PLACES = [
    ("symbols",), ("half", "NULL"), ("half", "new"), ("nested", "a", "b"), ("nested", "new"), ("nothing",), ("long",),
    ("last",), ("new",), ("new", "ON", "NO"),
]  # fmt: skip


def load(text: str) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(io.StringIO(text)), resolve=True)


# every value once more at length
@pytest.mark.parametrize("ending", ["\n", pytest.param("\r\n", marks=pytest.mark.torture)])
@pytest.mark.parametrize("value", ODD, ids=lambda value: str(value)[:12].encode("unicode_escape").decode())
def test_hydra_reads_any_value_back_wherever_it_is_put(value, ending):
    text = TEXT.replace("\n", ending)
    whole = load(text)
    for place in PLACES:
        wanted = copy.deepcopy(whole)
        inner = wanted
        for name in place[:-1]:
            inner = inner.setdefault(name, {})
        inner[place[-1]] = value
        if place[0] == "half":
            wanted["tick"] = wanted["half"]
        edited = with_value(text, place, value)
        assert edited.count("\n") - edited.count("\r\n") in {0, edited.count("\n")}, "one kind of line ends"
        assert load(edited) == wanted, place
        again = with_value(edited, place, value)
        assert again == edited or load(again) == wanted, place


@pytest.mark.parametrize(
    ("place", "value", "old", "new"),
    [
        (("symbols",), ["ON"], '\n- AAPL   # large\n- "ON"\n', " ['ON']\n"),
        (("half", "NULL"), 1.25, "1.0    # a tick", "1.25   # a tick"),
        (("half", "BRK.B"), ABSENT, "    BRK.B: 2e-6\n", ""),
        (("half", "new"), 3, "2e-6\n", "2e-6\n    new: 3\n"),
        (("tick", "BRK.B"), 5, "*ones", "{'NULL': 1.0, BRK.B: 5}"),
        (("nested", "a", "b"), ABSENT, "{b: 1}", "{}"),
        (("nested", "c"), ABSENT, ',\n  c: "12:30"', ""),
        (("nested", "a"), ABSENT, "a: {b: 1},\n  ", ""),
        (("nothing",), "x", "nothing:", "nothing: x"),
        (("long",), "x", "|\n  two\n  lines", "x"),
        (("last",), 32, "0x1F", "32"),
        (("new", "a"), 1, "0x1F", "0x1F\nnew:\n  a: 1\n"),
        (("symbols", 2, "x"), 1, '- "ON"\n', '- "ON"\n- x: 1\n'),
        (("gone", "x"), ABSENT, "", ""),
    ],
)
def test_an_edit_changes_only_the_edited_value(place, value, old, new):
    for ending in ("\n", "\r\n"):
        text = TEXT.replace("\n", ending)
        wanted = TEXT.replace(old, new, 1).replace("\n", ending)
        assert with_value(text, place, value) == wanted


def test_what_stays_of_a_shared_value_is_read_as_before():
    text = "a: &x\n  tick: 1e-6\n  day: 2024-01-02\n  gone: 2\nb: *x\n"
    edited = load(with_value(text, ("b", "gone"), 3))
    assert edited["b"] == edited["a"] | {"gone": 3}


def test_the_mark_at_the_beginning_of_a_file_stays():
    for value, rest in ((7, "a: 7\nb: 2\n"), (ABSENT, "b: 2\n")):
        assert with_value("\ufeffa: 1\nb: 2\n", ("a",), value) == f"\ufeff{rest}"


def test_a_text_of_very_many_levels_is_reported_and_ends_no_process():
    with pytest.raises(yaml.YAMLError, match="more than 100 levels"):
        with_value("a: " + "[" * 100_000 + "]" * 100_000, ("b",), 1)


@pytest.mark.parametrize("comments", ["", "# @package _global_\n# mine\n", "---\n# mine\n", "# mine"])
def test_a_file_of_comments_keeps_them(comments):
    edited = with_value(comments, ("rules", "k_sigma"), 0.75)
    assert edited.startswith(comments)
    assert edited.removeprefix(comments).lstrip("\n") == "rules:\n  k_sigma: 0.75\n"
    assert with_value(comments, ("rules", "k_sigma"), ABSENT) == comments


def test_what_holds_no_sections_is_no_file_of_conf():
    for text in ("- a\n", "a"):
        with pytest.raises(yaml.YAMLError, match="holds no sections"):
            with_value(text, ("a",), 1)
