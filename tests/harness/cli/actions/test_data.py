"""What the longer `harness data` commands do: check, make and cache, on small real data and twins."""

import pytest

from harness.cli.actions.data import fill_cache, find, make_twin, titled, twins, verified
from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.images.store import disk_bytes
from harness.paths import Place


@pytest.fixture
def root(real_format, tmp_path):
    return Place(real_format.write_icfg(tmp_path), "--data-root")


def test_a_dataset_is_found_at_its_root_and_a_twin_beneath_it(root, tmp_path):
    dataset, place = find("icfg", root, False)
    assert (dataset.name, place.path) == ("icfg", root.path)
    with pytest.raises(UsageError, match="harness data make icfg"):
        find("icfg", root, True)
    with pytest.raises(UsageError, match="Did you mean 'icfg'"):
        find("icgf", root, False)


def test_real_data_are_checked_and_a_bar_follows(root, capsys):
    report = verified("icfg", root, False, quiet=False, images="exist", workers=1)
    assert report.found["train"].images == 3
    assert not report.synthetic
    assert "ICFG-PEDES" in capsys.readouterr().err
    verified("icfg", root, False, quiet=True, images="exist", workers=1)
    assert capsys.readouterr() == ("", "")


def test_a_made_twin_is_told_with_its_counts_and_the_command_that_uses_it(tmp_path, capsys):
    given = {"identities": 6, "seed": 3, "force": False}
    make_twin("icfg", Place(tmp_path, "--data-root"), quiet=True, **given)
    head, _, _, *rows, use = capsys.readouterr().out.splitlines()
    assert "(seed 3)" in head
    assert str(tmp_path / "synthetic" / DATASETS.get("icfg").folder) in head
    report = verified("icfg", Place(tmp_path, "x"), True, quiet=True, images="exist", workers=1)
    found = {row.split()[0]: [int(word.replace(",", "")) for word in row.split()[1:]] for row in rows}
    assert found == {split: list(counts) for split, counts in report.found.items()}
    assert sum(counts[0] for counts in found.values()) == 6
    assert use.endswith(f"--dataset icfg --synthetic --data-root {tmp_path}")


def test_the_root_is_named_only_where_the_command_named_it(tmp_path, capsys):
    make_twin("icfg", Place(tmp_path, "HARNESS_DATA"), quiet=True, identities=6, seed=0, force=False)
    assert capsys.readouterr().out.endswith("--dataset icfg --synthetic\n")


def test_a_dataset_without_a_twin_makes_none_and_names_those_that_have_one(monkeypatch, tmp_path):
    monkeypatch.setattr(DATASETS.get("rstp"), "twin", None)
    assert "rstp" not in twins()
    with pytest.raises(UsageError) as told:
        make_twin("rstp", Place(tmp_path, "x"), quiet=True)
    assert all(name in str(told.value) for name in twins())
    assert list(tmp_path.iterdir()) == []


def test_a_filled_cache_says_its_size_first_and_what_it_skips(root, capsys):
    image = next((root.path / DATASETS.get("icfg").folder).rglob("*.jpg"))
    image.write_bytes(b"broken")
    options = {"interpolation": "bilinear", "on_bad_image": "skip"}
    fill_cache("icfg", root, False, "48x16", quiet=True, **options)
    first, second, *bad = capsys.readouterr().out.splitlines()
    assert first.startswith("5 images at 48x16 take ")
    assert f"{disk_bytes(5, (48, 16)) / 1e6:.1f} MB" in first
    assert "1 unreadable" in second
    assert [line.split()[-1] for line in bad] == [str(image)]


@pytest.mark.parametrize("size", ["48", "0x16", "ax b"])
def test_a_size_that_is_none_stops_before_anything_is_read(root, size):
    with pytest.raises(UsageError, match="384x128"):
        fill_cache("icfg", root, False, size, quiet=True)


def test_messages_tell_a_twin_from_the_dataset():
    dataset = DATASETS.get("icfg")
    assert titled(dataset, False) == dataset.title
    assert titled(dataset, True) != dataset.title
    assert dataset.title in titled(dataset, True)
