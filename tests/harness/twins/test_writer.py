import hashlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from harness.data.annotations import read_annotations
from harness.datasets import DATASETS, count
from harness.errors import DataError, UsageError
from harness.twins.marker import MARKER_FILE, read_marker
from harness.twins.writer import write_twin

PATH_OF_THIS = f"import sys; from pathlib import Path; sys.path.insert(0, {str(Path(__file__).parent)!r})"
NAMES = ["icfg", "cuhk", "rstp", "ufine", "ufine3c"]
KEYS = {
    "icfg": ["split", "captions", "file_path", "processed_tokens", "id"],
    "cuhk": ["split", "captions", "file_path", "processed_tokens", "id"],
    "rstp": ["id", "img_path", "captions", "split"],
    "ufine": ["split", "id", "file_path", "captions"],
    "ufine3c": ["id", "source", "split", "file_path", "captions"],
}


@pytest.fixture(scope="module", params=NAMES)
def made(request, tmp_path_factory):
    """A dataset class with the folder of its small twin."""
    dataset = DATASETS.get(request.param)
    folder = write_twin(dataset, tmp_path_factory.mktemp(request.param), identities=15, seed=4, workers=1)
    return dataset, folder


def entries(dataset, folder):
    return json.loads((folder / dataset.twin.form.annotation_file).read_text())


def bytes_of(folder: Path):
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def small(root, **options):
    return write_twin(DATASETS.get("cuhk"), root, **{"identities": 6, "workers": 1} | options)


def test_the_real_loader_reads_the_twin_and_counts_what_the_marker_says(made):
    dataset, folder = made
    samples = read_annotations(dataset, folder)
    marker = read_marker(folder)
    assert folder.parts[-2:] == ("synthetic", dataset.folder)
    assert count(samples) == marker.counts
    assert (marker.dataset, marker.seed, marker.identities) == (dataset.name, 4, 15)
    assert all((folder / dataset.image_folder / sample.image).is_file() for sample in samples)


def test_entries_have_the_real_keys_in_the_real_order(made):
    dataset, folder = made
    found = entries(dataset, folder)
    assert all(list(entry) == KEYS[dataset.name] for entry in found)
    assert {entry["split"] for entry in found} == set(dataset.expected)
    assert [entry["split"] for entry in found] == sorted(
        (entry["split"] for entry in found), key=["train", "val", "test"].index
    )
    assert min(entry["id"] for entry in found) == (0 if dataset.name in ("icfg", "rstp") else 1)


def test_tokens_are_lower_case_words_without_punctuation(made):
    dataset, folder = made
    for entry in entries(dataset, folder):
        if "processed_tokens" in entry:
            assert len(entry["processed_tokens"]) == len(entry["captions"])
            for tokens, caption in zip(entry["processed_tokens"], entry["captions"], strict=True):
                assert tokens == "".join(c for c in caption.lower() if c.isalnum() or c.isspace()).split()


def test_images_are_of_the_type_and_about_the_size_that_the_domain_says(made):
    dataset, folder = made
    kinds = {".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP"}
    looks = dataset.twin.looks.values()
    low, high = min(look.width[0] for look in looks), max(look.width[1] for look in looks)
    for sample in read_annotations(dataset, folder):
        with Image.open(folder / dataset.image_folder / sample.image) as picture:
            assert picture.format == kinds[Path(sample.image).suffix]
            assert picture.mode == "RGB"
            assert low <= picture.width <= high


def test_each_format_has_its_peculiarities():
    icfg, cuhk, rstp, ufine, _ = (entries_of(name, 60) for name in NAMES)
    assert all(len(captions) == 1 for _, captions in icfg)
    assert any(path.startswith("test/") for path, _ in icfg)
    assert {path.split("/")[0] for path, _ in cuhk} >= {
        "cam_a",
        "cam_b",
        "CUHK01",
        "CUHK03",
        "Market",
        "train_query",
    }
    assert {Path(path).suffix for path, _ in cuhk} == {".jpg", ".png", ".bmp"}
    assert all("/" not in path for path, _ in rstp)
    assert len(rstp) == 300
    assert [path for path, _ in ufine] == [f"images/{number}.jpg" for number in range(1, len(ufine) + 1)]


def entries_of(name, identities):
    """Paths and empty captions of a planned twin: names need no pictures."""
    from harness.twins.plan import plan_pictures

    twin = DATASETS.get(name).twin
    orders = plan_pictures(twin, name, {"train": identities - 10, "test": 10}, 0)
    return [(order.image, [""] * twin.speech.captions) for order in orders]


