r"""Text in a markdown report or comment, escaped so that no name in params acts as markup.

Code between backticks stays code. In other text, every character that could begin HTML, a link, a picture, a table cell
or emphasis is escaped. A word that a git host would turn into a link or a mention (`@name`, an address, `#12`) becomes
code, which hosts leave alone.
*Source*: CommonMark 0.31 (backslash escapes, code spans), GitHub Flavored Markdown (tables, autolinks).
"""

import re
from urllib.parse import quote

CODE = re.compile("`([^`]+)`")
SIGN = re.compile(r"([\\`*~\[\]<>&|])")
LIVE = re.compile(r"\S*(?:@|://|www\.|mailto:|#\d|\bGH-\d)\S*", re.IGNORECASE)
BEGINS_A_BLOCK = re.compile(r"^(?:(?=[#+=-])|(\d{1,9})(?=[.)](?:\s|$)))")


def in_text(text: object) -> str:
    """One paragraph."""
    return BEGINS_A_BLOCK.sub(r"\1\\", in_cell(text))


def in_cell(text: object) -> str:
    """One cell of a table, or a part of a line."""
    parts = CODE.split(" ".join(str(text).split()))  # plain, code, plain, ...
    plain = [_inert(part) for part in parts[::2]]
    code = [f"`{part}`".replace("|", r"\|") for part in parts[1::2]] + [""]
    return "".join(words for both in zip(plain, code, strict=True) for words in both)


def as_code(text: object) -> str:
    """Any text as code, with as many backticks around it as that takes."""
    flat = " ".join(str(text).split())
    ticks = "`" * (1 + max(map(len, re.findall("`+", flat)), default=0))
    return f"{ticks} {flat} {ticks}" if "`" in flat else f"{ticks}{flat}{ticks}"


def fenced(text: str, language: str) -> str:
    """Lines as a code block."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}{language}\n{text}{ticks}"


def in_address(address: str) -> str:
    """The address of a picture."""
    return quote(address, safe=":/?&=%#.~_-+,;@")


def _inert(text: str) -> str:
    words, end = [], 0
    for live in LIVE.finditer(text):
        words += [SIGN.sub(r"\\\1", text[end : live.start()]), as_code(live[0]).replace("|", r"\|")]
        end = live.end()
    return "".join([*words, SIGN.sub(r"\\\1", text[end:])])
