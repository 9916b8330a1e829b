"""Zero-shot: CLIP as it is, nothing trained. The floor of every table.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021,
https://arxiv.org/abs/2103.00020. Captions are used as they are, without a prompt template.
"""

from harness.config import MethodConfig
from harness.methods import Method, register


@register
class ZeroShot(Method):
    """CLIP's own embeddings."""

    title = "zero-shot CLIP"
    baseline = True
    Config = MethodConfig
    trained = False
