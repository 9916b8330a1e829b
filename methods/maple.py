"""MaPLe: prompts of the text tower, from which linear maps make those of the image tower; both towers stay frozen.

Khattak et al., "MaPLe: Multi-modal Prompt Learning", CVPR 2023, https://arxiv.org/abs/2210.03117, code
https://github.com/muzairkhattak/multimodal-prompt-learning. Structure and start are those of the code: two prompts in
each of nine of twelve layers; those of the input start as the first words of "a photo of a", others as N(0, 0.02^2).
The maps start as PyTorch's linear maps do, the first by itself and all others alike; for inference the prompts that
they make replace them.

What deviates: the code completes the prompt with class names, here with captions. Where there are more prompts than
words the last ones start at random; in the code all do, from five prompts on. Loss and optimiser are the harness's own;
the code has SGD at rate 3.5e-3, batches of 4 and five epochs.
"""

from typing import Literal

from torch import nn

from harness.clip.injection import tower_shapes
from harness.clip.injection.depth import WORDS, Depth, layers_within
from harness.clip.injection.prompts import ImagePrompts, PromptFields, Prompts, TextPrompts
from harness.clip.injection.words import PHOTO, start_as_words
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """Number, depth and start of the prompts."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    prompt_length: int = setting(
        2, "prompts that a layer of either tower reads", search=Range(low=1, high=8), ge=1
    )
    prompt_depth: Depth = setting(
        "most",
        "layers, from the bottom, that read fresh prompts: a number, or first, half, most (9 of 12) or all of those "
        "that both towers have",
        search=Choice(values=WORDS),
    )
    init: Literal["words", "random"] = setting(
        "words",
        f'start of the first prompts: the first words of "{PHOTO}", or random like all others',
        search=Choice(values=("words", "random")),
    )


@register
class Maple(Method):
    """Frozen towers, text prompts and what maps make of them for the images."""

    title = "MaPLe"
    Config = Config

    def adapt(self) -> None:
        """Make the prompts and put them into both towers."""
        layers = min(shape.layers for shape in tower_shapes(self.clip))
        depth = layers_within(self.config.prompt_depth, layers, "prompt_depth")
        fields = PromptFields(prompt_length=self.config.prompt_length, prompt_depth=depth, directions="t2i")
        self.prompts = Prompts(self.clip, fields)
        self._start()
        self.image_injection = ImagePrompts(self.prompts)
        self.text_injection = TextPrompts(self.prompts, self.prompts.room)

    def folded_parameters(self) -> int:
        """Only the prompts that the maps make remain."""
        return self.prompts.folded_parameters()

    def fold(self) -> None:
        """Replace the maps by what they make."""
        self.prompts.fold()

    def _start(self) -> None:
        """Give maps and prompts the values that the code starts with, where they differ from CSKT's."""
        maps, prompts = self.prompts.text_to_image, self.prompts.text_own
        assert maps is not None
        assert prompts is not None
        image, text = tower_shapes(self.clip)
        first, others = (nn.Linear(text.width, image.width).state_dict() for _ in range(2))
        for layer, linear in enumerate(maps):
            linear.load_state_dict(others if layer else first)
        if self.config.init == "words":
            start_as_words(prompts[0], self.clip, PHOTO)
