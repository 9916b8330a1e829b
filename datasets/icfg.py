"""ICFG-PEDES: one long, identity-centred sentence per image, on crops of MSMT17.

Paper: Ding et al., "Semantically Self-Aligned Network for Text-to-Image Part-aware Person
Re-identification", arXiv 2107.12666.
Licence: academic use only, granted by mail; the images are crops of MSMT17, whose licence applies as
well.
Access: by mail, as the README of https://github.com/zifyloo/SSAN says.

Annotation: `ICFG-PEDES.json` (also seen as `ICFG_PEDES.json`), a list with one object per image: `split`
(train or test, there is no val), `captions` (exactly one), `file_path` below `imgs/`, `processed_tokens`
(not read), `id` (0-based, not the number in the file name). The folders `imgs/train` and `imgs/test` are
those of MSMT17 and not the split.

Counts: 4,102 identities, 54,522 images and captions; about 20 right images for a test caption.
Its persons are also those of RSTPReid, with other numbers and crops.
"""

from random import Random

from harness.datasets import Counts, Domain, Form, Look, PersonDataset, Shot, Speech, WrongFile, register

DOWNLOAD = "Use the ICFG-PEDES.json of the original download."


def name_image(shot: Shot, random: Random) -> str:
    """Name an image as MSMT17 does, whose folders and person numbers are not those of the annotation."""
    person = (shot.identity * 2_657 + 101) % 9_973
    folder = "test" if person % 4 == 0 else "train"
    slot, day = (
        random.choice(("morning", "noon", "afternoon")),
        random.choice(("0302", "0303", "0113", "0114")),
    )
    frame, track = random.randrange(10_000), random.randrange(4)
    return f"{folder}/{person:04d}/{person:04d}_{shot.number:03d}_{shot.camera:02d}_{day}{slot}_{frame:04d}_{track}.jpg"


@register
class Icfg(PersonDataset):
    """ICFG-PEDES as published: no validation split, 19,848 captions against 19,848 images."""

    title = "ICFG-PEDES"
    folder = "ICFG-PEDES"
    licence = "academic use only, granted by mail; the licence of MSMT17 applies as well"
    access = "Ask by mail, as the README of https://github.com/zifyloo/SSAN says."
    annotation_files = ("ICFG-PEDES.json", "ICFG_PEDES.json")
    expected = {"train": Counts(3_102, 34_674, 34_674), "test": Counts(1_000, 19_848, 19_848)}
    wrong_files = (
        WrongFile(
            split="test",
            images=10_000,
            what="the test split is cut to its first 10,000 entries (as in MGCC): the gallery is too small",
            mend=DOWNLOAD,
        ),
        WrongFile(
            split="val",
            images=19_848,
            what="the test split is used as validation (as in CADA): selection would see test images",
            mend=DOWNLOAD,
        ),
    )
    default_val = "holdout"
    twin = Domain(
        look=Look(
            backdrop="street",
            width=(66, 78),
            aspect=(2.5, 2.85),
            tilt=(0.1, 0.4),
            brightness=(0.8, 1.15),
            contrast=(0.95, 1.15),
            saturation=(0.95, 1.15),
            tint=(1.03, 1.0, 0.95),
            quality=(85, 94),
        ),
        speech=Speech(voice="formal", captions=1, detail=1.06),
        form=Form(
            annotation_file="ICFG-PEDES.json",
            keys={
                "split": "split",
                "captions": "captions",
                "file_path": "path",
                "processed_tokens": "tokens",
                "id": "id",
            },
            name_image=name_image,
        ),
        small={"train": 400, "test": 100},
        images=(3, 5),
    )
