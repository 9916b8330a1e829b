"""What a study's folder holds: its best configuration as a preset, with all that was searched."""

from pathlib import Path

import yaml

from harness.config.fields import Choice
from harness.presets.resolve import build
from harness.sweep.space import Axis
from harness.sweep.study_folder import BEST, preset_text
from tests.sweep_runs import WARMUP, Runs


def test_the_exported_preset_has_every_searched_value_even_where_the_default_is_best(config, search_with):
    default = config.method.lr
    summary = search_with(
        Runs(), trials=1, axes=[Axis(key="method.lr", over=Choice(values=(default,))), WARMUP], sampler="grid"
    )
    folder = Path(summary.preset).parent
    assert folder.name == summary.study
    assert (folder / BEST).read_text() == preset_text(build(summary.config), summary)
    written = yaml.safe_load((folder / BEST).read_text())
    assert written["method"] == {"lr": default, "warmup_epochs": summary.best.params["method.warmup_epochs"]}
