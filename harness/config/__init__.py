"""A run's configuration: its fields, their defaults, help and search ranges, and its identity."""

from harness.config.augment import AugmentConfig, PoolConfig, TextAugmentConfig
from harness.config.fields import Choice, Range, Section, setting
from harness.config.sections import (
    BackboneConfig,
    DatasetConfig,
    EvalConfig,
    MethodConfig,
    RunConfig,
    TrainConfig,
)
from harness.config.values import content_hash, flatten

__all__ = [
    "AugmentConfig",
    "BackboneConfig",
    "Choice",
    "DatasetConfig",
    "EvalConfig",
    "MethodConfig",
    "PoolConfig",
    "Range",
    "RunConfig",
    "Section",
    "TextAugmentConfig",
    "TrainConfig",
    "content_hash",
    "flatten",
    "setting",
]
