"""Make a finished run of scores or embeddings that were computed elsewhere; it is marked as not trained here."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from harness.config.sections import DatasetConfig
from harness.data.own_data import own_settings
from harness.data.reading import Reading, read_dataset
from harness.datasets import DATASETS, Pairs, count, pairs
from harness.errors import DataError, UsageError
from harness.evaluate.embedding_sample import sample_embeddings
from harness.evaluate.intervals import METHOD
from harness.evaluate.measure import Evaluation, correlation, evaluation, intervals
from harness.files import file_hash, locked
from harness.listener import Listener
from harness.metric_names import PROTOCOL_VERSION
from harness.paths import runs_root
from harness.record import EMBEDDINGS, QUERIES, SCORED, Record, RunFolder, now
from harness.run.import_checkpoint import tracked
from harness.run.provenance import command_line, environment, source_files
from harness.scoring.embedded import Embedded, read_embeddings
from harness.scoring.k_reciprocal import KReciprocal, Neighbours
from harness.scoring.layout import size_text
from harness.scoring.matrix import Matrix
from harness.scoring.orders import Order, own_order, read_order, template
from harness.scoring.ranked import Labels, Scores, rank_matrix
from harness.scoring.score_files import opened_scores
from harness.scoring.second_stage import SecondStage, TwoStages, read_second_stage, told_of
from harness.scoring.symptoms import tie_note
from harness.scoring.told import NOT_TOLD, SCORES, UNTRAINED, Told, identity_of
from harness.track.own_runs import new_key


@dataclass(frozen=True)
class Given:
    """The files that are scored, and how they are to be read.

    Attributes:
        similarity: scores [n_caption, n_image].
        embeddings: `text` [n_caption, dim] and `image` [n_image, dim], in place of scores.
        rerank: `items` and `scores` [n_caption, k] of a second stage.
        neighbours: rank again by k-reciprocal neighbours of the embeddings instead.
        order: lists of captions and images where they are in another order than the harness's.
        key: name of the array in `similarity`.
        transposed: whether the scores are [n_image, n_caption].
        distance: whether low values mean alike.
    """

    similarity: Path | None = None
    embeddings: Path | None = None
    rerank: Path | None = None
    neighbours: Neighbours | None = None
    order: Path | None = None
    key: str | None = None
    transposed: bool = False
    distance: bool = False

    @property
    def file(self) -> Path:
        """The file with what is scored."""
        found = self.similarity or self.embeddings
        if found is None or (self.similarity and self.embeddings):
            raise UsageError("Give what is to be scored: either --similarity FILE or --embeddings FILE.")
        if self.neighbours and self.similarity:
            raise UsageError("--rerank k_reciprocal compares images: give --embeddings, not --similarity.")
        unused = [
            name for name in ("key", "transposed", "distance") if self.embeddings and getattr(self, name)
        ]
        if unused:
            raise UsageError(f"--{unused[0]} is about --similarity: leave it out with --embeddings.")
        return found


@dataclass
class Scored:
    """What came out of a split: the evaluation, what is to be said, and the embeddings where they were given."""

    evaluation: Evaluation
    notes: list[str] = field(default_factory=list)
    embedded: Embedded | None = None


def score(
    given: Given,
    dataset: DatasetConfig,
    told: Told,
    *,
    runs: str | Path | None = None,
    force: bool = False,
    listener: Listener | None = None,
) -> Record:
    """Score a test split and return the finished run; one of the same scores that is there already is returned.

    Args:
        given: the files.
        dataset: what they are of.
        told: what is known of the system.
        runs: folder of the records; else `HARNESS_RUNS`, else `./runs`.
        force: score again; the old folder is set aside.
        listener: shown the stages.

    Raises `DataError` or `UsageError` in one line for what is not as expected; then nothing is written.
    """
    listener, start = listener or Listener(), time.perf_counter()
    reading = read_split(given, dataset, listener, "test")
    root, split = runs_root(runs).path, pairs(reading.samples, ["test"])
    stage = _second_stage(given, split)
    record = _new_record(given, dataset, told_of(told, stage, given.neighbours), reading)
    folder = RunFolder(root / record.name)
    found = None if force else folder.read()
    if found is not None and found.status == "finished":
        listener.on_note(
            f"found the run {found.name}, scored from {found.scored}: shown, not repeated (--force repeats)."
        )
        return found
    scored = score_split(given, split, listener, stage)
    with locked(folder.path):
        if folder.is_begun():
            folder.set_aside()
            folder.path.mkdir()
        _fill(record, folder, scored, split)
        record.seconds = time.perf_counter() - start
        record.status, record.finished = "finished", now()
        folder.write(record)
        record.tracking = tracked(record, folder, root)
        folder.write(record)
    return record


def shown(given: Given, dataset: DatasetConfig, split: str, listener: Listener) -> dict[str, Any]:
    """Return metrics and intervals of another split than the test's, by flat names; no run is made of them."""
    reading = read_split(given, dataset, listener, split)
    chosen = pairs(reading.samples, [split])
    scored = score_split(given, chosen, listener, _second_stage(given, chosen))
    prefix = f"{split}/{dataset.name}/"
    return {
        "dataset": dataset.name,
        "split": split,
        "synthetic": reading.synthetic,
        "metrics": {prefix + name: value for name, value in scored.evaluation.metrics.items()},
        "intervals": {prefix + name: ends for name, ends in intervals(scored.evaluation.queries).items()},
        "notes": scored.notes,
    }


