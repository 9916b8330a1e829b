"""A small ICFG-PEDES in its real format, with hostile captions where asked for."""

import json

from PIL import Image

BAD = "=1+1 <script>alert(1)</script> \\input{x} $\\frac$ \x1b[31m red shirt|`"


def write_icfg(root, entries, images=True):
    """Write a small ICFG-PEDES in its real format: (split, identity, caption) of each image."""
    folder = root / "ICFG-PEDES"
    (folder / "imgs").mkdir(parents=True)
    rows = []
    for place, (split, identity, caption) in enumerate(entries):
        name = f"{place:04d}.png"
        rows.append({"split": split, "id": identity, "captions": [caption], "file_path": name})
        if images:
            Image.new("RGB", (20 + place, 60), (200, 10 * place, 0)).save(folder / "imgs" / name)
    (folder / "ICFG-PEDES.json").write_text(json.dumps(rows))
    return folder


ENTRIES = [
    ("train", 0, "A man in a red shirt and blue jeans."),
    ("train", 0, "A man in a red shirt."),
    ("train", 1, "Someone."),
    ("test", 2, "A woman in a green dress with a red bag."),
    ("test", 2, " ".join(["word"] * 80)),
]
