"""Pictures that lie one step aside: the move that is named would find them all, tried by doing it."""

import re
import shutil
import subprocess
import unicodedata
from urllib.parse import quote

import pytest

from harness.config.sections import DatasetConfig
from harness.data.annotations import image_files, locate, read_annotations
from harness.data.pictures_aside import way_to_pictures
from harness.data.reading import read_dataset
from harness.data.verify.verify import verify
from harness.datasets import DATASETS
from harness.images.decoding import ImageError
from harness.listener import Listener
from harness.paths import Place

CUHK, ICFG = DATASETS.get("cuhk"), DATASETS.get("icfg")


@pytest.fixture
def tree(real_format, tmp_path):
    """Return what writes an ICFG tree after a change of its entries and of its image folder."""

    def build(entries_change=lambda entry: None, disk_change=lambda images: None):
        entries = real_format.icfg_entries()
        root = real_format.write_icfg(tmp_path, entries)
        disk_change(root / "ICFG-PEDES" / "imgs")
        for entry in entries:
            entries_change(entry)
        real_format.write_json(root / "ICFG-PEDES" / "ICFG-PEDES.json", entries)
        return root

    return build


def missing(root):
    samples = read_annotations(ICFG, root)
    files = image_files(ICFG, root, samples)
    return [s.image for s, file in zip(samples, files, strict=True) if not file.is_file()]


def way(root):
    location = locate(ICFG, root)
    return way_to_pictures(location.folder, location.images, missing(root))


def do(command):
    subprocess.run(["sh", "-ec", command], check=True)


def deeper(images):
    shutil.move(images, images.with_name("x"))
    images.mkdir()
    shutil.move(images.with_name("x"), images / "imgs")


def other_name(images):
    shutil.move(images, images.with_name("Pictures of ICFG"))


def outside(images):
    images.rename(images.with_name("images"))
    images.mkdir()


def prefixed(entry):
    entry["file_path"] = f"data/icfg/{entry['file_path']}"


def capital(entry):
    entry["file_path"] = entry["file_path"].replace("train/", "Train/").replace("test/", "Test/")


@pytest.mark.parametrize(
    ("entries_change", "disk_change"),
    [
        (lambda entry: None, deeper),
        (lambda entry: None, other_name),
        (lambda entry: None, outside),
        (prefixed, lambda images: None),
        (prefixed, other_name),
        (capital, lambda images: None),
    ],
    ids=["deeper", "other_name", "outside", "prefixed", "prefixed_and_other_name", "capital"],
)
def test_the_move_that_is_named_finds_all(tree, entries_change, disk_change):
    root = tree(entries_change, disk_change)
    assert len(missing(root)) == 5
    said = way(root)
    assert said.startswith("To find all 5 missing images: ")
    do(said[re.search(r"\b(mkdir|mv) ", said).start() :])
    assert missing(root) == []


def renamed(change):
    def disk_change(images):
        for file in sorted(images.rglob("*.jpg")):
            file.rename(file.with_name(change(file.name)))

    return disk_change


def named(change):
    def entries_change(entry):
        folder, _, name = entry["file_path"].rpartition("/")
        entry["file_path"] = f"{folder}/{change(name)}"

    return entries_change


@pytest.mark.parametrize(
    ("on_paper", "on_disk", "kind"),
    [
        (lambda n: quote(f"a b {n}"), lambda n: f"a b {n}", "percent codes"),
        (lambda n: f"é{n}", lambda n: unicodedata.normalize("NFD", f"é{n}"), "the form of Unicode"),
        (lambda n: n, lambda n: n.replace(".jpg", ".Jpg"), "upper and lower case"),
        (lambda n: n, lambda n: n.replace(".jpg", ".webp"), "the extension"),
    ],
)
def test_names_that_differ_file_by_file_are_told_by_an_example(tree, on_paper, on_disk, kind):
    root = tree(named(on_paper), renamed(on_disk))
    said = way(root)
    assert said.startswith(
        f"To find all 5 missing images: the names differ from those of the annotation in {kind}: "
    )
    do(said[said.index("mv ") :])
    assert len(missing(root)) == 4


def test_files_with_back_slashes_in_their_names_are_known(tree):
    def flattened(images):
        for file in sorted(images.rglob("*.jpg")):
            file.rename(images / str(file.relative_to(images)).replace("/", "\\"))
        shutil.rmtree(images / "train")
        shutil.rmtree(images / "test")

    assert "differ from those of the annotation in the slash" in way(tree(disk_change=flattened))


def test_no_more_is_claimed_than_was_found(tree):
    def partly(images):
        next(iter(sorted(images.rglob("*.jpg")))).unlink()
        deeper(images)

    assert way(tree(disk_change=partly)).startswith("To find 4 of 5 missing images: ")


def test_nothing_is_claimed_where_there_is_nothing(tree):
    assert way(tree(disk_change=shutil.rmtree)) is None

    def emptied(images):
        for file in sorted(images.rglob("*.jpg")):
            file.rename(file.with_name(f"other{file.name}"))

    assert way(tree(disk_change=emptied)) is None


def test_a_link_that_leads_back_is_walked_once(tree):
    root = tree(disk_change=deeper)
    (root / "ICFG-PEDES" / "imgs" / "again").symlink_to("..")
    assert way(root).startswith("To find all 5 ")


def test_a_run_and_the_verifier_say_it(tree):
    root = tree(disk_change=deeper)
    reading = read_dataset(DatasetConfig(name="icfg", root=str(root), val="none"), Listener())
    with pytest.raises(ImageError, match=r"5 of 5 images[\s\S]*To find all 5 missing images"):
        reading.check_pictures("fail")
    faults = verify(ICFG, Place(root, "--data-root"), images="exist").faults
    mends = {fault.mend for fault in faults if "image files missing" in fault.what}
    assert len(mends) == 1
    assert mends.pop().startswith("To find all 5 missing images")
