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
Its persons are, with other numbers and crops, those of RSTPReid too.
"""

from harness.datasets import Counts, PersonDataset, WrongFile, register

DOWNLOAD = "Use the ICFG-PEDES.json of the original download."


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
            what="the test split stands in for validation (as in CADA): selection would see test images",
            mend=DOWNLOAD,
        ),
    )
    default_val = "holdout"
    shares_persons_with = ("rstp",)
