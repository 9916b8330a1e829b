"""What decides the embeddings of a backbone."""

from dataclasses import asdict, dataclass
from typing import Any

from harness.clip.activation import name_has_quick_gelu
from harness.clip.weights import Weights
from harness.config.sections import BackboneConfig
from harness.config.values import content_hash


@dataclass(frozen=True)
class BackboneIdentity:
    """What decides a backbone's embeddings; `sha256` is that of the weights, None for random ones.

    `captions` says how captions are cleaned; as the tokeniser does, it is left out of the values.
    """

    name: str
    pretrained: str | None
    sha256: str | None
    seed: int | None
    image_size: tuple[int, int]
    text_length: int
    quick_gelu: bool
    captions: str = "as_written"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        values = asdict(self) | {"image_size": list(self.image_size)}
        if self.captions == "as_written":
            del values["captions"]
        return values

    @property
    def hash(self) -> str:
        """SHA-256 of all fields."""
        return content_hash(self.as_dict())


def identity_of(config: BackboneConfig, weights: Weights | None, seed: int) -> BackboneIdentity:
    """Return the identity of the backbone that a config names, with these weights or random ones."""
    assert config.text_length is not None
    by_name = name_has_quick_gelu(config.name) if config.quick_gelu is None else config.quick_gelu
    return BackboneIdentity(
        name=config.name,
        pretrained=config.pretrained if weights and not config.weights else None,
        sha256=weights.sha256 if weights else None,
        seed=None if weights else seed,
        image_size=config.image_size,
        text_length=config.text_length,
        quick_gelu=weights.quick_gelu if weights else by_name,
        captions=config.captions,
    )
