"""Small datasets in the exact on-disk formats of the real downloads, with their usual oddities.

Each `write_*` returns the data root; each `*_entries` returns the objects of the annotation file.
"""

import json
import re
import string
from pathlib import Path

from PIL import Image

CUHK = "CUHK-PEDES"
ICFG = "ICFG-PEDES"
RSTP = "RSTPReid"
UFINE = "UFine6926"
UFINE3C = "UFine3C"

COUNTS = {
    "cuhk": {"train": (3, 5, 10), "val": (1, 2, 4), "test": (2, 3, 14)},
    "icfg": {"train": (2, 3, 3), "test": (2, 2, 2)},
    "rstp": {"train": (3, 15, 30), "val": (1, 5, 10), "test": (1, 5, 10)},
    "ufine": {"train": (2, 3, 6), "test": (1, 1, 2)},
    "ufine3c": {"test": (2, 3, 9)},
}
ODD_SIZES = [(60, 160), (13, 34), (61, 163), (374, 800)]


def tokens(caption: str) -> list[str]:
    """Lower-case a caption, delete its punctuation and split it, as `processed_tokens` has it."""
    return caption.lower().translate(str.maketrans("", "", string.punctuation)).split()


def cuhk_entries() -> list[dict]:
    def entry(split, path, identity, *captions):
        words = [tokens(caption) for caption in captions]
        keys = {"split": split, "captions": list(captions), "file_path": path}
        return {**keys, "processed_tokens": words, "id": identity}

    two = ("A man in a red coat.", "He's wearing blue jeans and a red coat.")
    ten = [f"The woman carries bag number {number}." for number in range(10)]
    return [
        entry("train", "CUHK01/0363004.png", 1, "A man in a grey suit walks. ", "He's in a grey suit."),
        entry("train", "CUHK01/0363003.png", 1, *two),
        entry("train", "cam_a/000_45.bmp", 2, " A woman with  a white bag.", "She has a white bag."),
        entry("train", "cam_b/000_45.bmp", 2, *two),
        entry("train", "train_query/p8130_s10935.jpg", 3, *two),
        entry("val", "CUHK03/0001_c1_1.jpg", 4, *two),
        entry("val", "CUHK03/0001_c2_2.jpg", 4, *two),
        entry("test", "Market/0002_c1s1_000451_03.jpg", 5, *two),
        entry("test", "test_query/p2703_s3526.jpg", 6, *ten),
        entry("test", "test_query/p2703_s3527.jpg", 6, *two),
    ]


def icfg_entries() -> list[dict]:
    rows = [
        ("train/0000/0000_002_01_0303morning_0009_0.jpg", "train", 0),
        ("train/0000/0000_011_03_0303afternoon_0123_1.jpg", "train", 0),
        ("test/0007/0007_001_05_0303noon_0210_0.jpg", "train", 1),
        ("test/0008/0008_000_01_0302morning_0001_0.jpg", "test", 2),
        ("train/0009/0009_003_14_0302noon_0077_2.jpg", "test", 3),
    ]
    entries = []
    for index, (path, split, identity) in enumerate(rows):
        text = f"Person {index} in a long black coat walks away from the camera."
        keys = {"split": split, "captions": [text], "file_path": path}
        entries.append({**keys, "processed_tokens": [tokens(text)], "id": identity})
    return entries


def rstp_entries() -> list[dict]:
    entries = []
    for index in range(25):
        identity = index // 5
        split = "train" if identity < 3 else "val" if identity == 3 else "test"
        name = f"{index:04d}_c{index % 5 + 1}_{index * 7:04d}.jpg"
        captions = [
            f"Picture {index}: a boy in a green shirt.",
            f"Picture {index}: the boy looks at his telephone.",
        ]
        entries.append({"id": identity, "img_path": name, "captions": captions, "split": split})
    return entries


def ufine_entries() -> list[dict]:
    long = "The person wears a dark coat with two rows of buttons over a light shirt, and walks slowly. " * 5
    rows = [("train", 1), ("train", 1), ("train", 2), ("test", 3)]
    return [
        {
            "split": split,
            "id": identity,
            "file_path": f"images/{number}.jpg",
            "captions": [long, f"{number}. {long}"],
        }
        for number, (split, identity) in enumerate(rows, start=1)
    ]


def ufine3c_entries() -> list[dict]:
    long = (
        "A woman carries a wide straw bag with two leather handles over a pale summer dress with dots. " * 4
    )
    rows = [("UFine6926", 1, 4), ("UFine6926", 1, 2), ("elsewhere", 2, 3)]
    return [
        {
            "id": identity,
            "source": source,
            "split": "test",
            "file_path": f"images/{number}.jpg",
            "captions": [f"Number {number}, a woman in a dress.", long, "A dress.", f"{number} {long}"][:n],
        }
        for number, (source, identity, n) in enumerate(rows, start=1)
    ]


def write_images(folder: Path, paths: list[str]) -> None:
    """Write a small picture for each path, in odd sizes and, for PNG, in grey and palette modes."""
    for index, path in enumerate(paths):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", ODD_SIZES[index % len(ODD_SIZES)], (index * 40 % 256, 90, 160))
        image.paste("white", (0, 0, image.width, image.height // 2))
        if file.suffix == ".png":
            image = image.convert("L" if index % 2 else "P")
        image.save(file)


def write_json(file: Path, value, **options) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, **options), encoding="utf-8")
    return file


def write_cuhk(root: Path, entries: list[dict] | None = None, name: str = "reid_raw.json") -> Path:
    return _write(root, CUHK, name, cuhk_entries() if entries is None else entries)


def write_icfg(root: Path, entries: list[dict] | None = None, name: str = "ICFG-PEDES.json") -> Path:
    return _write(root, ICFG, name, icfg_entries() if entries is None else entries)


def write_rstp(root: Path, entries: list[dict] | None = None, name: str = "data_captions.json") -> Path:
    return _write(root, RSTP, name, rstp_entries() if entries is None else entries)


def write_ufine(root: Path, entries: list[dict] | None = None) -> Path:
    name = "UFine6926_Annotations_1024.json"
    return _write(root, UFINE, name, ufine_entries() if entries is None else entries, images=".")


def write_ufine3c(root: Path, entries: list[dict] | None = None) -> Path:
    name = "UFine3C_Annotations.json"
    return _write(root, UFINE3C, name, ufine3c_entries() if entries is None else entries, images=".")


def _write(root: Path, folder: str, name: str, entries: list, images: str = "imgs") -> Path:
    write_json(root / folder / name, entries)
    (root / folder / images).mkdir(parents=True, exist_ok=True)
    paths = [entry.get("file_path") or entry.get("img_path") for entry in entries if isinstance(entry, dict)]
    good = [path.replace("\\", "/") for path in paths if isinstance(path, str) and Path(path).suffix]
    hostile = re.compile(r"\.\.|^/|:|\0")
    write_images(root / folder / images, [path for path in good if not hostile.search(path)])
    return root
