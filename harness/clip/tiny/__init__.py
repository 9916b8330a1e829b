"""The tiny CLIP that ships with the harness: open_clip's own architecture, a trimmed vocabulary, weights.

The weights `shapes` were trained on shapes and textures with captions (`harness pretrain`), on no picture of a person;
the weights `web` on a corpus like the web's, with drawn people in other styles than the twins'. A JSON file beside each
holds the command that made them and what they reach.

The model `tiny` has 4 image layers of width 128 and 3 text layers of width 128. `tiny-5x160-3x128` is one of other
sizes: layers and width of the image tower, then of the text tower.
"""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.errors import UsageError

NAME = "tiny"
TAG = "shapes"
# The model that weights are of, by their pretrained tag; each lies beside this file as TAG.safetensors.
SHIPPED = {TAG: NAME, "web": NAME}
_CONFIG = Path(__file__).with_name("tiny.json")
MERGES = Path(__file__).with_name("merges.txt.gz")
_SIZED = re.compile(r"tiny-(\d{1,3})x(\d{1,4})-(\d{1,3})x(\d{1,4})")
_HEAD, _MOST_LAYERS, _WIDEST = 32, 24, 1024


def is_tiny(name: str) -> bool:
    """Return whether a model is the tiny CLIP, of whatever sizes."""
    return name == NAME or _SIZED.fullmatch(name) is not None


def tags(name: str) -> list[str]:
    """Return the pretrained tags that ship of a tiny CLIP."""
    return [tag for tag, model in SHIPPED.items() if model == name]


def weights(tag: str) -> Path:
    """Return where the weights of a pretrained tag are."""
    return Path(__file__).with_name(f"{tag}.safetensors")


def model_config(name: str) -> dict[str, Any]:
    """Return open_clip's description of a tiny CLIP; raise `UsageError` for sizes that none can have.

    >>> model_config("tiny-5x160-3x128")["vision_cfg"]["width"]
    160
    """
    config: dict[str, Any] = json.loads(_CONFIG.read_text())
    if found := _SIZED.fullmatch(name):
        image_layers, image_width, text_layers, text_width = map(int, found.groups())
        _check(name, (image_layers, text_layers), (image_width, text_width))
        config["vision_cfg"] |= {"layers": image_layers, "width": image_width}
        config["text_cfg"] |= {"layers": text_layers, "width": text_width, "heads": text_width // _HEAD}
    return config


def _check(name: str, layers: tuple[int, int], widths: tuple[int, int]) -> None:
    if not all(1 <= n <= _MOST_LAYERS for n in layers):
        raise UsageError(f"{name}: a tower of the tiny CLIP has 1 to {_MOST_LAYERS} layers.")
    if not all(_HEAD <= width <= _WIDEST and width % _HEAD == 0 for width in widths):
        raise UsageError(
            f"{name}: widths of the tiny CLIP are multiples of {_HEAD}, from {_HEAD} to {_WIDEST}."
        )


def register(name: str = NAME) -> None:
    """Make a tiny CLIP known to open_clip by its name; of another model nothing is done."""
    import open_clip

    if not is_tiny(name) or name in open_clip.list_models():
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.json"
        file.write_text(json.dumps(model_config(name)))
        open_clip.add_model_config(file)


def tokenizer(text_length: int) -> Any:
    """Return open_clip's tokeniser on the first 6,000 merges of CLIP's vocabulary, in priority order.

    All byte tokens are kept and end-of-text has the largest id. The parts of a merge come from earlier merges or
    single bytes, so any first part of the merges is a whole vocabulary.
    """
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(bpe_path=str(MERGES), context_length=text_length)
