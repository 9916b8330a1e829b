"""YAML read strictly: plain values by names, in bounds; everything else is one line that says where and what to do."""

import re
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from harness.config.sections import SECTIONS
from harness.errors import UsageError, brief
from harness.file_kinds import read_text

# What settings can be: of text in bytes, of values in all once aliases are written out, inside one another, of digits.
_MOST_BYTES, _MOST_VALUES, _MOST_LEVELS, _MOST_DIGITS = 2**18, 10_000, 20, 18
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(
    file: Path, *, what: str = "preset", holds: str = f"sections ({', '.join(SECTIONS)})"
) -> dict[str, Any]:
    """Read a YAML mapping; raise `UsageError` naming the file, as `what`, and what it `holds`."""
    text = read_text(file, f"The {what} ", UsageError, _MOST_BYTES)
    try:
        values = parse_yaml(text)
    except yaml.YAMLError as error:
        raise UsageError(f"The {what} {file} is not valid YAML: {why(error)}.") from error
    if not isinstance(values, dict):
        found = "nothing" if values is None else type(values).__name__
        raise UsageError(f"The {what} {file} must hold {holds}, not {found}.")
    return values


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text: text, finite number, truth value, null, a list of such or a mapping by text.

    Raises `yaml.YAMLError` where it is none; `why` says it in one line.
    """
    return yaml.load(text, _Loader)


def why(error: yaml.YAMLError) -> str:
    """Return in one line what is wrong with a YAML text, and where.

    >>> try:
    ...     parse_yaml("a: [1")
    ... except yaml.YAMLError as error:
    ...     print(why(error))
    while parsing a flow sequence expected ',' or ']', but got '<stream end>' (line 1, column 6)
    """
    if isinstance(error, yaml.reader.ReaderError):
        return f"it holds the character #x{int(error.character):04x}, which no text has"
    said = [getattr(error, part, None) for part in ("context", "problem")]
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    words = " ".join(" ".join(str(part)[:200].split()) for part in said if part)
    return (words or type(error).__name__) + where


class _Loader(yaml.SafeLoader):
    """YAML 1.2's reading: only true and false are truth values, 1e-4 is a number, 0x10, 1:30 and 2020-01-01 are text.

    No key is given twice or is anything but text, nothing has a tag, and an alias stands for what is whole.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._level = self._n = 0
        self._open: set[str] = set()
        # Values and levels of what was read, as if all aliases were written out.
        self._extent: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Read one value and what is in it, as far as bounds allow."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        anchor = event.anchor
        if isinstance(event, yaml.AliasEvent):
            if anchor in self._open:
                _refuse(f"the alias *{anchor[:40]} stands for what it is part of", event)
            return super().compose_node(parent, index)
        if event.tag is not None:
            _refuse(f"the tag {event.tag[:60]} is not read: leave it out, or write plain text", event)
        self._n += 1
        if self._n > _MOST_VALUES:
            _refuse(f"it holds more than {_MOST_VALUES:,} values", event)
        if self._level == _MOST_LEVELS:
            _refuse(f"more than {_MOST_LEVELS} levels are inside one another", event)
        self._level += 1
        self._open |= {anchor} if anchor else set()
        node: Any = super().compose_node(parent, index)
        self._open -= {anchor}
        self._level -= 1
        self._measure(node)
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Read a mapping; each key is text and given once."""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in (_TEXT, _MERGE):
                shown = brief(key.value) if isinstance(key, ScalarNode) else "of several values"
                _refuse(f"the key {shown} is no text: write a name, or put it in quotes", key)
            if key.value in seen:
                _refuse(f"the key {brief(key.value)} is given twice", key)
            seen.add(key.value)
        return node

    def _measure(self, node: Node) -> None:
        parts: list[Node] = [] if isinstance(node, ScalarNode) else list(node.value)
        if isinstance(node, MappingNode):
            parts = [part for pair in node.value for part in pair]
        inside = [self._extent[id(part)] for part in parts]
        n, levels = 1 + sum(n for n, _ in inside), 1 + max((levels for _, levels in inside), default=0)
        if n > _MOST_VALUES:
            _refuse(f"it holds more than {_MOST_VALUES:,} values, aliases written out", node)
        if levels > _MOST_LEVELS:
            _refuse(f"more than {_MOST_LEVELS} levels are inside one another", node)
        self._extent[id(node)] = n, levels

    def whole_number(self, node: ScalarNode) -> int:
        """Return the number of a node; raise where no setting can be so large."""
        if len(node.value.lstrip("+-0")) > _MOST_DIGITS:
            _refuse(f"the number {brief(node.value)} has more than {_MOST_DIGITS} digits", node)
        return int(node.value)

    def finite_number(self, node: ScalarNode) -> float:
        """Return the number of a node; raise where it is infinite or none."""
        value = float("nan") if node.value[-1] in "nf" else float(node.value)
        if value in (float("inf"), float("-inf")) or value != value:
            _refuse(f"{brief(node.value)} is no finite number", node)
        return value


def _refuse(what: str, at: Any) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, what, at.start_mark)


_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, pattern) for tag, pattern in pairs if tag.endswith((":null", ":merge"))])
}
for _name, _pattern, _first in (
    ("bool", r"^(?:true|True|false|False)$", "tTfF"),
    ("int", r"^[-+]?\d+$", "-+0123456789"),
    ("float", r"^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\.(?:inf|nan))$", "-+0123456789."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern, re.ASCII), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.finite_number)
