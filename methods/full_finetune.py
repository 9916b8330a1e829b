"""Full fine-tuning: every weight of both CLIP towers is trained.

The recipe is that of IRRA's CLIP baseline (Jiang and Ye, "Cross-Modal Implicit Relation Reasoning and
Aligning for Text-to-Image Person Retrieval", CVPR 2023, https://arxiv.org/abs/2303.12501): Adam, rate
1e-5, twice that on biases, weight decay 4e-5 except on biases, batches of 64, 60 epochs, 5 of them
warm-up. The loss is SDM, so that tables compare tuning and not loss; `loss=itc` gives the published
baseline's.
"""

from harness.methods import Method, register


@register
class FullFinetune(Method):
    """All parameters of CLIP are trainable, except a logit scale: the losses have a fixed temperature."""

    title = "full fine-tuning"
    baseline = True
    recipe = {"train.batch_size": 64, "train.epochs": 60}

    def adapt(self) -> None:
        """Unfreeze all that the embeddings depend on."""
        for name, parameter in self.clip.named_parameters():
            parameter.requires_grad_(not name.endswith(("logit_scale", "logit_bias")))
