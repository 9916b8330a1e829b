"""The results of runs as records of Every Eval Ever, schema 0.3.0: one file a run and test set, one line a query.

Source: arXiv 2606.14516, and the two schemas of github.com/evaleval/every_eval_ever.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from harness import __version__
from harness.bundle.privacy import without_machine
from harness.bundle.tables import tests_of
from harness.config.values import flatten
from harness.files import file_hash, write_text
from harness.metric_names import ALL_METRICS, DIRECTIONS, METRIC_NAMES
from harness.places import writing
from harness.record import Record, RunFolder, twin_name
from harness.track.tags import milliseconds

SCHEMA = "0.3.0"
LIBRARY, UNKNOWN = "person-retrieval-harness", "unknown"
# Each query is one line, of the result that tells most of it: AP is its score, and it is right at rank 1.
_PER_QUERY = "mAP"
_WORDS = {"t2i": ("caption", "image"), "i2t": ("image", "caption")}


def write_records(runs: Sequence[tuple[RunFolder, Record]], out: Path, by: str = UNKNOWN) -> list[Path]:
    """Write records and their lines below `out/data`, as that collection lays them out; return the records' files.

    Captions and pictures stay at home: a line names its query by direction and place in the split, which the
    annotation's hash says.

    Args:
        runs: finished runs.
        out: the folder.
        by: who evaluated.
    """
    files = []
    with writing(out):
        for folder, record in runs:
            for dataset, queries, result in tests_of(folder, record):
                files.append(_write(folder, record, dataset, queries, result, out, by))
    return files


def _write(
    folder: RunFolder,
    record: Record,
    dataset: str,
    queries: str,
    result: Mapping[str, Any],
    out: Path,
    by: str,
) -> Path:
    name = twin_name(dataset, record.synthetic)
    method = record.config["method"]["name"]
    place = Path("data") / name / _safe(by) / method
    number = UUID(bytes=sha256(f"{record.identity} {dataset}".encode()).digest()[:16], version=4)
    stamp = str(milliseconds(record.finished or record.started) // 1000)
    shared = {"schema_version": SCHEMA, "evaluation_id": f"{name}/{_safe(by)}_{method}/{stamp}/{number}"}
    model = f"{_safe(by)}/{record.name}"
    lines = list(_lines(folder.queries(queries), shared | {"model_id": model}, name))
    samples = place / f"{number}_samples.jsonl"
    _write_text(out / samples, "".join(f"{json.dumps(line)}\n" for line in lines))
    said = shared | {
        "evaluation_timestamp": record.started,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": LIBRARY,
            "source_type": "evaluation_run",
            "source_organization_name": by,
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": LIBRARY, "version": record.environment.get("harness", __version__)},
        "model_info": _model(record, model),
        "evaluation_results": list(_results(record, name, dataset, result, len(lines))),
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": samples.as_posix(),
            "hash_algorithm": "sha256",
            "checksum": file_hash(out / samples),
            "total_rows": len(lines),
        },
    }
    _write_text(out / place / f"{number}.json", json.dumps(said, indent=2) + "\n")
    file: Path = out / place / f"{number}.json"
    return file


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _safe(text: str) -> str:
    """Return a name as one part of a path.

    >>> _safe("University of X / Lab")
    'University-of-X-Lab'
    """
    return "-".join("".join(one if one.isalnum() else " " for one in text).split()) or UNKNOWN


def _model(record: Record, model: str) -> dict[str, Any]:
    settings = flatten(without_machine(record).config)
    details = {key: str(value) for key, value in settings.items() if value is not None}
    counts = {
        f"parameters.{key}": str(value) for key, value in record.accounting.get("parameters", {}).items()
    }
    known = {"deployment_type": "self_deployed", "model_availability": UNKNOWN}
    weights = {"weights_sha256": record.weights_sha256} if record.weights_sha256 else {}
    return {
        "name": record.config["method"]["name"],
        "id": model,
        "additional_details": details | counts | weights | known,
    }


def _results(
    record: Record, name: str, dataset: str, result: Mapping[str, Any], n_queries: int
) -> Iterator[dict[str, Any]]:
    """Yield the record's results: one for each direction and metric."""
    hashes = {"annotation": str(result.get("fingerprint", record.fingerprint))}
    hashes["pictures"] = str(result.get("pictures", record.pictures.get("test", UNKNOWN)))
    hashes["synthetic"] = str(record.synthetic).lower()
    for way in DIRECTIONS:
        query, item = _WORDS[way]
        for metric in ALL_METRICS:
            key = f"test/{dataset}/{way}/{metric}"
            if key not in result["metrics"]:
                continue
            low, high = result["intervals"].get(key, (None, None))
            certain = {
                "lower": low,
                "upper": high,
                "confidence_level": 0.95,
                "method": "Wilson, over identities",
            }
            uncertainty = {} if low is None else {"uncertainty": {"confidence_interval": certain}}
            yield {
                "evaluation_result_id": f"{name}/{way}/{metric}",
                "evaluation_name": f"{name}/{way}",
                "source_data": {"dataset_name": name, "source_type": "other", "additional_details": hashes},
                "metric_config": {
                    "evaluation_description": f"Each {query} of the test split ranks every {item} of it.",
                    "metric_id": f"person_retrieval.{metric}",
                    "metric_name": METRIC_NAMES[metric],
                    "metric_unit": "percent",
                    "lower_is_better": False,
                    "score_type": "continuous",
                    "min_score": 0,
                    "max_score": 100,
                },
                "score_details": {"score": result["metrics"][key]} | uncertainty,
            }


def _lines(queries: Mapping[str, Any], shared: Mapping[str, str], name: str) -> Iterator[dict[str, Any]]:
    """Yield one line for each query of both directions."""
    for way in DIRECTIONS:
        query, item = _WORDS[way]
        columns = (queries[f"{way}/{key}"].tolist() for key in ("identity", "rank", "AP"))
        for number, (person, rank, precision) in enumerate(zip(*columns, strict=True)):
            answer = {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": str(rank),
                "extraction_method": "rank of the first right item",
                "is_terminal": True,
            }
            yield {
                **shared,
                "evaluation_name": f"{name}/{way}",
                "evaluation_result_id": f"{name}/{way}/{_PER_QUERY}",
                "sample_id": f"{way}-{number}",
                "interaction_type": "single_turn",
                "input": {
                    "raw": f"{query} {number} of the test split",
                    "reference": [f"each {item} of person {person}"],
                },
                "output": {"raw": [str(rank)]},
                "answer_attribution": [answer],
                "evaluation": {"score": precision, "is_correct": rank == 1},
            }
