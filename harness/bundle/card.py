"""A folder ready for the Hugging Face Hub: a run's weights, its record, and a card with what it reached and how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness import __version__
from harness.bundle.export import exportable
from harness.bundle.privacy import without_machine
from harness.bundle.tables import tests_of
from harness.datasets import DATASETS
from harness.errors import HarnessError, UsageError
from harness.files import copy_file, replaced, write_text
from harness.metric_names import ALL_METRICS, DIRECTIONS, METRIC_NAMES
from harness.pages.escaping import markdown_text
from harness.pages.tables import ends_text, no_interval_words
from harness.places import writing
from harness.presets.repeat import repeating_command
from harness.record import BACKBONE, QUERIES, WEIGHTS, Record, RunFolder, left_out_words, sets_name, twin_name
from harness.registry.set_names import split_sets

CARD, EVAL_RESULTS = "README.md", ".eval_results"
_WORDS = {"t2i": "text to image", "i2t": "image to text"}
_MAIN = "R1"
# Of the Hub's list of tasks the nearest: an image and a sentence are brought together.
_TASK = "zero-shot-image-classification"


@dataclass(frozen=True)
class Card:
    """A folder that was written: its files, and for which datasets there is no file of evaluation results, by name."""

    folder: str
    files: list[str]
    without: list[str]


def write_card(
    name: str, out: str | Path, runs: str | Path | None = None, hub: Mapping[str, str] | None = None
) -> Card:
    """Write the folder of a run: weights, record, README.md and evaluation results.

    `harness.load(out)` reads it anywhere; a backbone that the run did not change is looked for as the record names it.

    Args:
        name: of a finished run, as `find_run` takes it.
        out: the folder.
        runs: folder of the records.
        hub: the Hub's name (`owner/name`) of each dataset that has one there, by the dataset's own.

    Raises `UsageError` for a run that cannot be handed on and for a folder with files of another run.
    """
    ((folder, record),) = exportable([name], runs)
    if record.scored:
        raise UsageError(f"{record.name} was scored from {record.scored}: there is no model to hand on.")
    kept = [file for file in (WEIGHTS, BACKBONE) if folder.file(file).is_file()]
    if WEIGHTS not in kept and record.accounting.get("parameters", {}).get("trainable") != 0:
        folder.weights()
    place = Path(out)
    before = RunFolder(place).glance(tell=lambda file, why: None)
    if place.is_dir() and any(place.iterdir()) and (before is None or before.name != record.name):
        raise UsageError(f"{place} holds something else: choose an empty folder.")
    said = without_machine(record)
    said.files = {}
    files = {CARD: _card(folder, said), **dict(_eval_results(folder, said, hub or {}))}
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
        for file in (*kept, QUERIES):
            with replaced(place / file) as draft:
                copy_file(folder.whole(file), draft)
        RunFolder(place).note(said, QUERIES, *(file for file in kept if file != WEIGHTS))
        RunFolder(place).write(said)
        for file, text in files.items():
            (place / file).parent.mkdir(exist_ok=True)
            write_text(place / file, text)
    tested = [dataset for dataset, _, _ in tests_of(folder, record)]
    return Card(
        str(place), [*kept, QUERIES, "record.json", *files], [one for one in tested if one not in (hub or {})]
    )


def _card(folder: RunFolder, record: Record) -> str:
    """Return the text of README.md: what the Hub reads, then what a person reads."""
    tests = list(tests_of(folder, record))
    head = {
        "library_name": "person-retrieval-harness",
        "license": "other",
        "tags": ["text-based-person-retrieval", "clip", record.config["method"]["name"]],
        "base_model": str(record.backbone.get("name")),
        "model-index": [{"name": record.name, "results": [_indexed(record, *test) for test in tests]}],
    }
    ends_of_tests = [ends for _, _, result in tests for ends in result["intervals"].values()]
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
        f"# {markdown_text(record.name)}",
        *_about(record),
        "## Results",
        *(_table(record, dataset, result) for dataset, _, result in tests),
        f"{_selection(record)} 95 % intervals over identities. Ties count against the model; the gallery is the whole "
        "test split." + "".join(f" {words}." for words in no_interval_words(ends_of_tests)),
        "## Data and licence",
        *_data(record, [dataset for dataset, _, _ in tests]),
        "## Use",
        _USE,
    ]
    return "\n\n".join(parts) + "\n"


_USE = """```python
import harness

model = harness.load("FOLDER")           # this folder
model.search("a woman in a red coat", "photos")
```