def lists(dataset: DatasetConfig, split: str, listener: Listener) -> dict[str, Any]:
    """Return the captions and images of a split in the harness's order, as `--order` takes them."""
    reading = read_dataset(_only(dataset, split), listener, needed=[split])
    return template(pairs(reading.samples, [split]))


def _second_stage(given: Given, split: Pairs) -> SecondStage | None:
    return read_second_stage(given.rerank, len(split.captions), len(split.images)) if given.rerank else None


def score_split(given: Given, split: Pairs, listener: Listener, stage: SecondStage | None) -> Scored:
    """Rank what is given of a split, in both directions; notes say what was assumed or done."""
    order = order_of(given, split)
    identities = torch.tensor(split.identities)
    labels = Labels(identities[torch.tensor(split.owners)], identities)
    owners = {"t2i": labels.captions, "i2t": labels.images}
    listener.on_stage(f"scoring {given.file}")
    with opened(given, split) as (scores, notes, embedded):
        both = TwoStages(scores, stage) if stage else None
        again = KReciprocal(embedded, given.neighbours) if embedded and given.neighbours else None
        second = both or again
        found, seen = rank_matrix(second or scores, labels, order, given.file, listener.on_count)
        notes += [second.note() if second else None, order.note, tie_note(seen, scores.type_name)]
    said = [note for note in notes if note]
    for note in said:
        listener.on_note(note)
    return Scored(evaluation(found, owners, split.captions), said, _reordered(embedded, order))


def order_of(given: Given, split: Pairs) -> Order:
    """Return the order that lists tell, else the harness's own."""
    return read_order(given.order, split) if given.order else own_order(split)


@contextmanager
def opened(given: Given, split: Pairs) -> Iterator[tuple[Scores, list[str | None], Embedded | None]]:
    """Open what is given, and say what was assumed of it."""
    if given.similarity is None:
        embedded = read_embeddings(given.file, split)
        yield embedded, [embedded.note], embedded
        return
    expected = len(split.captions), len(split.images)
    with opened_scores(given.similarity, expected, given.key) as matrix:
        square = expected[0] == expected[1] and not given.transposed
        note = "the matrix is square: its rows are taken as captions (--transposed takes them as images)"
        yield _oriented(matrix, given, expected), [note if square else None], None


def _oriented(matrix: Matrix, given: Given, expected: tuple[int, int]) -> Matrix:
    """Return scores whose rows are captions; raise `DataError` where rows and columns are the wrong way round."""
    own = expected[::-1] if given.transposed else expected
    if matrix.shape != own:
        mend = "leave out --transposed" if given.transposed else "save its transpose, or give --transposed"
        rows = "images x captions" if given.transposed else "captions x images"
        raise DataError(
            f"{given.file} is transposed: expected {size_text(own)}, {rows}, found {size_text(matrix.shape)}: {mend}."
        )
    turned = matrix.swapped if given.transposed else matrix
    return replace(turned, negative=given.distance)


