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

from random import Random

from harness.datasets import Counts, Domain, Form, Look, PersonDataset, Shot, Speech, register


def name_image(shot: Shot, random: Random) -> str:
    """Name an image by its running number, from 1."""
    return f"images/{shot.running + 1}.jpg"


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
    twin = Domain(
        look=Look(
            backdrop=("street", "park", "corridor", "crossing", "platform", "waterfront"),
            width=(84, 104),
            aspect=(2.2, 2.7),
            tilt=(0.0, 0.4),
            brightness=(0.75, 1.2),
            contrast=(0.95, 1.2),
            saturation=(1.0, 1.25),
            noise=(0.5, 2.0),
            blur=(0.0, 0.2),
            quality=(90, 96),
            cropped=0.1,
            occluded=0.1,
            fine=True,
        ),
        speech=Speech(voice="meticulous", captions=2, detail=1.04),
        form=Form(
            annotation_file="UFine6926_Annotations_1024.json",
            keys={"split": "split", "id": "id", "file_path": "path", "captions": "captions"},
            name_image=name_image,
            first_id=1,
        ),
        small={"train": 400, "test": 100},
    )
