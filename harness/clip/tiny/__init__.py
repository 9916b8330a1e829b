"""The tiny CLIP that ships with the harness: open_clip's own architecture, a trimmed vocabulary, weights.

It was trained on shapes and textures with captions (`harness pretrain`), on no picture of a person. `shapes.json`
beside the weights holds the command that made them and what they reach.
"""

from pathlib import Path
from typing import Any

NAME = "tiny"
TAG = "shapes"
_CONFIG = Path(__file__).with_name("tiny.json")
MERGES = Path(__file__).with_name("merges.txt.gz")
WEIGHTS = Path(__file__).with_name("shapes.safetensors")


def register() -> None:
    """Make the model name `tiny` known to open_clip."""
    import open_clip

    if NAME not in open_clip.list_models():
        open_clip.add_model_config(_CONFIG)


def tokenizer(text_length: int) -> Any:
    """Return open_clip's tokeniser on the first 6,000 merges of CLIP's vocabulary, in priority order.

    All byte tokens are kept and end-of-text has the largest id. The parts of a merge come from earlier merges or
    single bytes, so any first part of the merges is a whole vocabulary.
    """
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(bpe_path=str(MERGES), context_length=text_length)
