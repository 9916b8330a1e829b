"""`harness data` from the command line."""

import json
import subprocess
import sys

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely

TWIN = ("--identities", "6", "--data-root")


@pytest.fixture
def harness(monkeypatch, capsys):
    """Call the command line as the terminal does; return exit code, output and error output."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        code = run_safely(cli, debug=False)
        return code, *capsys.readouterr()

    return call


def test_list_says_where_data_are_found(harness, real_format, tmp_path):
    real_format.write_icfg(tmp_path)
    code, out, _ = harness("data", "list", "--data-root", tmp_path)
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "ICFG-PEDES/" in lines["icfg"]
    assert "not found" in lines["cuhk"]
    assert f"{tmp_path} (from --data-root)" in " ".join(out.split())


def test_list_as_json_names_the_setting(harness, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    _, out, _ = harness("data", "list", "--json")
    values = json.loads(out)
    assert values["chosen_by"] == "HARNESS_DATA"
    assert [row["name"] for row in values["datasets"]] == ["cuhk", "icfg", "rstp", "ufine", "ufine3c"]
    assert all(row["found"] is None for row in values["datasets"])


def test_list_imports_nothing_heavy():
    heavy = "torch open_clip mlflow optuna sklearn seaborn pandas numpy PIL rich.console pydantic"
    program = f"""
