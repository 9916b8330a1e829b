"""Every number that can be set has two ends, and at both of them a method is made or refused, in one line and at once.

The fields are found by walking the models and the command line, so that one that comes later is held to it as well.
"""

import signal
import sys
import time
from collections import Counter

import click
import pytest

from harness.cli.main import cli
from harness.clip.model import load_clip
from harness.config.sections import RunConfig
from harness.errors import HarnessError
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.run.job import build_method
from harness.suites.cells import expand
from harness.suites.schema import Row, Suite
from harness.suites.suite_files import load_suite
from harness.sweep.settings import Constraint, Search
from tests.small_clip import register

SECONDS = 3.0  # of processor time, a second where nothing else runs
ENDS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
BEYOND = ("-1e300", "1e300", "9" * 18, "5e-324", "0")
MODELS = {
    "run": RunConfig,
    "search": Search,
    "constraint": Constraint,
    "suite": Suite,
    "row": Row,
    **{f"method {name}": METHODS.get(name).Config for name in METHODS.names()},
}


def numbers(schema, place=""):
    """Yield the place and the schema of each number in a JSON schema."""
    if isinstance(schema, list):
        for part in schema:
            yield from numbers(part, place)
    elif isinstance(schema, dict):
        if schema.get("type") in ("integer", "number"):
            yield place, schema
        for name, part in schema.items():
            if name not in ("default", "enum", "const", "required"):
                yield from numbers(part, f"{place}/{name}")


@pytest.mark.parametrize("model", MODELS)
def test_every_number_of_a_config_has_two_ends(model):
    found = dict(numbers(MODELS[model].model_json_schema()))
    endless = [
        place for place, schema in found.items() if not all(any(end in schema for end in way) for way in ENDS)
    ]
    assert found or model in ("row", "method zero_shot")
    assert not endless


def options(command=cli, words=("harness",)):
    """Yield the place of every option of a command and of those below it, and the option."""
    for one in command.params:
        yield " ".join((*words, one.opts[0])), one
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from options(command.get_command(context, name), (*words, name))


NUMBERS = click.types.IntParamType | click.types.FloatParamType
NUMBERED = {place: one for place, one in options() if isinstance(one.type, NUMBERS)}


@pytest.mark.parametrize("place", NUMBERED)
def test_every_number_of_the_command_line_has_two_ends(place):
    kind = NUMBERED[place].type
    for text in (
        "9" * 30,
        "-" + "9" * 30,
        *(("nan", "inf", "-inf") if kind.name.startswith("float") else ()),
    ):
        with pytest.raises(click.BadParameter) as refused:
            kind.convert(text, NUMBERED[place], None)
        assert len(str(refused.value.format_message()).splitlines()) == 1


def test_the_walk_finds_them():
    assert len(NUMBERED) > 15
    places = dict(numbers(RunConfig.model_json_schema()))
    assert any("erase_area" in place for place in places)
    assert any("image_size" in place for place in places)
    assert len(places) > 30


def fields(method):
    """Return the dotted key of each number in a method's config, and its ends."""
    schema = METHODS.get(method).Config.model_json_schema()
    for name, part in schema["properties"].items():
        for _, number in numbers(part):
            ends = [number.get(inner, number.get(outer)) for inner, outer in ENDS]
            yield f"method.{name}", part.get("type") == "array", ends


def hostile_cases():
    for method in METHODS.names():
        for key, listed, ends in fields(method):
            for value in (*map(str, ends), *BEYOND):
                yield method, f"{key}={f'[{value}]' if listed else value}"


class Late(BaseException):
    """Something took too long; no handler of the code under test may take it for an error of its own."""


def outcome(method, override):
    """Return what becomes of a setting: `made`, `refused`, or what went wrong."""

    def late(*_):
        raise Late

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        config = resolve(method, "icfg", overrides=[override, *SMALL])
        made = build_method(config.fitted(5), load_clip(config.backbone))
        n = sum(parameter.numel() for parameter in made.parameters())
        return "made" if n < 2**27 else f"{n} parameters"
    except HarnessError as error:
        said = str(error)
        return "refused" if len(said.splitlines()) == 1 and len(said) < 2_000 else f"{len(said)} characters"
    except Late:
        return "late"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


SMALL = ("backbone.name=small", "backbone.pretrained=null", "backbone.image_size=[32, 32]")


@pytest.mark.slow
def test_hostile_numbers_of_methods_are_made_or_refused_at_once(monkeypatch, record_property):
    register(monkeypatch)
    found, bad = Counter(), []
    for method, override in hostile_cases():
        result = outcome(method, override)
        found[result if result in ("made", "refused") else "wrong"] += 1
        if result not in ("made", "refused"):
            bad.append((method, override, result))
    record_property("counts", dict(found))
    sys.stdout.write(f"{found.total()} cases: {dict(sorted(found.items()))}\n")
    assert not bad, (len(bad), bad[:20])


@pytest.mark.parametrize(
    "suite",
    [
        "datasets: [icfg]\nrows:\n  - {method: cskt, vary: {seed_free: VALUES}}\n",
        "datasets: [icfg, cuhk, rstp]\nseeds: 1000\nrows:\n  - {method: cskt, vary: {seed_free: SOME}}\n",
    ],
)
def test_a_suite_that_nobody_could_run_is_refused_before_its_runs_are_made(tmp_path, suite):
    for word, n in (("VALUES", 9_000), ("SOME", 50)):
        suite = suite.replace(word, "[" + ", ".join(f"{1e-5 * (1 + k)}" for k in range(n)) + "]")
    file = tmp_path / "s.yaml"
    file.write_text(suite.replace("seed_free", "method.lr"))
    read = load_suite(str(file))
    start = time.process_time()
    with pytest.raises(HarnessError, match=r"rows and [\d,]+ runs, of which there may be"):
        expand(read, synthetic=True)
    assert time.process_time() - start < SECONDS
