"""What it costs to know which pictures a run is of: a start on as many files as ICFG-PEDES has, at first and again."""

import io
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.common import Outcome, claim, outcome, wall_seconds
from harness.data.reading import read_dataset
from harness.images.file_hashes import content_hashes
from harness.listener import Listener
from harness.presets.resolve import resolve
from harness.run.job import prepare

SPLITS = {"train": 34_674, "test": 19_848}
N_IDENTITIES, REPEATS = {"train": 3_102, "test": 1_000}, 3


def run() -> Outcome:
    """Measure what a run does before it knows its name, with an empty and with a filled index of contents."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["HARNESS_CACHE"] = str(root / "cache")
        files = write_dataset(root / "data" / "ICFG-PEDES")
        small = ("backbone.name=tiny", "backbone.pretrained=shapes", "backbone.image_size=[96,32]")
        config = resolve("zero_shot", "icfg", overrides=[f"dataset.root={root / 'data'}", *small])

        def start() -> None:
            prepare(config, root / "runs", "cpu", Listener(), {})

        def read() -> None:
            read_dataset(config.dataset, Listener())

        first = wall_seconds(start)
        again, reading = wall_seconds(start, REPEATS), wall_seconds(read, REPEATS)
        index = root / "cache" / "images" / "contents.sqlite"
        contents = wall_seconds(lambda: content_hashes(files, index), REPEATS)
    claims = [
        claim("a repeated start, to the name of the run", again, unit="s", at_most=3),
        claim("of it: reading the annotation and knowing all pictures", reading, unit="s"),
        claim(
            "of it: asking for the state of all files, and their hashes from the index", contents, unit="s"
        ),
        claim("the first start, which reads all files (4 KB each, in the page cache)", first, unit="s"),
    ]
    n_files = sum(SPLITS.values())
    return outcome(
        f"Knowing the contents of {n_files:,} pictures",
        "python -m benchmarks known_pictures",
        claims,
        n_files=n_files,
    )


def write_dataset(folder: Path) -> list[Path]:
    """Write an annotation of the size of ICFG-PEDES, and a small JPEG file of its own content for each entry."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (96, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    entries, files = [], []
    for split, n in SPLITS.items():
        for place in range(n):
            person = place % N_IDENTITIES[split]
            name = f"{split}/{person:04d}/{place:05d}.jpg"
            file = folder / "imgs" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            # What stands behind the end of a JPEG is not decoded.
            file.write_bytes(buffer.getvalue() + name.encode())
            files.append(file)
            caption = (
                f"The person {place} wears a coat of many colours, black trousers and a pair of white shoes "
                * 2
            )
            identity = person + (N_IDENTITIES["train"] if split == "test" else 0)
            entries.append({"split": split, "captions": [caption], "file_path": name, "id": identity})
    (folder / "ICFG-PEDES.json").write_text(json.dumps(entries))
    return files
