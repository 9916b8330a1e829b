"""Make a tiny CLIP: contrastive pretraining on drawn pictures with captions, in a folder of its own."""

from pathlib import Path
from typing import Any

import torch

from harness.clip.model import Clip, load_clip
from harness.clip.weight_files import state_hash
from harness.errors import DataError, UsageError
from harness.files import locked, read_json, write_json
from harness.listener import Listener
from harness.pretrain.held_out import Figures, held_out_figures
from harness.pretrain.pairs import shares_of
from harness.pretrain.recipe import PretrainConfig, check, relative_cost
from harness.pretrain.training import AGAIN, State, Training
from harness.train.tensor_files import check_tensors, write_tensors

WEIGHTS, RECORD, CHECKPOINT = "weights.safetensors", "record.json", "checkpoint.safetensors"
_FINISHED = "finished"


def pretrain(
    config: PretrainConfig,
    out: Path,
    listener: Listener | None = None,
    *,
    force: bool = False,
    checkpoint_seconds: float = 60,
) -> dict[str, Any]:
    """Train a tiny CLIP in a folder, from where it was cut off there, and return its record.

    What is finished is returned as it is. The folder has `weights.safetensors`, in float16, and `record.json`; while
    it trains `checkpoint.safetensors` as well.

    Args:
        config: the recipe.
        out: the folder.
        listener: hears of progress.
        force: start over, whatever is in the folder.
        checkpoint_seconds: time between checkpoints.

    Raises `UsageError` for a recipe that cannot be followed, or a folder that holds another one's training.
    """
    check(config)
    listener = listener or Listener()
    with locked(out):
        if force:
            _clear(out)
        record = _earlier(config, out)
        if record is None or record["status"] != _FINISHED:
            write_json(out / RECORD, _begun(config))
            clip = load_clip(config.backbone, random=True, seed=config.seed)
            state = Training(clip, config, out / CHECKPOINT, listener, checkpoint_seconds).run()
            record = _finish(clip, config, state, out, listener)
        (out / CHECKPOINT).unlink(missing_ok=True)
    return record


def _clear(out: Path) -> None:
    for name in (RECORD, CHECKPOINT, WEIGHTS):
        (out / name).unlink(missing_ok=True)


def _begun(config: PretrainConfig) -> dict[str, Any]:
    return {"status": "training", "command": config.command, "config": config.model_dump()}


def _earlier(config: PretrainConfig, out: Path) -> dict[str, Any] | None:
    """Return the record that a folder holds, None for none; raise `UsageError` where it is of other settings."""
    if not (out / RECORD).is_file():
        return None
    try:
        record: dict[str, Any] = read_json(out / RECORD, dict)
    except DataError as error:
        raise DataError(f"{str(error).partition(': ')[0]}: {AGAIN}") from error
    found = record.get("config")
    if not isinstance(found, dict) or record.get("status") not in (_FINISHED, "training"):
        raise UsageError(f"{out / RECORD} is no record of a pretraining: give another --out.")
    if difference := config.differences(found):
        raise UsageError(f"{out} holds a pretraining with other settings ({difference}): {AGAIN}")
    if record["status"] == _FINISHED:
        _check_weights(record, out / WEIGHTS)
    return record


def _check_weights(record: dict[str, Any], file: Path) -> None:
    """Raise `DataError` where the weights are not those of a finished record."""
    try:
        note = check_tensors(file)
    except DataError as error:
        raise DataError(f"{str(error).rstrip('.')}: {AGAIN}") from error
    if note is None or note.get("sha256") != record.get("sha256"):
        raise DataError(f"{file} is not what its record says: {AGAIN}")


def _finish(
    clip: Clip, config: PretrainConfig, state: State, out: Path, listener: Listener
) -> dict[str, Any]:
    """Measure and write the weights as they ship, and return the record."""
    listener.on_stage("retrieval of unseen pictures")
    exact = _figures(clip, config)
    shipped = {name: value.half() for name, value in clip.model.state_dict().items()}
    clip.model.load_state_dict(shipped)
    record = {
        **_begun(config),
        "status": _FINISHED,
        "loss": state.loss,
        "curve": state.curve,
        "held_out": _figures(clip, config),
        "held_out_float32": exact,
        "parameters": sum(value.numel() for value in shipped.values()),
        "relative_cost": round(relative_cost(config.model), 3),
        "seconds": round(state.seconds, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "sha256": state_hash(shipped),
    }
    note = {"command": config.command, "sha256": record["sha256"]}
    write_tensors(out / WEIGHTS, shipped, note)
    write_json(out / RECORD, record)
    return record


def _figures(clip: Clip, config: PretrainConfig) -> Figures:
    return held_out_figures(clip, shares_of(config.mix), config.held_out, config.seed)
