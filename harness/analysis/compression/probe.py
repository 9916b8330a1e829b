"""Which modules a trained run needs: R@1 without each, and with each set back towards the start of the training.

The study of compression of TBPS-CLIP (Cao et al., AAAI 2024, https://arxiv.org/abs/2308.10045, section on model
compression), for any method on two plain transformers. What the paper leaves open is settled so: the start is the
backbone as the run loaded it, the share of training kept moves in hundredths, a loss is cut only where a `clip` is
given, and the split is the run's own validation unless the test split is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.analysis.compression.layer_probes import Probe, SplitProbe
from harness.analysis.compression.measured_points import Points, measure, modules
from harness.analysis.compression.measures import (
    LEFT_OUT,
    MOST_LAYERS,
    contradicted,
    contributions,
    criticality,
    least_important,
)
from harness.analysis.compression.partial_towers import TOWERS, trained_weights
from harness.clip.injection import TowerName
from harness.data.loading import Split, open_material
from harness.data.protocols.joint_names import part_configs
from harness.data.reading import Reading, read_dataset
from harness.errors import DataError, UsageError, unknown
from harness.files import locked, read_json, write_json
from harness.inference.model import Trained
from harness.listener import Listener
from harness.methods import Method
from harness.metric_names import PROTOCOL_VERSION
from harness.paths import runs_root
from harness.record import COMPRESSION, find_run, now
from harness.run.backbone import load_backbone
from harness.run.job import build_method
from harness.track.publish import log_result_file

_VERSION = 1
SPLITS = ("val", "test")
Result = dict[str, Any]


def probe_compression(
    run: str,
    *,
    split: str = "val",
    epsilon: float = 3.0,
    clip: float | None = None,
    data_root: str | None = None,
    runs: str | Path | None = None,
    device: str = "auto",
    force: bool = False,
    listener: Listener | None = None,
) -> Result:
    """Measure C¹ and C² of every module of a finished run; a result that is there already is returned as it is.

    Args:
        run: a name, its beginning, or a folder.
        split: `val`, the run's own validation, or `test`, as published.
        epsilon: points of R@1 that C² tolerates.
        clip: points at which C¹ cuts a loss; None cuts nothing.
        data_root: folder of the datasets; else the run's own.
        runs: folder of the records; else `HARNESS_RUNS`, else `./runs`.
        device: `auto`, `cpu` or `cuda`.
        force: measure again what was measured before.
        listener: shown the stages.

    R@1 values are kept as they come, so an interrupted probe resumes, and another `epsilon` or `clip` measures only
    what is new. Raises `UsageError` for a run that cannot be probed and `DataError` when its data have changed.
    """
    _check(split, epsilon, clip)
    listener = listener or Listener()
    trained = Trained(find_run(run, runs_root(runs).path), device=device)
    _must_be_plain(trained)
    if data_root is not None:
        trained.config = trained.config.on_data(data_root)
    reading = _same_data(trained, listener)
    settings = _settings(trained, split, epsilon, clip)
    if not force and (found := _found(trained, settings, listener)) is not None:
        # An interruption may have come between the file and its sending.
        return _published(trained, found, listener)
    with locked(trained.folder.path):
        return _write(trained, _measured(trained, reading, settings, force, listener), listener)


def start_of(trained: Trained) -> dict[TowerName, list[dict[str, Tensor]]]:
    """Return what the trained parameters of each layer were when the run began, by tower and name in the layer."""
    names = {name: trained_weights(blocks) for name, blocks in _blocks(trained.method).items()}
    if not any(name for layers in names.values() for name in layers):
        return {tower: [{} for _ in layers] for tower, layers in names.items()}
    config, device = trained.config, trained.engine.device
    loaded = load_backbone(config.backbone, seed=config.seed, runs=trained.folder.path.parent)
    fresh = _blocks(build_method(config, loaded))
    return {
        tower: [
            {name: p.detach().to(device) for name, p in block.named_parameters() if name in wanted}
            for block, wanted in zip(fresh[tower], layers, strict=True)
        ]
        for tower, layers in names.items()
    }


def _blocks(method: Method) -> dict[TowerName, Sequence[Any]]:
    return {tower: method.clip.blocks(tower) for tower in TOWERS}


def _measured(
    trained: Trained, reading: Reading, settings: Result, force: bool, listener: Listener
) -> Result:
    """Measure what is not known yet and return the whole result."""
    material = _split(trained, reading, settings["split"], listener)
    listener.on_stage("encoding both sides")
    probe = SplitProbe(trained.encoder, material, start_of(trained))
    facts = {"version": _VERSION, "protocol": PROTOCOL_VERSION, "fingerprint": reading.fingerprint}
    points = Points(trained.folder, settings["split"], facts, fresh=force)
    points.begin(probe.recall(), probe.layer_forwards)
    measure(probe, points, settings["epsilon"], listener)
    counts = {"n_queries": len(material.owners), "n_images": len(material.images)}
    counts["text_layer_parameters"] = sum(p.numel() for p in probe.towers["text"].blocks[0].parameters())
    rows = list(_rows(probe, points, settings))
    order = _order(rows)
    cost = {"layer_forwards": points.passed, "layer_forwards_naive": points.naive}
    more = {"R1": points.recall, "modules": rows, "least_important": order, "cost": cost}
    return settings | counts | {"finished": now()} | more


def _rows(probe: SplitProbe, points: Points, settings: Mapping[str, Any]) -> Iterator[Result]:
    every = modules(probe)
    drops = {module.key: points.recall - points.known(Probe(module)) for module in every}
    c1 = contributions(drops, settings["clip"])
    for module in every:
        within = points.within(module, settings["epsilon"])
        moved = probe.blends[module.tower].moves(module)
        yield {
            **module._asdict(),
            "drop": drops[module.key],
            "C1": c1[module.key],
            "C2": criticality(within) if moved else 0.0,
            "trained": moved,
            "contradicted": moved and contradicted(within),
        }


def _order(rows: Sequence[Result]) -> list[int]:
    whole = [row for row in rows if (row["tower"], row["part"]) == ("text", "Whole")]
    c1, c2 = ({row["layer"]: row[name] for row in whole} for name in ("C1", "C2"))
    return least_important(c1, c2, min(MOST_LAYERS, len(whole) - 1))


def _settings(trained: Trained, split: str, epsilon: float, clip: float | None) -> Result:
    record, config = trained.record, trained.config
    return {
        "run": record.name,
        "method": config.method.name,
        "dataset": config.dataset.name,
        "synthetic": record.synthetic,
        "backbone": config.backbone.name,
        "left_out": list(getattr(config.method, LEFT_OUT, ())),
        "split": split,
        "epsilon": epsilon,
        "clip": clip,
        "fingerprint": record.fingerprint,
        "protocol": PROTOCOL_VERSION,
        "version": _VERSION,
    }


def _found(trained: Trained, settings: Result, listener: Listener) -> Result | None:
    file = trained.folder.file(COMPRESSION)
    try:
        found: Result = read_json(file, of=dict) if file.is_file() else {}
    except DataError as error:
        listener.on_note(f"measured anew: {str(error).rpartition(': ')[0]}.")
        return None
    if {name: found.get(name) for name in settings} != settings:
        return None
    listener.on_note(f"found the result of {found['finished']}: shown, not repeated (--force repeats).")
    return found


def _write(trained: Trained, result: Result, listener: Listener) -> Result:
    write_json(trained.folder.file(COMPRESSION), result)
    return _published(trained, result, listener)


def _published(trained: Trained, result: Result, listener: Listener) -> Result:
    if not log_result_file(trained.record, trained.folder, COMPRESSION):
        listener.on_note("MLflow did not take the result: `harness runs sync` sends it with its run.")
    return result


def _split(trained: Trained, reading: Reading, name: str, listener: Listener) -> Split:
    config = trained.config
    material = open_material(reading, config.dataset, config.backbone, trained.method.clip.tokenize, listener)
    found = material.val if name == "val" else material.test
    if found is None:
        raise UsageError(
            f"The run {trained.record.name} held no validation split back (dataset.val={config.dataset.val}): "
            "--split test looks at the test split, as published."
        )
    return found


def _same_data(trained: Trained, listener: Listener) -> Reading:
    reading = read_dataset(part_configs(trained.config.dataset)[0], listener)
    known = trained.record.pictures
    same = {split: reading.pictures.get(split) for split in known} == known
    if reading.fingerprint != trained.record.fingerprint or not same:
        raise DataError(
            f"{reading.root} is not what {trained.record.name} was trained on: put that dataset back, or name its "
            "folder with --data-root."
        )
    return reading


def _must_be_plain(trained: Trained) -> None:
    clip, method = trained.method.clip, type(trained.method)
    if not clip.injectable:
        raise UsageError(
            f"The backbone {clip.identity.name} of {trained.record.name} has no two plain transformers, so it has no "
            "layers to take away: probe a run on one that has, such as ViT-B-16-quickgelu."
        )
    if method.encode_image is not Method.encode_image or method.encode_text is not Method.encode_text:
        raise UsageError(
            f"The method {method.name} has its own way through the towers, which cannot be probed in parts: probe a "
            "run of a method that leaves encode_image and encode_text as they are."
        )


def _check(split: str, epsilon: float, clip: float | None) -> None:
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    for name, value in (("--epsilon", epsilon), ("--clip", clip)):
        if value is not None and not 0 < value <= 100:
            raise UsageError(
                f"{name} is a number of points of R@1, above 0 and up to 100, but got {value:g}."
            )
