"""IVLP: independent prompts in both frozen towers.

The baseline of Khattak et al., "MaPLe: Multi-modal Prompt Learning", CVPR 2023, https://arxiv.org/abs/2210.03117, whose
code https://github.com/muzairkhattak/multimodal-prompt-learning is followed: in every layer each tower reads prompts of
its own; those of the text's input start as the words "a photo of a", all others as N(0, 0.02^2).

What deviates: the code completes the prompt with class names, here with captions. It has two prompts a layer; here they
are four, as CSKT's are, whose prompts then differ by the maps between the towers. Where there are more prompts than
words the last ones start at random. Loss and optimiser are the harness's own; the code has SGD.
"""

from typing import Literal

from harness.clip.injection import tower_shapes
from harness.clip.injection.depth import WORDS, Depth, layers_within
from harness.clip.injection.prompts import ImagePrompts, OwnPrompts, TextPrompts, caption_room
from harness.clip.injection.words import PHOTO, start_as_words
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """Number, depth and start of each tower's prompts."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    image_prompts: int = setting(
        4, "prompts that an image layer reads", search=Range(low=1, high=16), ge=1, le=1000
    )
    text_prompts: int = setting(
        4, "prompts that a text layer reads", search=Range(low=1, high=16), ge=1, le=1000
    )
    image_depth: Depth = setting(
        "all",
        "image layers, from the bottom, that read fresh prompts: a number, or first, half, most or all of them",
        search=Choice(values=WORDS),
    )
    text_depth: Depth = setting("all", "likewise of the text tower", search=Choice(values=WORDS))
    init: Literal["words", "random"] = setting(
        "words",
        f'start of the text\'s first prompts: the words "{PHOTO}", or random like all others',
        search=Choice(values=("words", "random")),
    )


@register
class Ivlp(Method):
    """Frozen towers, prompts of its own in each."""

    title = "IVLP"
    Config = Config

    def adapt(self) -> None:
        """Put prompts into both towers."""
        config, (image, text) = self.config, tower_shapes(self.clip)
        room = caption_room(self.clip, config.text_prompts, "text_prompts")
        image_depth = layers_within(config.image_depth, image.layers, "image_depth")
        text_depth = layers_within(config.text_depth, text.layers, "text_depth")
        self.image_prompts = OwnPrompts(image_depth, config.image_prompts, image.width)
        self.text_prompts = OwnPrompts(text_depth, config.text_prompts, text.width)
        if config.init == "words":
            start_as_words(self.text_prompts.vectors[0], self.clip, PHOTO)
        self.image_injection = ImagePrompts(self.image_prompts)
        self.text_injection = TextPrompts(self.text_prompts, room)