import sys
sys.argv = ["harness", "data", "list"]
from harness.cli.options import run_safely
from harness.cli.main import cli
assert run_safely(cli, debug=True) == 0
print([name for name in {heavy.split()} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", ["cuhk", "icfg", "rstp", "ufine", "ufine3c"])
def test_info_tells_all_a_person_needs(harness, tmp_path, name):
    from harness.datasets import DATASETS

    dataset = DATASETS.get(name)
    code, out, _ = harness("data", "info", name, "--data-root", tmp_path / "nowhere")
    assert code == 0
    words = " ".join(out.split())
    assert dataset.licence in words
    assert dataset.access in words
    assert f"{tmp_path}/nowhere/{dataset.folder}/" in out
    assert dataset.annotation_files[0] in out
    assert "nowhere does not exist" in words
    assert f"{dataset.expected['test'].captions:,}" in out
    code, out, _ = harness("data", "info", name, "--json", "--data-root", tmp_path)
    assert json.loads(out)["expected"]["test"]["images"] == dataset.expected["test"].images


def test_info_names_a_wrong_file_that_lies_there(harness, real_format, tmp_path):
    real_format.write_cuhk(tmp_path, name="caption_all.json")
    _, out, _ = harness("data", "info", "cuhk", "--data-root", tmp_path)
    assert "bad file" in out


def test_an_unknown_dataset_gets_the_nearest_name(harness):
    code, _, error = harness("data", "info", "icgf")
    assert code == 2
    assert "Did you mean 'icfg'?" in error


def test_an_unknown_command_gets_the_nearest_name(harness):
    code, _, error = harness("data", "verfiy", "icfg")
    assert code == 2
    assert "Did you mean 'verify'?" in error


def test_verify_ends_with_1_when_not_usable(harness, real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    code, out, _ = harness("data", "verify", "icfg", "--data-root", root)
    assert code == 1
    assert "3 / 34,674" in out
    assert "not usable: 2 errors, 0 warnings (5 of 5 images decoded)" in out
    pictures = sorted(root.rglob("*.jpg"))
    pictures[0].write_bytes(b"broken")
    assert "(4 of 5 images decoded)" in harness("data", "verify", "icfg", "--data-root", root)[1]
    for picture in pictures[1:]:
        picture.unlink()
    assert "(0 of 5 images decoded)" in harness("data", "verify", "icfg", "--data-root", root)[1]
    out = harness("data", "verify", "icfg", "--data-root", root, "--check", "exist")[1]
    assert "(1 of 5 images found, none decoded)" in out
    code, out, _ = harness("data", "verify", "icfg", "--data-root", root, "--json", "--images", "exist")
    assert code == 1
    assert json.loads(out)["usable"] is False


def test_verify_ends_with_2_when_data_are_missing(harness, tmp_path):
    code, _, error = harness("data", "verify", "icfg", "--data-root", tmp_path)
    assert code == 2
    assert f"{tmp_path} (from --data-root)" in error
    assert "--synthetic" in error


def test_hostile_text_reaches_the_terminal_without_control_sequences(harness, real_format, tmp_path):
    entries = real_format.icfg_entries()
    entries[0]["file_path"] = "train/\x1b[31mred\x07.jpg"
    entries[1]["captions"] = [" \x1b]0;title\x07 a coat"]
    _, out, _ = harness("data", "verify", "icfg", "--data-root", real_format.write_icfg(tmp_path, entries))
    assert "\x1b" not in out
    assert "\x07" not in out
    entries[0]["split"] = "\x1b[31m"
    _, out, _ = harness("data", "verify", "icfg", "--data-root", real_format.write_icfg(tmp_path, entries))
    assert "\x1b" not in out


def test_a_twin_is_made_found_and_verified(harness, tmp_path):
    code, out, _ = harness("data", "make", "icfg", *TWIN, tmp_path)
    assert code == 0
    assert f"{tmp_path}/synthetic/ICFG-PEDES" in out
    assert f"--synthetic --data-root {tmp_path}" in out
    code, out, _ = harness("data", "verify", "icfg", "--synthetic", "--data-root", tmp_path)
    assert code == 0
    assert "synthetic twin" in out
    assert "usable: 0 errors" in out
    _, out, _ = harness("data", "list", "--data-root", tmp_path)
    assert "synthetic/ICFG-PEDES/" in out


@pytest.mark.parametrize(
    ("name", "use"), [("ufine", "run --method cskt --dataset ufine --synthetic"), ("ufine3c", "evaluate RUN")]
)
def test_the_twins_of_long_captions_are_made_and_whole(harness, tmp_path, name, use):
    code, out, _ = harness("data", "make", name, *TWIN, tmp_path)
    assert code == 0
    assert f"harness {use}" in out
    code, out, _ = harness("data", "verify", name, "--synthetic", "--data-root", tmp_path)
    assert code == 0
    assert "usable: 0 errors, 0 warnings" in out


def test_a_twin_that_is_not_made_is_no_missing_download(harness, tmp_path):
    code, _, error = harness("data", "verify", "icfg", "--synthetic", "--data-root", tmp_path)
    assert code == 2
    assert "make it with: harness data make icfg" in error


def test_a_dataset_without_a_twin_says_which_have_one(harness, monkeypatch, tmp_path):
    from harness.datasets import DATASETS

    monkeypatch.setattr(DATASETS.get("ufine"), "twin", None)
    code, _, error = harness("data", "make", "ufine", "--data-root", tmp_path)
    assert code == 2
    assert "UFine6926 has no synthetic twin; those that have: cuhk, icfg, rstp, ufine3c" in error


def test_cache_says_the_disk_it_takes_first(harness, real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    code, out, _ = harness("data", "cache", "icfg", "--data-root", root, "--image-size", "96x32")
    assert code == 0
    assert out.startswith("5 images at 96x32 take 0.0 MB of disk in ")
    assert "Ready" in out


def test_cache_tells_unreadable_images(harness, real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    bad = root / "ICFG-PEDES" / "imgs" / "test" / "0008" / "0008_000_01_0302morning_0001_0.jpg"
    bad.write_bytes(b"no picture")
    arguments = ("data", "cache", "icfg", "--data-root", root, "--image-size", "96x32")
    code, _, error = harness(*arguments)
    assert code != 0
    assert str(bad) in error
    code, out, _ = harness(*arguments, "--on-bad-image", "skip")
    assert code == 0
    assert f"unreadable: {bad}" in out


@pytest.mark.parametrize("size", ["384", "0x32", "ax3"])
def test_a_bad_image_size_is_told(harness, real_format, tmp_path, size):
    root = real_format.write_icfg(tmp_path)
    code, _, error = harness("data", "cache", "icfg", "--data-root", root, "--image-size", size)
    assert code == 2
    assert f"as 384x128, but got '{size}'" in error
