"""Trained towers as the start of another run: `backbone.init_from` names the run whose towers are taken."""

from pathlib import Path
from typing import Any

from harness.clip.model import Clip, load_clip
from harness.clip.weight_files import read_tensors, refuse_not_finite
from harness.clip.weights import Weights
from harness.config.sections import BackboneConfig
from harness.config.values import content_hash
from harness.errors import UsageError, listed
from harness.files import file_hash
from harness.record import WEIGHTS, find_run

TOWERS = "clip.model."
_LEFT_OUT = "drop_text_layers"


def load_backbone(config: BackboneConfig, *, seed: int, runs: Path | None = None) -> Clip:
    """Build the backbone that a config names, from the towers of another run where it says so.

    Args:
        config: name, weights, image size and text length.
        seed: of random weights.
        runs: folder of the records, for `init_from`; else the default one.
    """
    towers = inherited_weights(config.init_from, config.name, runs) if config.init_from else None
    return load_clip(config, seed=seed, weights=towers)


def was_called(digest: Any, init_from: str, since: str, runs: Path | None = None) -> bool:
    """Say whether a run's towers are what an earlier version called by a digest, of a run that started from them.

    What that version noted knows nothing of the weights, so they count where the run finished before it was used.

    Args:
        digest: as it was noted.
        init_from: the run, as `inherited_weights` takes it.
        since: when the run that started from it began, in ISO 8601.
        runs: folder of the records; else the default one.
    """
    source = find_run(init_from, runs).read()
    if source is None or source.finished is None or source.finished > since:
        return False
    return bool(digest == content_hash([source.identity, source.backbone.get("sha256")]))


def inherited_weights(run: str, name: str, runs: Path | None = None) -> Weights:
    """Return the towers that a finished run trained, with what it left frozen, as the weights of a backbone.

    Only the towers are taken: heads, temperatures and classifiers belong to the method that made them.

    Args:
        run: a folder, a name, or the beginning of a name or identity.
        name: the open_clip model that is to be filled, which must be the run's.
        runs: folder of the records; else the default one.

    Raises `UsageError` for a run that is not finished, has another model, left layers out, or trained nothing of the
    towers.
    """
    folder = find_run(run, runs)
    record = folder.read()
    if record is None or record.status != "finished":
        raise UsageError(f"The run {run!r} is not finished, so nothing can start from it: finish it first.")
    if record.scored:
        raise UsageError(f"The run {record.name} was scored, not trained here: nothing can start from it.")
    config = BackboneConfig(**record.config["backbone"])
    if config.name != name:
        raise UsageError(
            f"The run {record.name} has the backbone {config.name}, not {name}: set backbone.name={config.name}."
        )
    if left_out := record.config.get("method", {}).get(_LEFT_OUT):
        layers = listed([str(layer) for layer in left_out])
        raise UsageError(
            f"The run {record.name} has no text layer {layers} (method.{_LEFT_OUT}), and a backbone has all: start "
            "from a run that left none out."
        )
    untrained = record.accounting.get("parameters", {}).get("trainable") == 0
    file = folder.whole(WEIGHTS) if untrained else folder.weights()
    trained = read_tensors(file) if file.is_file() else {}
    refuse_not_finite(trained, file)
    towers = {key.removeprefix(TOWERS): value for key, value in trained.items() if key.startswith(TOWERS)}
    if not towers:
        raise UsageError(
            f"The run {record.name} trained nothing of the towers, so there is nothing to start from: "
            "take a run of a method that trains them, such as tbps_clip or full_finetune."
        )
    clip = load_backbone(folder.backbone(config), seed=int(record.config["seed"]), runs=runs)
    state = {**clip.model.state_dict(), **towers}
    # The same run, repeated elsewhere, may have other weights.
    digest = content_hash([record.identity, clip.identity.sha256, record.weights_sha256 or file_hash(file)])
    grid = getattr(clip.model.visual, "grid_size", None)
    known = tuple(grid) if grid else None
    return Weights(state, file, digest, clip.identity.quick_gelu, grid=known, image_size=config.image_size)