def test_folders_of_icfg_are_not_the_split():
    from harness.twins.plan import plan_pictures

    orders = plan_pictures(DATASETS.get("icfg").twin, "icfg", {"train": 40, "test": 40}, 0)
    pairs = {(order.split, order.image.split("/")[0]) for order in orders}
    assert len(pairs) == 4


def test_the_sources_of_a_gathered_twin_look_different_and_have_all_ways_of_speaking(tmp_path):
    dataset = DATASETS.get("ufine3c")
    folder = write_twin(dataset, tmp_path, identities=12, workers=1)
    found = entries(dataset, folder)
    assert (
        {entry["source"] for entry in found} == {"UFine6926", "halls", "evenings"} == set(dataset.twin.looks)
    )
    assert {entry["split"] for entry in found} == {"test"}
    assert all(len({one["source"] for one in found if one["id"] == entry["id"]}) == 1 for entry in found)
    light = dict.fromkeys(dataset.twin.looks, 0.0)
    for entry in found:
        with Image.open(folder / entry["file_path"]) as picture:
            light[entry["source"]] += picture.convert("L").resize((1, 1)).getpixel((0, 0))
    pictures = Counter(entry["source"] for entry in found)
    assert light["evenings"] / pictures["evenings"] < 0.85 * light["halls"] / pictures["halls"]
    lengths = [[len(caption.split()) for caption in entry["captions"]] for entry in found]
    assert min(map(len, lengths)) == 5
    assert all(max(of_one) > 1.8 * min(of_one) for of_one in lengths)


def test_the_annotation_of_rstp_is_one_line(made):
    dataset, folder = made
    assert "\n" not in (folder / dataset.twin.form.annotation_file).read_text()


def test_equal_settings_give_equal_bytes_in_another_process_and_with_any_number_of_workers(tmp_path):
    one = bytes_of(small(tmp_path / "one"))
    code = f"{PATH_OF_THIS}; from test_writer import small; small(Path({str(tmp_path / 'again')!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert one == bytes_of(tmp_path / "again" / "synthetic" / "CUHK-PEDES")
    assert one == bytes_of(small(tmp_path / "two", workers=2))
    assert one != bytes_of(small(tmp_path / "other", seed=1))


def test_the_same_twin_is_not_made_twice(tmp_path):
    folder = small(tmp_path)
    (folder / "mine").write_text("kept")
    assert small(tmp_path) == folder
    assert (folder / "mine").exists()


def test_another_twin_is_replaced_only_by_force(tmp_path):
    folder = small(tmp_path)
    with pytest.raises(UsageError, match=r"6 identities with seed 0 .*--force"):
        small(tmp_path, seed=1)
    assert read_marker(folder).seed == 0
    small(tmp_path, seed=1, force=True)
    assert read_marker(folder).seed == 1
    assert [path.name for path in (tmp_path / "synthetic").iterdir()] == ["CUHK-PEDES"]


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_share_has_the_published_counts_to_the_caption(name):
    from harness.twins.plan import plan_pictures, share_of

    dataset = DATASETS.get(name)
    exact = share_of(dataset.expected, 1)
    assert exact == dataset.expected
    sizes = {split: counts.identities for split, counts in exact.items()}
    orders = plan_pictures(dataset.twin, name, sizes, 0, exact)
    for split, counts in dataset.expected.items():
        own = [order for order in orders if order.split == split]
        assert len({order.number for order in own}) == counts.identities
        assert (len(own), sum(order.n_caption for order in own)) == (counts.images, counts.captions)
    assert len({order.image for order in orders}) == len(orders)


