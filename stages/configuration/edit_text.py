"""Sets, adds or removes one value of a YAML text; every other character of the text stays as it is.

A place is a path of keys from the outside in; an entry of a list is named by its number. A new entry is written behind
the last one of its mapping or list. An alias (`*name`) is replaced by the value itself, and its anchor is unchanged.
*Errors*: `yaml.YAMLError` for a text that is no YAML, or whose top is no mapping.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml
from omegaconf import OmegaConf

from stages.io.settings import COMPILED, require_shallow

ABSENT = "(absent)"
LINE_WIDTH, SHORTEST_LINE = 118, 40
ALIAS = re.compile(r"\*[^\s,\[\]{}]+")
MARK = "\ufeff"  # some editors begin a file in UTF-8 with it
ANCHOR = re.compile(r"&[^\s,\[\]{}]+")
Place = Sequence[str | int]


def read(text: str) -> dict[str, Any]:
    """The mapping that a YAML text states, each value as text; empty where it holds only comments."""
    document = yaml.load(text, yaml.BaseLoader) or {}  # noqa: S506  # it makes only texts, lists and mappings
    if not isinstance(document, dict):
        raise yaml.YAMLError("it holds no sections")
    return document


def with_value(text: str, place: Place, value: Any) -> str:
    """The text with `value` at `place`; without that key if the value is `ABSENT`."""
    if text.startswith(MARK):  # parsers differ in whether they count it as a character
        return MARK + with_value(text[1:], place, value)
    require_shallow(text)
    document, node = _Text(text), yaml.compose(text, COMPILED)
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):  # comments alone
        return text if value == ABSENT else document.behind(len(text), _lines(place, value, 0))
    if not isinstance(node, yaml.MappingNode):
        raise yaml.YAMLError("it holds no sections")
    above: _Child | None = None
    for depth, name in enumerate(place):
        rest = place[depth + 1 :]
        child = next((one for one in _children(node) if one.name == name), None)
        if child is None:
            return text if value == ABSENT else document.added(node, place[depth:], value)
        if not rest and value == ABSENT:
            return document.removed(node, child, above)
        entries = yaml.SequenceNode if rest and isinstance(rest[0], int) else yaml.MappingNode
        if not rest or child.is_alias or not isinstance(child.value, entries):
            return document.replaced(child, _changed(_held(child.value), rest, value))
        node, above = child.value, child
    raise ValueError("a place has a name")


class _Child(NamedTuple):
    """An entry of a mapping or list; in a list, `key` is the entry's own node."""

    name: str | int
    key: yaml.Node
    value: yaml.Node

    @property
    def is_alias(self) -> bool:
        """Whether the value is an alias of one written earlier."""
        return bool(self.value.start_mark.index < self.key.start_mark.index)


def _children(node: yaml.Node) -> list[_Child]:
    if isinstance(node, yaml.MappingNode):
        return [_Child(key.value, key, value) for key, value in node.value]
    return [_Child(number, item, item) for number, item in enumerate(node.value)]


