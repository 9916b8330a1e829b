"""The one look at the test split: metrics, intervals and speeds into the record, queries into the folder."""

from typing import Any

import numpy as np

from harness.config.sections import RunConfig
from harness.data.loading import Opened, Split, open_test, recorded_counts
from harness.data.own_data import own_settings
from harness.data.protocols.galleries import Gallery, name_of_test
from harness.data.reading import Reading
from harness.errors import UsageError
from harness.evaluate.embedding_sample import sample_embeddings
from harness.evaluate.encoder import Encoder, evaluate
from harness.evaluate.intervals import METHOD
from harness.evaluate.measure import Evaluation, correlation, intervals
from harness.evaluate.top_items import choose
from harness.files import file_hash, replaced, write_json
from harness.images.contact_sheet import contact_sheet
from harness.listener import Listener
from harness.metric_names import PROTOCOL_VERSION
from harness.record import (
    EMBEDDINGS,
    GALLERY,
    GALLERY_WORDS,
    QUERIES,
    QUERIES_SHA256,
    Record,
    RunFolder,
    now,
    queries_elsewhere,
    result_elsewhere,
    sets_name,
)
from harness.train.cost import PeakMemory, inference_flops


def take_test(record: Record, folder: RunFolder, encoder: Encoder, split: Split) -> dict[str, float]:
    """Fold and test a run, note what came out in record and folder, and return the metrics by `direction/name`.

    Args:
        record: of the run; changed in place.
        folder: of the run; the main process writes to it.
        encoder: of the method with the chosen weights.
        split: what it is tested on.
    """
    encoder.fold(split)
    record.accounting["flops"] = record.accounting.get("flops", {}) | inference_flops(encoder.method)
    with PeakMemory(encoder.engine.device) as memory:
        evaluation, embeddings = evaluate(encoder, split, detail=True)
    prefix = f"test/{split.dataset}/"
    record.metrics = {prefix + name: value for name, value in evaluation.metrics.items()}
    record.accounting["test_peak_bytes"] = memory.bytes
    record.accounting["images_per_second"] = len(split.images) / max(embeddings.image_seconds, 1e-9)
    record.accounting["captions_per_second"] = len(split.owners) / max(embeddings.text_seconds, 1e-9)
    if encoder.engine.is_main_process:
        found = intervals(evaluation.queries)
        record.interval_method = METHOD
        record.intervals = {prefix + name: ends for name, ends in found.items()}
        record.statistics["t2i/R1/intra_identity_correlation"] = correlation(evaluation.queries)
        folder.write_queries(evaluation.queries)
        sample = sample_embeddings(embeddings.image, embeddings.text, split.identities, split.owners)
        folder.write_queries(sample, EMBEDDINGS)
        write_gallery(folder, evaluation.queries, split)
        folder.note(record, QUERIES, EMBEDDINGS, GALLERY)
    return evaluation.metrics


def write_result(
    record: Record,
    folder: RunFolder,
    reading: Reading,
    evaluation: Evaluation,
    opened: Opened,
    gallery: Gallery | None = None,
) -> dict[str, Any]:
    """Write a run's result on another test set than its own, with its queries, and return it.

    Args:
        record: of the run.
        folder: of the run, in which `transfer/NAME.json` and `.npz` are written.
        reading: of the dataset that it was tested on.
        evaluation: what came out, in detail.
        opened: the pictures of the test.
        gallery: how these were reduced; None where they were not.
    """
    dataset = name_of_test(reading.dataset.name, gallery)
    prefix = f"test/{dataset}/"
    result: dict[str, Any] = {
        "run": record.name,
        "dataset": dataset,
        "trained_on": sets_name(record.config),
        "synthetic": reading.synthetic,
        "fingerprint": reading.fingerprint,
        "pictures": reading.pictures["test"],
        "protocol": PROTOCOL_VERSION,
        "finished": now(),
        "bad_images": len(opened.images.bad),
        "left_out": opened.left_out["test"],
        "faults": opened.faults,
        "metrics": {prefix + name: value for name, value in evaluation.metrics.items()},
        "intervals": {prefix + name: ends for name, ends in intervals(evaluation.queries).items()},
        "interval_method": METHOD,
    }
    if (where := own_settings(reading.dataset))["file"]:
        result["data"] = {"name": reading.dataset.name, "val": "none", **where}
    if gallery is not None:
        result["gallery"] = {"factors": list(gallery.factors), "seed": gallery.seed}
    queries = queries_elsewhere(dataset)
    folder.write_queries(evaluation.queries, queries)
    result[QUERIES_SHA256] = file_hash(folder.file(queries))
    write_json(folder.file(result_elsewhere(dataset)), result)
    return result


def write_gallery(folder: RunFolder, queries: dict[str, Any], split: Split) -> None:
    """Write what the test ranks first for its best, median and worst caption, as a picture and its words."""
    rows, words = [], []
    for kind, chosen in choose(queries, 1).items():
        for query in chosen:
            places = np.asarray(queries["t2i/top"][query]).tolist()
            right = (queries["i2t/identity"][places] == queries["t2i/identity"][query]).tolist()
            rows.append((split.images.read(places), right))
            caption, rank = split.pairs.captions[query], int(queries["t2i/rank"][query])
            words.append({"kind": kind, "caption": caption, "first_rank": rank, "right": right})
    with replaced(folder.file(GALLERY)) as draft:
        draft.write_bytes(contact_sheet(rows))
    write_json(folder.file(GALLERY_WORDS), {"rows": words})


def take_own_test(
    record: Record,
    folder: RunFolder,
    encoder: Encoder,
    reading: Reading,
    config: RunConfig,
    listener: Listener,
) -> None:
    """Test a run of an authors' checkpoint on its own dataset, and count what it was trained on."""
    refuse_twin(reading, config)
    split, opened = open_test(
        reading, config.dataset, config.backbone, encoder.method.clip.tokenize, listener
    )
    record.fingerprint = reading.fingerprint
    record.pictures = {"test": reading.pictures["test"]}
    record.data = recorded_counts(reading.train_counts, split.counts, opened)
    listener.on_stage("testing")
    take_test(record, folder, encoder, split)


def refuse_twin(reading: Reading, config: RunConfig) -> None:
    """Raise `UsageError` where a checkpoint of a real dataset would be tested on its twin."""
    if reading.synthetic != config.dataset.synthetic:
        raise UsageError(
            f"{reading.root} holds a synthetic twin of {config.dataset.name}, and the checkpoint is of the real "
            "dataset: name another --data-root."
        )