def test_a_share_of_the_published_counts_is_made_and_is_another_twin(tmp_path):
    folder = small(tmp_path, identities=None, share=0.002)
    marker = read_marker(folder)
    assert marker.counts == {"train": (22, 68, 136), "val": (2, 6, 12), "test": (2, 6, 12)}
    assert count(read_annotations(DATASETS.get("cuhk"), folder)) == marker.counts
    assert small(tmp_path, identities=None, share=0.002) == folder
    with pytest.raises(UsageError, match=r"26 identities \(0.002 of the published counts\) .*--force"):
        small(tmp_path, identities=26)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cuhk", {"share": 1.5}, "above 0 and at most 1, not 1.5"),
        ("cuhk", {"share": float("nan")}, "above 0 and at most 1, not nan"),
        ("cuhk", {"share": 0.5, "identities": 9}, "not both"),
    ],
)
def test_a_share_that_cannot_be_is_refused(name, options, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        write_twin(DATASETS.get(name), tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_data_without_a_marker_are_never_overwritten(tmp_path):
    real = tmp_path / "synthetic" / "CUHK-PEDES"
    real.mkdir(parents=True)
    (real / "reid_raw.json").write_text("[]")
    with pytest.raises(UsageError, match="is no synthetic twin"):
        small(tmp_path, force=True)
    assert (real / "reid_raw.json").read_text() == "[]"


def test_an_interrupted_making_leaves_nothing(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(tmp_path, progress=stop)
    assert list((tmp_path / "synthetic").iterdir()) == []


def test_progress_ends_at_the_number_of_pictures(tmp_path):
    calls = []
    folder = small(tmp_path, progress=lambda done, total: calls.append((done, total)))
    n_images = sum(counts.images for counts in read_marker(folder).counts.values())
    assert calls[-1] == (n_images, n_images)


def test_a_dataset_without_a_twin_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(DATASETS.get("ufine"), "twin", None)
    with pytest.raises(UsageError, match=r"ufine.*no synthetic twin"):
        write_twin(DATASETS.get("ufine"), tmp_path)


def test_real_data_have_no_marker_and_a_broken_one_is_named(tmp_path):
    assert read_marker(tmp_path) is None
    (tmp_path / MARKER_FILE).write_text('{"version": 1}')
    with pytest.raises(DataError, match=MARKER_FILE):
        read_marker(tmp_path)


def test_the_package_is_light_to_import():
    heavy = "('torch', 'numpy', 'PIL', 'pandas')"
    code = (
        f"import harness.twins, harness.datasets.icfg, sys; print(*[m for m in {heavy} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def killed_while_drawing(root, workers):
    """Kill a process in the middle of making a twin."""
    code = (
        f"{PATH_OF_THIS}; from test_writer import small\n"
        "def wait(done, total):\n    print('begun', flush=True)\n    import time\n    time.sleep(60)\n"
        f"if __name__ == '__main__':\n    small(Path({str(root)!r}), force=True, workers={workers}, progress=wait)\n"
    )
    (root / "make.py").write_text(code)
    with subprocess.Popen([sys.executable, str(root / "make.py")], stdout=subprocess.PIPE) as made:
        assert made.stdout.readline() == b"begun\n"
        made.kill()
    (root / "make.py").unlink()


def hidden(root):
    return sorted(path.name for path in (root / "synthetic").iterdir() if path.name.startswith("."))


def test_what_a_killed_process_left_is_gone_after_the_next_command(tmp_path):
    killed_while_drawing(tmp_path, workers=1)
    assert hidden(tmp_path) == [".CUHK-PEDES.draft"]
    folder = small(tmp_path)
    assert hidden(tmp_path) == []
    expected = bytes_of(folder)
    # Also where the twin is there and only shown, and what versions before left.
    killed_while_drawing(tmp_path, workers=1)
    (tmp_path / "synthetic" / f".CUHK-PEDES-{'0a' * 16}").mkdir()
    (tmp_path / "synthetic" / f".CUHK-PEDES-{'0a' * 16}-old" / "imgs").mkdir(parents=True)
    (tmp_path / "synthetic" / ".CUHK-PEDES-mine").mkdir()
    assert small(tmp_path) == folder
    assert hidden(tmp_path) == [".CUHK-PEDES-mine"]
    assert bytes_of(folder) == expected


def test_of_two_that_make_the_same_twin_one_waits_and_finds_it(tmp_path):
    drawn, made = [], []

    def make():
        made.append(small(tmp_path, progress=lambda done, total: drawn.append(done)))

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 3
    assert drawn.count(max(drawn)) == 1
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "{}",
        "null",
        '{"version": NaN}',
        '{"counts": {}, "version": "x", "dataset": 1, "seed": 0, "identities": 1}',
    ],
)
def test_a_hostile_marker_is_one_line(tmp_path, content):
    folder = small(tmp_path)
    (folder / MARKER_FILE).write_text(content)
    with pytest.raises(DataError, match="is not a twin's marker"):
        read_marker(folder)
    (folder / MARKER_FILE).unlink()
    os.mkfifo(folder / MARKER_FILE)
    with pytest.raises(DataError, match="a named pipe"):
        read_marker(folder)
