"""What a single small fault in a module may look like, by its syntax tree."""

import ast
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
REVERSED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
REPLACED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult,
}  # fmt: skip
RENAMED = {
    "min": "max", "minimum": "maximum", "min_horizontal": "max_horizontal", "fmin": "fmax", "any": "all",
    "any_horizontal": "all_horizontal", "ceil": "floor", "first": "last", "union": "intersection",
    "head": "tail", "is_null": "is_not_null", "cum_sum": "cum_max", "mean": "median", "forward_fill": "backward_fill",
}  # fmt: skip
MODULES = ("np", "pl")
BUILT_IN = {"min", "max", "any", "all", "ceil", "floor"}
RENAMED |= {after: before for before, after in RENAMED.items()}
CONDITIONS = ("filter", "any_horizontal", "all_horizontal", "min_horizontal", "max_horizontal")  # one is dropped
DROPPED = ("round", "abs", "sorted", "unique", "sort", "fill_null")
# Said in words, checked before anything runs, or true of any order: no fault that a test of the figures would see.
QUIET_KEYWORDS = {
    "frozen",
    "strict",
    "validate",
    "check_sortedness",
    "maintain_order",
    "infer_schema_length",
    "axis",
    "dtype",
    "schema",
    "desc",
}
QUIET_CALLS = {"print", "match", "compile", "replace_strict", "getLogger"}
# Without a figure in them, or only words: annotations are left out where they stand.
PARTS = (ast.Tuple, ast.Slice, ast.UnaryOp)  # which say too little of what stands around a constant
UNCHANGED = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Mutation:
    """One node of a module written otherwise. *Units*: `start` and `end` in bytes of the source.

    `before` and `after` show it; of a constant, the expression around it.
    """

    function: str
    line: int
    before: str
    after: str
    text: str
    start: int
    end: int

    def apply(self, text: str) -> str:
        """The module with the fault in it."""
        content = text.encode()
        return (content[: self.start] + f"({self.text})".encode() + content[self.end :]).decode()


def mutations(text: str) -> list[Mutation]:
    """Every single change of a module, in order."""
    content, lines = text.encode(), [0]
    for line in content.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def span(node: Any) -> tuple[int, int]:
        return lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset

    found = []
    for function, around, node, changed in _sites(ast.parse(text), "<module>", None):
        start, end = span(node)
        first, last = span(around if isinstance(node, ast.Constant) else node)
        for one in map(ast.unparse, changed):
            shown = (content[first:start] + part + content[end:last] for part in (content[start:end], one.encode()))
            before, after = (" ".join(part.decode().split()) for part in shown)
            found.append(Mutation(function, node.lineno, before, after, one, start, end))
    return found


def _sites(node: ast.AST, function: str, around: Any) -> Iterator[tuple[str, Any, Any, Iterable[ast.expr]]]:
    """The expressions of a module: the function and the expression around each, and what may stand in its place."""
    if isinstance(node, UNCHANGED) or (isinstance(node, ast.Call) and _called(node) in QUIET_CALLS):
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = node.name if function == "<module>" else f"{function}.{node.name}"
    if isinstance(node, ast.expr):
        yield function, around or node, node, CHANGES.get(type(node), lambda _: ())(node)
    elif isinstance(node, ast.If | ast.While) and ast.unparse(node.test) != "TYPE_CHECKING":
        yield function, node.test, node.test, [ast.UnaryOp(ast.Not(), node.test)]
    elif isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
        yield function, node.value, node.value, [ast.Constant(None)]
    if isinstance(node, ast.expr | ast.stmt) and not isinstance(node, PARTS):
        around = node
    for child in _inside(node):
        yield from _sites(child, function, around)


def _inside(node: ast.AST) -> Iterable[ast.AST]:
    """The parts of a node in which a fault may lie: no annotation, no decorator."""
    if isinstance(node, ast.FunctionDef):
        return [*node.args.defaults, *(one for one in node.args.kw_defaults if one), *node.body]
    if isinstance(node, ast.ClassDef):
        return node.body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith("_AT_ONCE"):
        return []  # how much is in memory at a time shows nowhere
    if isinstance(node, ast.AnnAssign):
        return [node.value] if node.value else []
    if isinstance(node, ast.keyword) and node.arg in QUIET_KEYWORDS:
        return []
    if isinstance(node, ast.Call) and _called(node) == "reshape":  # -1 is the length that is left, and so is -2
        return [node.func, *(one for one in node.args if ast.unparse(one) != "-1")]
    return ast.iter_child_nodes(node)


def _comparisons(node: ast.Compare) -> Iterator[ast.expr]:
    for i, one in enumerate(node.ops):
        for table in (COMPARED, REVERSED):
            if type(one) in table:
                yield ast.Compare(node.left, [*node.ops[:i], table[type(one)](), *node.ops[i + 1 :]], node.comparators)


def _conditions(node: ast.BoolOp) -> Iterator[ast.expr]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for i in range(len(node.values)):
        kept = node.values[:i] + node.values[i + 1 :]
        yield kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)


def _operations(node: ast.BinOp) -> Iterator[ast.expr]:
    words = any(
        isinstance(one, ast.Constant) and not isinstance(one.value, int | float) for one in (node.left, node.right)
    )
    if type(node.op) in REPLACED and not words:
        yield ast.BinOp(node.left, REPLACED[type(node.op)](), node.right)


def _signs(node: ast.UnaryOp) -> Iterator[ast.expr]:
    if not isinstance(node.operand, ast.Constant):
        yield node.operand


def _constants(node: ast.Constant) -> Iterator[ast.expr]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(2.0 * value if value else 1.0)


def _slices(node: ast.Subscript) -> Iterator[ast.expr]:
    for bound in ("lower", "upper"):
        if isinstance(node.slice, ast.Slice) and getattr(node.slice, bound) is not None:
            wider = deepcopy(node)
            setattr(wider.slice, bound, None)
            yield wider


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    name, method = _called(node), isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) not in MODULES
    if name in RENAMED and (isinstance(node.func, ast.Attribute) or name in BUILT_IN):
        other = deepcopy(node)
        if isinstance(node.func, ast.Attribute):
            other.func = ast.Attribute(node.func.value, RENAMED[name])
        else:
            other.func = ast.Name(RENAMED[name])
        yield other
    if name in CONDITIONS and len(node.args) + len(node.keywords) > 1:
        for i in range(len(node.args)):
            yield ast.Call(node.func, node.args[:i] + node.args[i + 1 :], node.keywords)
        for i in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
    if name in DROPPED and method:
        yield node.func.value
    elif name in DROPPED and node.args:
        yield node.args[0]


CHANGES: dict[type[ast.expr], Callable[[Any], Iterator[ast.expr]]] = {
    ast.Compare: _comparisons, ast.BoolOp: _conditions, ast.BinOp: _operations, ast.UnaryOp: _signs,
    ast.Constant: _constants, ast.Subscript: _slices, ast.Call: _calls,
}  # fmt: skip


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", None) or getattr(node.func, "id", "")
