"""CoOp: a few learned vectors before every caption; both towers stay frozen.

Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022, https://arxiv.org/abs/2109.01134,
code https://github.com/KaiyangZhou/CoOp. The vectors are between the start token and the caption's own
embeddings and are trained alone. By default there are four, which start as the words "a pedestrian photo
of", as in the few-shot comparison of TBPS-CLIP (Cao et al., AAAI 2024, https://arxiv.org/abs/2308.10045);
loss, batch and Adam are the harness's own, the same for all methods, and the learning rate is a choice.
The preset `released` has the sixteen random vectors and the optimiser of the code.

What deviates: the paper completes the prompt with class names, here with captions. A caption that no longer
fits loses its last words and keeps its end token. Class-specific vectors, which need classes, and other
places than before the text are left out.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from harness.clip.injection import Injection, tower_shapes
from harness.clip.injection.prompts import DEVIATION, CaptionRoom, caption_room
from harness.clip.injection.words import word_vectors
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting

WORDS = "a pedestrian photo of"
MOMENTUM = 0.9


class Config(TrainedConfig):
    """The context's size and start; a few vectors train stably at larger steps than whole towers."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    n_context: int = setting(
        4, "learned vectors before a caption; 16 in CoOp", search=Range(low=1, high=16), ge=1
    )
    init: Literal["words", "random"] = setting(
        "words",
        f'start: the word pieces of "{WORDS}" nearest the caption, random ones before them; or all random',
        search=Choice(values=("words", "random")),
    )
    optimiser: Literal["adam", "sgd"] = setting(
        "adam",
        f"adam, as for other methods, or sgd with momentum {MOMENTUM}, as in CoOp's code",
        search=Choice(values=("adam", "sgd")),
    )
    eps: float = setting(1e-8, "Adam's epsilon", gt=0, inert={"optimiser": ("sgd",)})


class Context(Injection):
    """Learned vectors [n_context, width] before a caption's words, in the text tower's input."""

    def __init__(self, vectors: Tensor, room: CaptionRoom) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors)
        self._room = room

    def tokens(self, tokens: Tensor) -> Tensor:
        """Reserve places for the vectors."""
        return self._room.tokens(tokens)

    def embedded(self, x: Tensor) -> Tensor:
        """Write the vectors into the reserved places; they get the positions of these."""
        return self._room.write(self.vectors, x)


@register
class Coop(Method):
    """Frozen towers, learned vectors before every caption."""

    title = "CoOp"
    Config = Config

    def adapt(self) -> None:
        """Put the context before the captions."""
        _, text = tower_shapes(self.clip)
        room = caption_room(self.clip, self.config.n_context, "n_context")
        self.text_injection = Context(self._start(text.width), room)

    def optimiser(self) -> torch.optim.Optimizer:
        """Return the optimiser that the config names."""
        if self.config.optimiser == "adam":
            return super().optimiser()
        return torch.optim.SGD(self.param_groups(), momentum=MOMENTUM)

    def _start(self, width: int) -> Tensor:
        """Return the vectors before training [n_context, width]: N(0, 0.02^2), the last ones words if so configured."""
        n_context = self.config.n_context
        vectors = torch.empty(n_context, width).normal_(std=DEVIATION)
        if self.config.init == "words":
            words = word_vectors(self.clip, WORDS)[-n_context:]
            vectors[n_context - len(words) :] = words
        return vectors
