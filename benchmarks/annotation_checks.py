"""What the checks of an annotation add to a start: at the sizes of ICFG-PEDES and CUHK-PEDES, beyond reading it."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor

from benchmarks.common import Claim, Outcome, claim, outcome, wall_seconds
from harness.clip.tokens import CLIP, build_tokenizer
from harness.data.annotation_entries import check_one_identity
from harness.data.annotations import locate, read_annotation
from harness.data.cut_captions import count_cut
from harness.data.verify.annotation_faults import faults_for_run
from harness.datasets import DATASETS, SPLITS, PersonDataset

WORDS = [
    "a",
    "man",
    "woman",
    "wears",
    "red",
    "blue",
    "black",
    "coat",
    "jeans",
    "shoes",
    "with",
    "white",
    "bag",
    "and",
    "short",
    "hair",
    "walks",
    "along",
    "the",
    "street",
]
N_WORDS, N_TOKENS, REPEATS = 34, 77, 3


def run() -> Outcome:
    """Measure reading, the checks, tokenising, and counting the captions that are cut."""
    return outcome(
        "The checks of an annotation before a run",
        "python -m benchmarks annotation_checks",
        [*_of(DATASETS.get("icfg")), *_of(DATASETS.get("cuhk"))],
    )


def _of(dataset: type[PersonDataset]) -> Iterator[Claim]:
    """Yield the claims on one dataset."""
    tokenizer = build_tokenizer(CLIP, N_TOKENS)

    def tokenize(captions: Sequence[str], length: int | None = None) -> Tensor:
        tokens: Tensor = tokenizer(captions, context_length=length or N_TOKENS)
        return tokens

    entries = _entries(dataset)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        file = root / dataset.folder / dataset.annotation_files[0]
        file.parent.mkdir()
        file.write_text(json.dumps(entries))
        reading = wall_seconds(lambda: read_annotation(dataset, root), REPEATS)
        annotation, location = read_annotation(dataset, root), locate(dataset, root)

        def check() -> None:
            check_one_identity(file, entries)
            faults_for_run(dataset, annotation, location, ["train", "test"])

        checks = wall_seconds(check, REPEATS)
    captions = [caption for sample in annotation.samples for caption in sample.captions]
    tokens = tokenize(captions)
    tokenising = wall_seconds(lambda: tokenize(captions))
    counting = wall_seconds(lambda: count_cut(captions, tokens, tokenize), REPEATS)
    n, title = f"{len(annotation.samples):,} images, {len(captions):,} captions", dataset.title
    yield claim(f"{title} ({n}): checks of the annotation", checks, unit="s")
    yield claim(f"{title}: counting the captions that are cut", counting, unit="s")
    yield claim(f"{title}: both", checks + counting, unit="s", at_most=1)
    yield claim(f"{title}: reading the annotation, for comparison", reading, unit="s")
    yield claim(f"{title}: tokenising, for comparison", tokenising, unit="s")


def _entries(dataset: type[PersonDataset]) -> list[dict[str, Any]]:
    """Return entries with the published counts, with captions of which about 3 % are too long."""
    draw, first = random.Random(0), 0
    entries: list[dict[str, Any]] = []
    for split in (split for split in SPLITS if split in dataset.expected):
        counts = dataset.expected[split]
        for n in range(counts.images):
            person = first + n % counts.identities
            several = counts.captions // counts.images + (n < counts.captions % counts.images)
            captions = [_caption(draw) for _ in range(several)]
            path = f"{split}/{person:05d}/{person:05d}_{n:06d}.jpg"
            entries.append({"split": split, "captions": captions, "file_path": path, "id": person})
        first += counts.identities
    return entries


def _caption(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=N_WORDS if draw.random() > 0.03 else 90))
