"""RSTPReid: five images from different cameras for each person, two sentences for each image.

Paper: Zhu et al., "DSSL: Deep Surroundings-person Separation Learning for Text-based Person Retrieval",
ACM MM 2021 (arXiv 2109.05534).
Licence: the licence file of the repository; the images are crops of MSMT17, whose licence applies as
well.
Access: open links in the README of https://github.com/NjtechCVLab/RSTPReid-Dataset.

Annotation: `data_captions.json` (also seen as `RSTPReid.json`), a list with one object per image: `id`
(0-based), `img_path` (a bare file name below `imgs/`), `captions` (exactly two), `split`.

Counts: 4,101 identities of exactly five images: 20,505 images, 41,010 captions. An early upload had
another split.
Known faults of the texts: full-width characters, fragments of markup, equal captions of different
persons, no space after a full stop; all are kept. Its persons are also those of ICFG-PEDES, with other
numbers and crops.
"""

from random import Random

from harness.datasets import Counts, Domain, Form, Look, PersonDataset, Shot, Speech, WrongFile, register

DOWNLOAD = "Download data_captions.json again: the file was replaced."


def name_image(shot: Shot, random: Random) -> str:
    """Name an image by person, camera and a frame-like number."""
    return f"{shot.identity:04d}_c{shot.camera}_{random.randrange(100):04d}.jpg"


@register
class Rstp(PersonDataset):
    """RSTPReid as published, with the corrected split of 3,701, 200 and 200 identities."""

    title = "RSTPReid"
    folder = "RSTPReid"
    licence = "as in the repository; the licence of MSMT17 applies as well"
    access = "Download it from the links in the README of https://github.com/NjtechCVLab/RSTPReid-Dataset."
    annotation_files = ("data_captions.json", "RSTPReid.json")
    expected = {
        "train": Counts(3_701, 18_505, 37_010),
        "val": Counts(200, 1_000, 2_000),
        "test": Counts(200, 1_000, 2_000),
    }
    wrong_files = (
        WrongFile(
            split="train",
            identities=3_901,
            what="the split is that of an early upload (identities 3,901 / 100 / 100; right: 3,701 / 200 / 200)",
            mend=DOWNLOAD,
        ),
    )
    twin = Domain(
        look=Look(
            backdrop="park",
            width=(72, 92),
            aspect=(2.2, 2.6),
            zoom=(0.78, 0.93),
            tilt=(0.2, 0.55),
            brightness=(0.6, 1.0),
            contrast=(1.05, 1.3),
            saturation=(0.8, 1.0),
            tint=(0.94, 0.98, 1.08),
            noise=(2.0, 6.0),
            quality=(80, 92),
            occluded=0.28,
        ),
        speech=Speech(voice="conversational", captions=2, detail=0.57),
        form=Form(
            annotation_file="data_captions.json",
            keys={"id": "id", "img_path": "path", "captions": "captions", "split": "split"},
            name_image=name_image,
        ),
        images=(5, 5),
    )