class _Text(str):
    """A YAML text; each method returns an edited text. Positions are counted in characters."""

    def added(self, node: yaml.Node, place: Place, value: Any) -> str:
        """Add an entry behind the last one of a mapping or list."""
        children = _children(node)
        if node.flow_style:
            entry = self._value(_nested(place, value), 0)[1:-1]
            at = self._end(children[-1]) if children else node.end_mark.index - 1
            return f"{self[:at]}{', ' * bool(children)}{entry}{self[at:]}"
        column = (children[0].key if isinstance(node, yaml.MappingNode) else node).start_mark.column
        return self.behind(self._line_end(self._end(children[-1])), _lines(place, value, column))

    def removed(self, node: yaml.Node, child: _Child, above: _Child | None) -> str:
        """Remove an entry; a mapping that held no other becomes `{}`."""
        children = _children(node)
        if len(children) == 1 and above is not None:
            return self.replaced(above, {})
        number = children.index(child)
        start, end = child.key.start_mark.index, self._end(child)
        if not node.flow_style:
            return self[: self._line_start(start)] + self[self._line_end(end) + 1 :]
        if number + 1 < len(children):
            return self[:start] + self[children[number + 1].key.start_mark.index :]
        return self[: self._end(children[number - 1])] + self[end:]

    def replaced(self, child: _Child, value: Any) -> str:
        """Replace an entry's value; its comment and its `&anchor` stay."""
        key, old = child.key, child.value
        new = self._value(value, key.start_mark.column)
        if child.is_alias:
            alias = self._alias(child)
            return self[: alias.start()] + new + self[alias.end() :]
        start, end = old.start_mark.index, self._end(child)
        if old.start_mark.line > key.end_mark.line and isinstance(old, yaml.CollectionNode) and not old.flow_style:
            colon = self.index(":", key.end_mark.index) + 1
            return f"{self[:colon]} {new}{self[colon : self._line_start(start)]}{self[self._line_end(end) + 1 :]}"
        anchor = ANCHOR.match(self, start)
        new = " " * (self[start - 1] == ":") + (f"{anchor[0]} " if anchor else "") + new
        behind = self[end:].lstrip(" ")
        gap = len(self) - end - len(behind)
        if gap and behind.startswith("#"):  # the comment stays in its column
            return f"{self[:start]}{new}{' ' * max(gap + end - start - len(new), 1)}{behind}"
        return f"{self[:start]}{new}{self[end:]}"

    def behind(self, at: int, lines: Sequence[str]) -> str:
        """Insert lines behind position `at`, which ends a line or the text."""
        newline = self._newline()
        before, after = self[:at].removesuffix("\r"), self[at:].removeprefix("\n")
        ended = before == "" or before.endswith("\n")
        return f"{before}{'' if ended else newline}{newline.join(lines)}{newline}{after}"

    def _end(self, child: _Child) -> int:
        """The position behind the last character of an entry."""
        if child.is_alias:
            return self._alias(child).end()
        inner, end = child.value, child.value.end_mark.index
        if isinstance(inner, yaml.CollectionNode) and not inner.flow_style:  # ends where the next key begins
            return self._end(_children(inner)[-1])
        return max(len(self[:end].rstrip()), int(inner.start_mark.index))

    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self else "\n"

    def _value(self, value: Any, column: int) -> str:
        return flow(value, column).replace("\n", self._newline())

    def _alias(self, child: _Child) -> re.Match[str]:
        return next(ALIAS.finditer(self, child.key.end_mark.index))

    def _line_start(self, at: int) -> int:
        return self.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        found = self.find("\n", at)
        return len(self) if found < 0 else found


def _held(node: yaml.Node) -> Any:
    """A mapping as Hydra reads it (1e-6 as a number); None for any other node."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return OmegaConf.to_container(OmegaConf.create(yaml.serialize(node, Dumper=yaml.SafeDumper)))


def _changed(held: Any, place: Place, value: Any) -> Any:
    """The mapping `held` with `value` at `place`; anything but a mapping is replaced."""
    if not place:
        return value
    if not isinstance(held, dict):
        return _nested(place, value)
    name, *rest = place
    if rest or value != ABSENT:
        return held | {name: _changed(held.get(name), rest, value)}
    return {other: inner for other, inner in held.items() if other != name}


def _nested(place: Place, value: Any) -> Any:
    """A value wrapped in the mappings and lists that its place names."""
    for name in reversed(place):
        value = [value] if isinstance(name, int) else {name: value}
    return value


def _lines(place: Place, value: Any, column: int) -> list[str]:
    """A value in block style, each key on a line of its own."""
    lines, begun = [], " " * column
    for number, name in enumerate(place, start=1):
        if isinstance(name, int):
            begun += "- "
            continue
        key = f"{begun}{_dumped(name, column)}:"
        lines.append(key if number < len(place) else f"{key} {flow(value, len(begun))}")
        begun = " " * (len(begun) + 2)
    return "\n".join(lines).split("\n")


def flow(value: Any, column: int = 0) -> str:
    """A value in flow style; further lines are indented for a key in `column`."""
    return _dumped(_escaped(value), column)


def _escaped(value: Any) -> Any:
    """The value with every `${` in its texts escaped; Hydra does not interpolate keys."""
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


def _dumped(value: Any, column: int) -> str:
    text: str = yaml.dump(
        [value],
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=max(LINE_WIDTH - column, SHORTEST_LINE),
    )
    return text.strip()[1:-1].replace("\n", "\n" + " " * (column + 2))


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes texts that Hydra would read as something else, like 12:30 and the symbol ON."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write no value as `*alias`."""
        return True


def _represented(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    needed = OmegaConf.to_yaml(OmegaConf.create({"": [_escaped(text)]})).partition("- ")[2][:1] in {"'", '"'}
    style = ("'" if needed else None) if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represented)
