"""UFine6926: very long, fine-grained sentences, two for each image.

Paper: Zuo et al., "UFineBench: Towards Text-based Person Retrieval with Ultra-fine Granularity", CVPR
2024 (arXiv 2312.03441).
Licence: academic use only, by a signed form; students let their supervisor sign.
Access: by mail with the form of https://github.com/Zplusdragon/UFineBench.

Annotation: one JSON list whose name starts with `UFine6926`, with one object per image: `split` (train or
test, there is no val), `id` (1-based), `file_path` (starts with `images/`, relative to the dataset's own
folder), `captions` (two).

Counts: 6,926 identities, 26,206 images, 52,412 captions of 80.8 words on average. The authors stretch the
text positions of CLIP to 168 tokens; with 77 the results fall by about twenty points, so the length is
part of the protocol.
"""

from harness.datasets import Counts, PersonDataset, register


@register
class Ufine(PersonDataset):
    """UFine6926 as published: no validation split, captions of up to 168 tokens."""

    title = "UFine6926"
    folder = "UFine6926"
    licence = "academic use only, by a signed form"
    access = (
        "Sign the form of https://github.com/Zplusdragon/UFineBench and send it as the README there says."
    )
    annotation_files = ("UFine6926*.json",)
    image_folder = "."
    expected = {"train": Counts(4_926, 18_577, 37_154), "test": Counts(2_000, 7_629, 15_258)}
    default_val = "holdout"
    text_length = 168
