"""UFine3C: a test across domains, lengths and styles of captions, for models trained on UFine6926.

Paper: Zuo et al., "UFineBench: Towards Text-based Person Retrieval with Ultra-fine Granularity", CVPR
2024 (arXiv 2312.03441).
Licence: academic use only, by a signed form; students let their supervisor sign.
Access: by mail with the form of https://github.com/Zplusdragon/UFineBench, as UFine6926.

Annotation: one JSON list whose name starts with `UFine3C`, with one object per image: `id`, `source` (the
dataset that the image is from, not read), `split` (always test), `file_path` (relative to the dataset's
own folder), `captions` (several, of 10 to 150 words).

Counts: 2,250 identities, 7,446 images, 37,939 captions, all of them test. Nothing is trained here.
"""

from random import Random

from harness.datasets import Counts, Domain, Form, Look, PersonDataset, Shot, Speech, register


def name_image(shot: Shot, random: Random) -> str:
    """Name an image by its running number, from 1."""
    return f"images/{shot.running + 1}.jpg"


@register
class Ufine3c(PersonDataset):
    """UFine3C as published: a test split alone, of several sources and ways of speaking."""

    title = "UFine3C"
    folder = "UFine3C"
    licence = "academic use only, by a signed form"
    access = (
        "Sign the form of https://github.com/Zplusdragon/UFineBench and send it as the README there says."
    )
    annotation_files = ("UFine3C*.json",)
    image_folder = "."
    expected = {"test": Counts(2_250, 7_446, 37_939)}
    default_val = "none"
    text_length = 168
    twin = Domain(
        source="UFine6926",
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
        other_looks={
            "halls": Look(
                backdrop=("corridor", "platform"),
                width=(56, 72),
                aspect=(2.3, 2.9),
                tilt=(0.3, 0.6),
                brightness=(0.9, 1.25),
                contrast=(0.7, 0.9),
                saturation=(0.5, 0.75),
                tint=(0.94, 1.03, 1.0),
                noise=(4.0, 9.0),
                blur=(0.4, 0.9),
                quality=(65, 80),
                fine=True,
            ),
            "evenings": Look(
                backdrop=("street", "crossing", "waterfront"),
                width=(64, 84),
                aspect=(2.0, 2.5),
                tilt=(0.0, 0.25),
                brightness=(0.5, 0.72),
                contrast=(1.1, 1.35),
                saturation=(0.85, 1.1),
                tint=(1.08, 1.0, 0.88),
                noise=(3.0, 7.0),
                fine=True,
            ),
        },
        speech=Speech(
            voice="meticulous",
            captions=5,
            extra=0.05,
            others=(
                Speech(voice="telegraphic", captions=1, detail=0.85),
                Speech(voice="formal", captions=1),
                Speech(voice="meticulous", captions=1, detail=1.15),
                Speech(voice="conversational", captions=1, detail=0.57),
            ),
        ),
        form=Form(
            annotation_file="UFine3C_Annotations.json",
            keys={
                "id": "id",
                "source": "source",
                "split": "split",
                "file_path": "path",
                "captions": "captions",
            },
            name_image=name_image,
            first_id=1,
        ),
        small={"test": 150},
        images=(2, 5),
    )