`pip install person-retrieval-harness`; weights are safetensors and load without pickle. `record.json` has every
setting, version and hash, `queries.npz` the result of each query."""


def _about(record: Record) -> Iterator[str]:
    config, parameters = record.config, record.accounting.get("parameters", {})
    trained, total = parameters.get("trainable", 0), parameters.get("total", 0)
    twin = (
        "**Trained and tested on a synthetic twin: drawn figures, no photographs. It is of no use on real pictures.** "
        if record.synthetic
        else ""
    )
    share = f"{100 * trained / total:.2f} %" if total else "an unknown share"
    backbone = markdown_text(str(record.backbone.get("name")))
    dataset = markdown_text(twin_name(sets_name(config), record.synthetic))
    size = "×".join(map(str, config["backbone"]["image_size"]))
    yield (
        f"{twin}The method `{config['method']['name']}` on {backbone}, trained on {dataset}: {trained:,} of {total:,} "
        f"parameters ({share}), seed {config['seed']}, pictures of {size}, harness "
        f"{record.environment.get('harness', __version__)}."
    )
    if left_out := left_out_words(record.data):
        yield f"It was made {left_out}."
    if command := repeating_command(record):
        yield f"Made again by\n\n```\n{command.replace('```', '')}\n```"


def _selection(record: Record) -> str:
    words = {
        "val": "The epoch was chosen on validation; the test split was seen once.",
        "last": "The last epoch was tested; the test split was seen once.",
        "none": "Nothing was trained, so nothing was chosen.",
        "oracle": "**The epoch was chosen on the test split, which flatters.**",
    }
    rule = str(record.selection.get("rule", record.config["eval"]["rule"]))
    return words.get(rule, f"Selection rule: {markdown_text(rule)}.")


def _table(record: Record, dataset: str, result: Mapping[str, Any]) -> str:
    lines = [
        f"**{markdown_text(twin_name(dataset, record.synthetic))}**, test split",
        "",
        f"| query | {' | '.join(METRIC_NAMES[name] for name in ALL_METRICS)} |",
        f"|---|{'---:|' * len(ALL_METRICS)}",
    ]
    for way in DIRECTIONS:
        cells = [_cell(result, f"test/{dataset}/{way}/{name}") for name in ALL_METRICS]
        lines.append(f"| {_WORDS[way]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(result: Mapping[str, Any], key: str) -> str:
    if key not in result["metrics"]:
        return "–"
    ends = result["intervals"].get(key)
    return f"{result['metrics'][key]:.2f}" + (f" {ends_text(ends)}" if ends else "")


def _data(record: Record, tested: list[str]) -> Iterator[str]:
    trained = sets_name(record.config)
    for name in dict.fromkeys([*split_sets(trained), *tested]):
        try:
            known = DATASETS.get(name)
            title, licence = known.title, known.licence
        except HarnessError:
            title, licence = name, "not known here"
        role = "trained and tested on" if name == trained else "tested on"
        yield f"* {markdown_text(title)}, {role}: {markdown_text(licence)}."
    yield (
        "Weights carry the licence of what they were trained on and of the backbone they began with: look before you "
        f"pass them on. SHA-256 of the annotation: `{record.fingerprint}`."
    )


def _indexed(record: Record, dataset: str, _: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a test as the Hub's model index has it."""
    name = twin_name(dataset, record.synthetic)
    values = {key.partition(f"test/{dataset}/")[2]: value for key, value in result["metrics"].items()}
    return {
        "task": {"type": _TASK, "name": "Text-based person retrieval"},
        "dataset": {"name": name, "type": name, "split": "test"},
        "metrics": [
            {
                "type": "recall" if one.startswith("R") else "mean_average_precision",
                "name": f"{METRIC_NAMES[one]} {_WORDS[way]}",
                "value": round(values[f"{way}/{one}"], 4),
            }
            for way in DIRECTIONS
            for one in ALL_METRICS
            if f"{way}/{one}" in values
        ],
    }


def _eval_results(folder: RunFolder, record: Record, hub: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the files of evaluation results, for the datasets that are on the Hub."""
    tests = {dataset: result for dataset, _, result in tests_of(folder, record)}
    for dataset, place in hub.items():
        if dataset not in tests:
            raise UsageError(f"{record.name} was not tested on {dataset}; it was on {', '.join(tests)}.")
        if record.synthetic:
            raise UsageError(f"{record.name} was tested on a synthetic twin, which is no dataset of the Hub.")
        entry = {
            "dataset": {"id": place, "task_id": "text-to-image"},
            "value": round(tests[dataset]["metrics"][f"test/{dataset}/t2i/{_MAIN}"], 4),
            "date": str(tests[dataset].get("finished") or record.finished)[:10],
            "notes": f"R@1, text to image; selection rule {record.selection.get('rule')}",
        }
        yield f"{EVAL_RESULTS}/{dataset}.yaml", yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
