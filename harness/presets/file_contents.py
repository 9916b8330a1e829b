"""What the files that a config names hold: part of a result's identity, whatever the files are called."""

from harness.captions.synonyms import with_digest
from harness.config.sections import RunConfig
from harness.data.protocols.noise import with_index


def with_contents(config: RunConfig) -> RunConfig:
    """Return a config that says what its files hold: of noisy captions and of synonyms."""
    augment = config.train.augment
    text = with_digest(augment.text)
    if text is not augment.text:
        augment = augment.model_copy(update={"text": text})
        config = config.model_copy(update={"train": config.train.model_copy(update={"augment": augment})})
    return config.model_copy(update={"dataset": with_index(config.dataset)})
