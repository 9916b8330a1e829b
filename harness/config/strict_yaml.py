"""YAML read strictly: a key given twice is an error."""

import re
from pathlib import Path
from typing import Any

import yaml

from harness.config.sections import SECTIONS
from harness.errors import UsageError
from harness.file_kinds import read_text


def read_yaml(
    file: Path, *, what: str = "preset", holds: str = f"sections ({', '.join(SECTIONS)})"
) -> dict[str, Any]:
    """Read a YAML mapping; raise `UsageError` naming the file, as `what`, and what it `holds`."""
    text = read_text(file, f"The {what} ", UsageError)
    try:
        values = parse_yaml(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"The {what} {file} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"The {what} {file} must hold {holds}, not {type(values).__name__}.")
    return values


class _Loader(yaml.SafeLoader):
    """YAML 1.2's reading: only true and false are truth values, 1e-4 is a number, and no key is given twice."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith((":bool", ":float"))]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\.inf|\.nan)$"),
    list("-+0123456789."),
)


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text; raise `yaml.YAMLError` where it is none."""
    return yaml.load(text, _Loader)
