"""Put figures that were found into an `expected.yaml`, so that nobody types them; all else stays as it is."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError
from yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from harness.config.strict_yaml import parse_yaml
from harness.errors import UsageError
from harness.file_kinds import read_text
from harness.upkeep.expected import Expected, Figure, Result
from harness.upkeep.expected_file import read_expected

_DIGITS, _MOST_DIGITS = 2, 12


def filled(
    figures: Mapping[str, Figure | None], found: Mapping[str, float], within: float, *, anew: bool
) -> dict[str, Figure]:
    """Return figures with those found in place of those that are not filled in yet, or of all values with `anew`.

    What is `between` two ends stays: somebody chose these.

    >>> filled({"t2i/R1": None}, {"t2i/R1": 30.528}, 0.1, anew=False)["t2i/R1"].value
    30.53
    """
    done = {}
    for name, figure in figures.items():
        if figure is None:
            done[name] = Figure(value=rounded(found[name], within), within=within)
        elif anew and figure.value is not None and figure.within is not None:
            done[name] = figure.model_copy(update={"value": rounded(found[name], figure.within)})
        else:
            done[name] = figure
    return done


def rounded(value: float, within: float) -> float:
    """Return a figure with two digits behind the point, or with as many as keep it `within` of itself.

    >>> rounded(30.5281234, 0.1), rounded(30.5281234, 0.001), rounded(100 / 3, 0)
    (30.53, 30.528, 33.333333333333)
    """
    digits = (n for n in range(_DIGITS, _MOST_DIGITS) if abs(round(value, n) - value) <= within / 2)
    return round(value, next(digits, _MOST_DIGITS))


def with_figures(file: Path, figures: Mapping[str, Mapping[str, Figure]]) -> str:
    """Return the text of a file with figures, by the name of their result; lines other than theirs stay as they are.

    Raises `UsageError` where a result has no lines of its own.
    """
    before = read_expected(file)
    lines = read_text(file, "The file of expected figures ", UsageError).splitlines()
    for result, key, last in reversed(list(_places("\n".join(lines), before, file))):
        if result.name in figures:
            indent = " " * key.start_mark.column
            lines[key.start_mark.line : last + 1] = [
                f"{indent}expect:",
                *(f"{indent}  {name}: {_text(figure)}" for name, figure in figures[result.name].items()),
            ]
    text = "\n".join(lines) + "\n"
    try:
        Expected.model_validate(parse_yaml(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise UsageError(
            f"{file} cannot be filled in line by line: write its results one below the other, without aliases."
        ) from error
    return text


def _places(text: str, expected: Expected, file: Path) -> Iterator[tuple[Result, Node, int]]:
    """Yield each result with the key `expect` of its lines, and the last line of what follows it."""
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, MappingNode)
    rows = next(value for key, value in root.value if key.value == "results")
    for result, node in zip(expected.results, rows.value, strict=True):
        key, value = next(pair for pair in node.value if pair[0].value == "expect")
        if rows.flow_style or node.flow_style or node.start_mark.line == key.start_mark.line:
            raise UsageError(
                f"{file}: result {result.name!r} has no line of its own for `expect`: write its keys one a line, its "
                "name first."
            )
        yield result, key, max(key.end_mark.line, *_ends(value))


def _ends(node: Node) -> Iterator[int]:
    """Yield the lines where the parts of a value end: those of a block alone, for its own end is after blank lines."""
    if not isinstance(node, CollectionNode) or node.flow_style:
        yield node.end_mark.line
    elif isinstance(node, SequenceNode):
        for one in node.value:
            yield from _ends(one)
    else:
        for pair in node.value:
            for one in pair:
                yield from _ends(one)


def _text(figure: Figure) -> str:
    """Return a figure as its line has it.

    >>> _text(Figure(value=30.5, within=0.1)), _text(Figure(between=(29.0, 31.5)))
    ('{value: 30.5, within: 0.1}', '{between: [29.0, 31.5]}')
    """
    if figure.between is not None:
        return f"{{between: {list(figure.between)}}}"
    return f"{{value: {figure.value}, within: {figure.within}}}"