def _reordered(embedded: Embedded | None, order: Order) -> Embedded | None:
    if embedded is None:
        return None
    return Embedded(embedded.text[order.captions.argsort()], embedded.image[order.images.argsort()])


def read_split(given: Given, dataset: DatasetConfig, listener: Listener, split: str) -> Reading:
    """Read the data; what is given is looked at first, which takes no time."""
    for file in (given.file, given.rerank, given.order):
        if file is not None and not file.is_file():
            raise UsageError(f"{file} is no file: check the path.")
    reading = read_dataset(_only(dataset, split), listener, needed=[split])
    reading.of(split).check_pictures(dataset.on_bad_image)
    return reading


def _only(dataset: DatasetConfig, split: str) -> DatasetConfig:
    """Return how a split is read: with the dataset's own validation where that is asked for, else without any."""
    return dataset.model_copy(update={"val": "own" if split == "val" else "none"})


def _new_record(given: Given, dataset: DatasetConfig, told: Told, reading: Reading) -> Record:
    where = own_settings(reading.dataset)
    section = {"name": dataset.name, "synthetic": dataset.synthetic, "root": dataset.root, **where}
    config = told.config(section)
    sha256 = file_hash(given.file)
    beside = [file_hash(file) if file else None for file in (given.order, given.rerank)]
    scores = {"sha256": sha256, "read_as": [given.key, given.transposed, given.distance, *beside]}
    versions = {"dataset": reading.dataset.version, "protocol": PROTOCOL_VERSION}
    pictures = {"test": reading.pictures["test"]}
    identity = identity_of(
        config,
        scores=sha256,
        read_as=scores["read_as"],
        data=reading.fingerprint,
        pictures=pictures,
        versions=versions,
    )
    return Record(
        identity=identity,
        key=new_key(),
        config=config,
        versions=versions,
        fingerprint=reading.fingerprint,
        pictures=pictures,
        backbone={"name": told.backbone or NOT_TOLD, "sha256": NOT_TOLD},
        synthetic=reading.synthetic,
        started=now(),
        command=command_line(),
        environment=environment("cpu"),
        sources=source_files(DATASETS.get(dataset.name)),
        data=_data(reading, told) | {SCORES: scores},
        accounting=told.accounting,
        selection={"rule": "none" if told.rule == UNTRAINED else told.rule},
        tags=told.tags | {SCORED: f"{given.file.name} (sha256 {sha256[:12]})"},
    )


def _data(reading: Reading, told: Told) -> dict[str, Any]:
    """Return what the record says of the data: the counts of the test, and of training what is told."""
    counts = count(reading.samples)["test"]
    known = {} if told.train_pairs is None else {"train_pairs": told.train_pairs}
    return known | {
        "test_captions": counts.captions,
        "test_images": counts.images,
        "test_identities": counts.identities,
        "bad_images": 0,
        "left_out": {"test": 0},
        "faults": reading.faults,
        **({"notes": reading.notes} if reading.notes else {}),
    }


def _fill(record: Record, folder: RunFolder, scored: Scored, split: Pairs) -> None:
    """Note what came out in the record, and write the files beside it."""
    prefix, queries = f"test/{record.config['dataset']['name']}/", scored.evaluation.queries
    record.metrics = {prefix + name: value for name, value in scored.evaluation.metrics.items()}
    record.interval_method = METHOD
    record.intervals = {prefix + name: ends for name, ends in intervals(queries).items()}
    record.statistics["t2i/R1/intra_identity_correlation"] = correlation(queries)
    record.notes = scored.notes
    folder.write_queries(queries)
    folder.note(record, QUERIES)
    if scored.embedded is not None:
        rows = (scored.embedded.image, scored.embedded.text)
        of = (torch.tensor(split.identities), torch.tensor(split.owners))
        folder.write_queries(sample_embeddings(*rows, *of), EMBEDDINGS)
        folder.note(record, EMBEDDINGS)
