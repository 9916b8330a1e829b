"""CUHK-PEDES: the first benchmark of person search with sentences.

Paper: Li et al., "Person Search with Natural Language Description", CVPR 2017 (arXiv 1702.05729).
Licence: academic use only, granted by mail; the images come from five older person datasets with their
own terms.
Access: the archive comes after a request from a university address; `reid_raw.json` is a separate link in
the README of https://github.com/ShuangLI59/Person-Search-with-Natural-Language-Description and is not in
the archive.

Annotation: `reid_raw.json`, a list with one object per image, first train, then val, then test: `split`,
`captions` (2 nearly always, up to 10), `file_path` below `imgs/`, `processed_tokens` (not read), `id`
(1-based: train 1 to 11003, val to 12003, test to 13003).

Counts: 13,003 identities, 40,206 images, 80,440 captions. The often printed 80,412 is twice the number of
images and does not fit the file: a few images have more than two captions, one test image has ten.
Known faults of the texts: spaces at the ends and doubled, a few empty and all upper-case captions; all
are kept.
"""

from random import Random

from harness.datasets import Counts, Domain, Form, Look, PersonDataset, Shot, Speech, WrongFile, register

DOWNLOAD = "Download reid_raw.json again from the link in the README of the dataset's repository."


def name_image(shot: Shot, random: Random) -> str:
    """Name an image as the older dataset does that the person is taken from."""
    scenes = ["Market", "CUHK03", "CUHK01", "cam"]
    scenes += {"train": ["train_query"] * 2, "test": ["test_query"] * 2}.get(shot.split, [])
    source = scenes[shot.identity * 7 % len(scenes)]
    number, index = shot.identity + 1, shot.number
    if source == "cam":
        return f"cam_{'ab'[index % 2]}/{number:03d}_{45 * index}.bmp"
    if source == "CUHK01":
        return f"CUHK01/{number:04d}{index + 1:03d}.png"
    if source == "CUHK03":
        return f"CUHK03/{number:04d}_c{shot.camera}_{index + 1}.png"
    if source == "Market":
        return f"Market/{number:04d}_c{shot.camera}s1_{random.randrange(100_000):06d}_{index:02d}.jpg"
    return f"{source}/p{number}_s{random.randrange(1_000) * 10 + index}.jpg"


@register
class Cuhk(PersonDataset):
    """CUHK-PEDES as published, with all captions and all identities."""

    title = "CUHK-PEDES"
    folder = "CUHK-PEDES"
    licence = "academic use only, granted by mail"
    access = (
        "Ask for the archive from a university address, as the README of "
        "https://github.com/ShuangLI59/Person-Search-with-Natural-Language-Description says; "
        "reid_raw.json is a separate link there and is not in the archive."
    )
    annotation_files = ("reid_raw.json", "CUHK-PEDES.json")
    expected = {
        "train": Counts(11_003, 34_054, 68_126),
        "val": Counts(1_000, 3_078, 6_158),
        "test": Counts(1_000, 3_074, 6_156),
    }
    wrong_files = (
        WrongFile(
            split="train",
            captions=68_108,
            what="the captions are cut to two per image (68,108 in train, 80,412 in all)",
            mend=DOWNLOAD,
        ),
        WrongFile(
            split="train",
            identities=11_000,
            what="the persons with a single image are left out and the rest renumbered (11,000 in train)",
            mend=DOWNLOAD,
        ),
        WrongFile(
            file="caption_all.json",
            what="caption_all.json, from the image archive, has no split and numbers the persons differently",
            mend=DOWNLOAD + " Put it next to imgs/.",
        ),
    )
    twin = Domain(
        look=Look(
            backdrop="corridor",
            width=(50, 78),
            aspect=(2.1, 3.3),
            tilt=(0.0, 0.2),
            brightness=(0.85, 1.2),
            contrast=(0.65, 0.9),
            saturation=(0.6, 0.85),
            tint=(0.96, 1.02, 1.0),
            noise=(3.0, 8.0),
            blur=(0.3, 0.9),
            quality=(70, 88),
        ),
        speech=Speech(voice="telegraphic", captions=2, extra=0.003, detail=0.88, loose_spaces=0.18),
        form=Form(
            annotation_file="reid_raw.json",
            keys={
                "split": "split",
                "captions": "captions",
                "file_path": "path",
                "processed_tokens": "tokens",
                "id": "id",
            },
            name_image=name_image,
            first_id=1,
            cameras=6,
        ),
        images=(2, 4),
        singles=0.02,
    )
