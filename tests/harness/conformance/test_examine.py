"""`harness methods test`: what is told of a whole method, of a faulty one and of a file that is none."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.commands.methods import methods
from harness.conformance.examine import examine
from harness.conformance.suite import CHECKS
from harness.errors import HarnessError, UsageError
from harness.methods import METHODS

SMALL = "tiny-1x32-1x32"
MINE = '''"""Mine.

A factor for each dimension.
"""

import torch
from torch import nn

from harness.methods import Method, TrainedConfig, register, setting


class Config(TrainedConfig):
    held = ("size",)
    size: float = setting(1.0, "where factors start")


@register
class Mine(Method):
    Config = Config

    def adapt(self):
        self.factors = nn.Parameter(torch.full((self.clip.embed_dim,), self.config.size))

    def head_image(self, embeddings):
        return embeddings * self.factors.to(embeddings.dtype)

    head_text = head_image
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Return the writer of a method's file, which is forgotten afterwards."""
    known, modules = dict(METHODS._classes), set(sys.modules)
    monkeypatch.setattr(METHODS, "_classes", known)

    def write(text=MINE, name="mine.py", **replaced):
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / name
        file.write_text(text)
        return str(file)

    yield write
    for name in set(sys.modules) - modules:
        if name.startswith("harness.methods."):
            del sys.modules[name]


def call(*arguments):
    return CliRunner().invoke(methods, ["test", *arguments, "--backbone", SMALL], obj={"quiet": True})


def test_a_file_anywhere_is_tested_with_its_presets_and_settings(mine, tmp_path):
    file = mine()
    (tmp_path / "mine.large.yaml").write_text("method: {size: 2.0}\ntrain: {epochs: 3}\n")
    told = json.loads(call(file, "--preset", "large", "--set", "temperature=0.05", "--json").output)
    assert (told["method"], told["file"], told["backbone"]) == ("mine", file, SMALL)
    assert told["fields"] == {"size": 2.0, "temperature": 0.05}
    assert [one["check"] for one in told["checks"]] == [check.name for check in CHECKS]
    assert told["counts"] == {"passed": 25, "failed": 0, "not reached": 0, "does not apply": 0}
    assert "mine" not in {file.stem for place in METHODS.path for file in Path(place).glob("*")}


def test_a_line_for_each_check_and_a_summary_stand_on_eighty_columns(mine, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    file = mine()
    result = call(file)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert max(len(line) for line in lines if file not in line) <= 80, "a path is never cut"
    for check in CHECKS:
        assert sum(line.startswith(f"{check.name} ") for line in lines) == 1
    assert "25 passed" in " ".join(lines)


def test_a_failure_is_what_was_expected_found_and_to_do_and_code_one(mine):
    broken = "return embeddings * self.factors.to(embeddings.dtype)"
    result = call(mine(**{broken: "raise KeyError('\\x1b[31mred')"}))
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("shapes ")]
    assert "expected: any number is embedded" in line
    assert "found: KeyError: '\\x1b[31mred'" in line
    assert "mine.py, line 25, in head_image); fix: " in line
    assert "losses failed" not in result.output
    assert "rows           not reached" in result.output
    assert "features of a pair depend on that pair alone: shapes failed" in result.output


def test_the_file_of_a_registered_method_is_that_method():
    file = Path(METHODS.path[-1]) / "zero_shot.py"
    assert examine(str(file), backbone=SMALL)["method"] == "zero_shot"


def test_a_registered_name_is_tested_and_settings_count():
    assert examine("clip-adapter", backbone=SMALL)["counts"]["failed"] == 0
    told = examine("adaptformer", overrides=["bottleneck=4096"], backbone=SMALL)
    (failed,) = [one for one in told["checks"] if one["state"] == "failed"]
    assert failed["check"] == "adapt"
    assert f"it refuses {SMALL}: method.bottleneck=4096" in failed["found"]
    assert "--backbone" in failed["fix"]


FAULTS = {
    "syntax": ({"def adapt(self):": "def adapt(self:"}, r"SyntaxError: .*mine\.py, line \d+"),
    "import": (
        {"import torch\n": "import torch\nimport not_there_at_all\n"},
        r"not_there_at_all' \(mine\.py, line 7",
    ),
    "name": ({"@register\n": "@registre\n"}, r"NameError: .*mine\.py, line 17"),
    "unregistered": ({"@register\n": ""}, r"registers no class: put @register above class Mine \(line 17\)"),
    "empty": ({MINE: ""}, "registers no class: put @register above the class"),
    "two": (
        {"@register\n": "@register\nclass Other(Method): ...\n\n\n@register\n"},
        r"Other and Mine are both registered: leave one method in this file",
    ),
    "no method": ({"class Mine(Method)": "class Mine"}, "mine.* is no Method: let its class extend"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_file_is_one_line_that_names_it(mine, fault):
    replaced, said = FAULTS[fault]
    file = mine(**replaced)
    with pytest.raises(HarnessError, match=said) as told:
        examine(file)
    assert told.value.exit_code == 1
    assert "\n" not in str(told.value)
    assert "mine.py" in str(told.value)
    assert "mine" not in METHODS._classes


def test_a_file_is_read_anew_once_it_is_corrected(mine):
    with pytest.raises(HarnessError, match="SyntaxError"):
        examine(mine(**{"def adapt(self):": "def adapt(self:"}))
    assert examine(mine(), backbone=SMALL)["counts"]["failed"] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lora.py", r"lora\.py has the name of another method, lora: rename yours"),
        ("my-method.py", "name the file NAME.py, of letters, digits and _"),
        ("_mine.py", "name the file NAME.py"),
        ("mine.txt/", "is no file"),
    ],
)
def test_a_name_that_no_method_can_have_is_refused(mine, name, said):
    with pytest.raises(UsageError, match=said):
        examine(mine(name=name) if not name.endswith("/") else name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lorra"], "Did you mean 'lora'"),
        (["not/there.py"], "not/there.py is no file"),
        (["lora", "--set", "rnak=3"], "Did you mean 'method.rank'"),
        (["lora", "--set", "rank=0"], "rank"),
        (["lora", "--set", "train.epochs=3"], "only fields of the method act here"),
        (["lora", "--preset", "qvv"], "Did you mean 'qv'"),
    ],
)
def test_mistakes_get_one_clear_message(arguments, said):
    error = call(*arguments).exception
    assert isinstance(error, UsageError)
    assert said in str(error)
    assert "\n" not in str(error)
