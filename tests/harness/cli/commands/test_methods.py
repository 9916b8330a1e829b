"""`harness methods` on the command line."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from harness.cli.actions import methods as actions
from harness.cli.commands import methods as command
from harness.cli.commands.methods import methods
from harness.errors import UsageError
from harness.listener import Listener
from harness.methods import METHODS
from harness.registry.plug_ins import Plugins


def call(*arguments):
    result = CliRunner().invoke(methods, arguments, obj={"quiet": True})
    if result.exception:
        raise result.exception
    return result.output


def test_list_names_every_method_with_its_first_docstring_line():
    listed = {entry["name"]: entry["title"] for entry in json.loads(call("list", "--json"))}
    assert {"zero_shot", "linear_probe", "full_finetune", "prompt_only", "adapter_only", "cskt"} <= set(
        listed
    )
    assert listed["cskt"].startswith("CSKT: ")
    assert all(listed.values())
    assert listed["cskt"] in call("list")


def test_list_imports_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from harness.cli.commands.methods import methods;"
        "assert CliRunner().invoke(methods, ['list']).exit_code == 0;"
        "print([m for m in ('torch', 'open_clip', 'mlflow', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_info_counts_parameters_without_weights():
    told = json.loads(call("info", "cskt", "--json"))
    assert told["parameters"]["trainable"] == 12_117_888
    assert told["parameters"]["total"] == 161_735_552
    assert told["parameters"]["inference_extra"] == 2_726_784
    fields = {field["key"]: field for field in told["fields"]}
    assert fields["method.reduction"]["default"] == 8
    assert all(field["help"] for field in fields.values())
    assert all(fields[f"method.{key}"]["search"] for key in ("lr", "directions", "text_scale"))


def test_info_takes_overrides_backbone_and_size():
    arguments = ["info", "adapter-only", "--backbone", "tiny", "--image-size", "96x32", "--json"]
    told, changed = json.loads(call(*arguments)), json.loads(call(*arguments, "--set", "reduction=16"))
    assert told["image_size"] == [96, 32]
    assert told["parameters"]["trainable"] > changed["parameters"]["trainable"]
    assert {"key": "method.reduction", "value": 16} in [
        {name: field[name] for name in ("key", "value")} for field in changed["fields"]
    ]


def test_info_prints_words_for_people():
    told = call("info", "linear_probe", "--backbone", "tiny", "--image-size", "96x32")
    assert "32,768" in told
    assert "train.augment.flip = 0.0" in told
    assert "method.lr" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cskd"], "Did you mean 'cskt'"),
        (["cskt", "--set", "method.reductio=3"], "Did you mean 'method.reduction'"),
        (["cskt", "--set", "method.reduction=-1"], "-1"),
        (["cskt", "--backbone", "ViT-B-17"], "Did you mean 'ViT-B-16'"),
        (["cskt", "--image-size", "100"], "384x128"),
        (["cskt", "--backbone", "RN50"], "RN50"),
    ],
)
def test_mistakes_get_one_clear_message(arguments, message):
    with pytest.raises(UsageError, match=message):
        call("info", *arguments)


def test_info_counts_at_the_size_of_the_method_s_recipe_unless_told():
    assert json.loads(call("info", "tbps_clip", "--json"))["image_size"] == [224, 224]
    told = json.loads(call("info", "tbps_clip", "--image-size", "384x128", "--json"))
    assert told["image_size"] == [384, 128]
    shown = call("info", "tbps_clip")
    assert "149,162,625" in shown
    starts = {line.index(" " + word) for line in shown.splitlines() for word in ("trick:",) if word in line}
    assert len(starts) == 1, "values stand in one column, whatever the longest key"


def test_list_names_and_skips_faulty_plug_ins_and_goes_on(tmp_path, monkeypatch):
    (tmp_path / "good.py").write_text('"""A good one."""')
    (tmp_path / "broken.py").write_text("class Bad(:")
    (tmp_path / "coded.py").write_bytes(b'"""\xff"""')
    entry = EntryPoint("theirs", "not_there_at_all:Thing", "harness.methods")
    monkeypatch.setattr(
        command, "plugins", lambda folder: Plugins("method", f"harness.{folder}", [str(tmp_path)])
    )
    monkeypatch.setattr("harness.registry.plug_ins.IMPORTED", {})
    monkeypatch.setattr(Plugins, "_entry_points", lambda self: {"theirs": entry})
    result = CliRunner().invoke(methods, ["list", "--json"])
    assert json.loads(result.stdout) == [{"name": "good", "title": "A good one."}]
    assert "skipped: The method 'broken' cannot be read" in result.stderr
    assert "skipped: The method 'coded' cannot be read" in result.stderr
    assert METHODS.find("theirs") is None


def test_list_names_what_a_library_is_missing_for(tmp_path, monkeypatch):
    (tmp_path / "good.py").write_text('"""A good one."""')
    (tmp_path / "needy.py").write_text('"""Needy."""\n\nNEEDS = "not_there_at_all"\n')
    monkeypatch.setattr("harness.registry.plug_ins.IMPORTED", {})
    needy = Plugins("method", "harness.methods", [str(tmp_path)])
    monkeypatch.setattr(command, "plugins", lambda folder: needy)
    monkeypatch.setattr(Plugins, "_entry_points", lambda self: {})
    told = call("list")
    assert "not installed: needy, which needs not_there_at_all (pip install not_there_at_all)" in told
    assert [one["name"] for one in json.loads(call("list", "--json"))] == ["good"]


SMALL = ("--backbone", "tiny-2x64-2x64", "--image-size", "48x16")


@pytest.fixture(scope="module")
def all_counted():
    """Return all methods as they are counted on a small backbone, which takes a while."""
    return actions.describe_all(SMALL[1], SMALL[3], Listener())


@pytest.fixture
def counted(all_counted, monkeypatch):
    """Let the command find them counted."""
    asked = []
    monkeypatch.setattr(actions, "describe_all", lambda *given: asked.append(given[:2]) or all_counted)
    yield
    assert asked == [(SMALL[1], SMALL[3])]


def test_the_table_has_every_method_with_the_counts_that_info_gives(counted):
    rows = {row["name"]: row for row in json.loads(call("table", *SMALL, "--json"))}
    assert set(rows) == set(METHODS.names())
    trained = [row["parameters"]["trainable"] for row in rows.values()]
    assert trained == sorted(trained)
    for name in ("cskt", "zero_shot"):
        told = json.loads(call("info", name, *SMALL, "--json"))
        assert rows[name] == {key: told[key] for key in rows[name]}


def test_the_table_is_whole_on_eighty_columns(counted, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = call("table", *SMALL)
    assert max(map(len, text.splitlines())) <= 80
    (line,) = [line for line in text.splitlines() if line.startswith("cskt ")]
    counts = json.loads(call("info", "cskt", *SMALL, "--json"))["parameters"]
    assert line.split()[1] == f"{counts['trainable']:,}"
    assert line.split()[4] == f"{counts['inference_extra']:,}"


@pytest.mark.slow
def test_what_a_backbone_cannot_take_is_named_below_the_table():
    rows = json.loads(call("table", "--backbone", "RN50", "--image-size", "64x64", "--json"))
    refused = {row["name"]: row["refused"] for row in rows if "refused" in row}
    assert "cskt" in refused
    assert "zero_shot" not in refused
    assert "RN50" in refused["cskt"]
    assert [row["name"] for row in rows[-len(refused) :]] == list(refused)


def test_a_table_on_a_backbone_that_nobody_knows_is_one_message():
    with pytest.raises(UsageError, match="no-such-model"):
        call("table", "--backbone", "no-such-model")
