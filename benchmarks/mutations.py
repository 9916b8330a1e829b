"""Small deliberate changes of a module's code, as edits of its text: what a test should notice.

A change keeps the rest of the file as it is, so that it is one line of a difference. Annotations, docstrings, texts and
what only a type checker reads are left alone.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

FLIPPED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: (r"\|", "&"),
}


@dataclass(frozen=True)
class Mutation:
    """One change: the bytes from `start` to `end` of a source become `text`.

    Attributes:
        kind: what kind of change it is.
        line: number of the first line that changes, from 1.
        start: first byte that goes.
        end: the byte after the last that goes.
        text: what comes instead.
    """

    kind: str
    line: int
    start: int
    end: int
    text: str

    def of(self, source: bytes) -> bytes:
        """Return the changed source."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def lines(self, source: bytes) -> tuple[str, str]:
        """Return the lines that change, before and after, each as one line."""
        first = source.rfind(b"\n", 0, self.start) + 1
        last = source.find(b"\n", self.end)
        last = len(source) if last < 0 else last
        after = source[first : self.start] + self.text.encode() + source[self.end : last]
        return _joined(source[first:last]), _joined(after)


def _joined(text: bytes) -> str:
    return " ".join(text.decode().split())


def mutations(source: bytes) -> list[Mutation]:
    """Return all changes of a source that can be parsed and differ from it, in the order of the text."""
    tree = ast.parse(source)
    found = {(one.start, one.end, one.text): one for one in _Finder(source).all(tree)}
    before = ast.dump(tree)
    return [one for _, one in sorted(found.items()) if _counts(one.of(source), before)]


def _counts(changed: bytes, before: str) -> bool:
    try:
        return ast.dump(ast.parse(changed)) != before
    except SyntaxError:
        return False


class _Finder:
    """Walks over a module and yields the changes of each node."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        lengths = [len(line) for line in source.splitlines(keepends=True)]
        self.begins = [sum(lengths[:index]) for index in range(len(lengths) + 1)]

    def all(self, node: ast.AST) -> Iterator[Mutation]:
        """Yield the changes of a node and of what is in it."""
        yield from self._of(node)
        for child in _code_of(node):
            yield from self.all(child)

    def _of(self, node: ast.AST) -> Iterator[Mutation]:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=rights):
                for before, operator, after in zip([left, *rights], ops, rights, strict=False):
                    yield from self._operator("comparison", before, operator, after)
            case ast.BoolOp(op=operator, values=values):
                for before, after in pairwise(values):
                    yield from self._operator("and / or", before, operator, after)
            case ast.BinOp(left=left, op=operator, right=right):
                if not _is_text(left) and not _is_text(right):
                    yield from self._operator("arithmetic", left, operator, right)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self._change("not removed", node, self._text(operand))
            case ast.Constant(value=bool() as value):
                yield self._change("constant", node, str(not value))
            case ast.Constant(value=int() as value):
                yield self._change("constant", node, str(value + 1))
            case ast.Constant(value=float() as value):
                yield self._change("constant", node, repr(2 * value or 1.0))
            case ast.Return(value=ast.expr() as value) if not _is_nothing(value):
                yield self._change("return None", value, "None")
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.AugAssign():
                yield self._change("statement removed", node, "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self._change("statement removed", node, "pass")

    def _operator(
        self, kind: str, before: ast.expr, operator: ast.AST, after: ast.expr
    ) -> Iterator[Mutation]:
        """Yield the change of what stands between two expressions."""
        if type(operator) not in FLIPPED:
            return
        pattern, text = FLIPPED[type(operator)]
        start, end = self._span(before)[1], self._span(after)[0]
        words = rf"\b{pattern}\b" if pattern[0].isalpha() else pattern
        found = re.search(words.encode(), self.source[start:end])
        if found:
            line = before.end_lineno or before.lineno
            yield Mutation(kind, line, start + found.start(), start + found.end(), text)

    def _change(self, kind: str, node: ast.expr | ast.stmt, text: str) -> Mutation:
        return Mutation(kind, node.lineno, *self._span(node), text)

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self.begins[node.lineno - 1] + node.col_offset, self.begins[end_line - 1] + end_column

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self.source[start:end].decode()


def _code_of(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the children that run: no annotations, no decorators' names, nothing for type checkers alone."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params"):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield child


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_nothing(node: ast.expr) -> bool:
    """Whether a value is None, or False, which who asks reads alike."""
    return isinstance(node, ast.Constant) and node.value in (None, False)
