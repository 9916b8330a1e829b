"""The schemas that ship are those of today, every YAML file names its own and keeps it, and a slip does not."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from harness.config.sections import RunConfig
from harness.config.strict_yaml import read_yaml
from harness.paths import SCHEMAS
from harness.presets.resolve import resolve
from harness.suites.suite_schema import schema_of, shipped_schemas, text_of

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(
    file
    for folder in ("methods", "harness/presets", "harness/suites")
    for file in (ROOT / folder).glob("*.yaml")
) + [ROOT / folder / "expected.yaml" for folder in ("benchmarks", "examples")]
LINE = "# yaml-language-server: $schema="


@pytest.fixture(scope="module")
def shipped():
    """The schemas of today."""
    return shipped_schemas()


def validator(name):
    resources = [
        (file.name, Resource.from_contents(json.loads(file.read_text()))) for file in SCHEMAS.glob("*.json")
    ]
    return Draft202012Validator(
        json.loads((SCHEMAS / name).read_text()), registry=Registry().with_resources(resources)
    )


def test_the_shipped_schemas_are_those_of_today(shipped):
    assert {file.name for file in SCHEMAS.iterdir()} == shipped.keys()
    old = [
        name
        for name, schema in shipped.items()
        if (SCHEMAS / name).read_text(encoding="utf-8") != text_of(schema)
    ]
    assert not old, f"harness schema all --out {SCHEMAS}"
    for schema in shipped.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_shipped_file_names_its_schema_and_keeps_it(file):
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith(LINE)
    schema = (file.parent / first.removeprefix(LINE)).resolve()
    method = file.name.partition(".")[0] if file.parent.name == "methods" else None
    kind = {"suites": "suite", "benchmarks": "expected", "examples": "expected"}.get(
        file.parent.name, "preset"
    )
    own = SCHEMAS / f"{kind}.{method}.json"
    # A method that waits for a library has no schema of its own (the test above holds those of all others).
    assert schema == (own if own.is_file() else SCHEMAS / f"{kind}.json")
    values, rule = read_yaml(file), validator(schema.name)
    assert not list(rule.iter_errors(values))
    key = next(iter(values))
    assert list(rule.iter_errors({**values, f"{key}x": values[key]})), "a misspelt key"


def test_the_profile_of_the_examples_names_its_schema_and_keeps_it():
    file = ROOT / "examples" / "cluster" / "profile.yaml"
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    assert (file.parent / first.removeprefix(LINE)).resolve() == SCHEMAS / "slurm.json"
    assert not list(validator("slurm.json").iter_errors(read_yaml(file)))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("preset.lora.json", {"method": {"rnak": 4}}),
        ("preset.lora.json", {"method": {"prompt_length": 4}}),
        ("preset.lora.json", {"train": {"augment": {"flip": 2}}}),
        ("preset.lora.json", {"method": {"loss": "sdn"}}),
        ("preset.json", {"method": {"rnak": 4}}),
        ("preset.json", {"eval": {"rule": "best"}}),
        ("suite.json", {"datasets": ["icfg"], "rows": [{"method": "cskd"}]}),
        ("suite.json", {"datasets": ["icfg"], "rows": [{"method": "cskt", "set": {"method.lrr": 1}}]}),
        ("suite.json", {"datasets": ["icfg"], "rows": [{"method": "cskt"}], "seed": 1}),
        ("config.json", {"dataset": {"name": "icfg"}}),
    ],
)
def test_a_slip_is_seen(name, values):
    assert list(validator(name).iter_errors(values))


def test_a_config_keeps_the_schema_of_its_method_and_fields_carry_their_help():
    config = resolve("lora", "icfg").model_dump(mode="json")
    schema = schema_of("config", "lora")
    assert not list(Draft202012Validator(schema).iter_errors(config))
    epochs = schema["$defs"]["TrainConfig"]["properties"]["epochs"]
    help_text = RunConfig.model_fields["train"].annotation.model_fields["epochs"].description
    assert epochs["description"] == help_text
    suite = schema_of("suite")
    for part in (suite, suite["$defs"]["Row"]):
        assert all(field["description"] for field in part["properties"].values())
