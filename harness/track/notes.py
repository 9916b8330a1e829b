"""What MLflow's pages show of one run: its description in Markdown, its origin, its settings in short."""

import getpass
from collections.abc import Sequence
from contextlib import suppress

from harness.config.identity import free_keys
from harness.config.removed import REMOVED
from harness.config.sections import RunConfig
from harness.config.values import content_hash, flatten
from harness.metric_names import METRIC_NAMES
from harness.pages.escaping import markdown_text
from harness.pages.tables import ends_text, no_interval_words
from harness.record import Record, has_earlier_intervals, reached

NOTE = "mlflow.note.content"


def description(record: Record, note: str = "", pictures: Sequence[str] = ()) -> str:
    """Return a run's description in Markdown: what it is, its results, and the commands to use next.

    Args:
        record: of the run.
        note: what a person says of it.
        pictures: Markdown of the pictures to show below the results.
    """
    name = record.name
    faults = [f"Data: {markdown_text(line)}" for line in record.data.get("faults", ())]
    said = [f"Note: {markdown_text(note)}"] if note else []
    lines = [_headline(record), *said, *_outcome(record), *pictures, *faults, *_costs(record)]
    if record.scored:
        lines.append(f"    harness runs show {name}")
    elif record.study is None and record.status == "finished":
        lines.append(
            "\n".join(
                f"    {line}"
                for line in (
                    f"harness runs show {name}",
                    f"harness evaluate {name} --dataset OTHER",
                    f'harness search "a woman in a red coat" --run {name}',
                )
            )
        )
    elif record.study is None:
        lines.append(f"    harness runs resume {name}")
    return "\n\n".join(lines)


def origin(record: Record) -> dict[str, str]:
    """Return MLflow's own tags for where a run comes from: source, user and commit; it has columns for them."""
    found = {
        "mlflow.source.name": f"harness {record.config['method']['name']}",
        "mlflow.source.type": "LOCAL",
    }
    commit = (record.environment.get("git") or {}).get("commit")
    if commit:
        found["mlflow.source.git.commit"] = str(commit)
    with suppress(KeyError, OSError):
        found["mlflow.user"] = getpass.getuser()
    return found


def settings_tag(record: Record) -> str:
    """Return a short name of all settings that decide a result but the seed: runs that share it are one condition's."""
    left_out = free_keys(RunConfig) | {"seed", *REMOVED}
    rest = {key: value for key, value in flatten(record.config).items() if key not in left_out}
    return f"{record.config['method']['name']} {content_hash(rest)[:4]}"


def _headline(record: Record) -> str:
    config = record.config
    method, dataset = (markdown_text(str(config[part]["name"])) for part in ("method", "dataset"))
    text = f"**{method}** on **{dataset}**, seed {config['seed']}"
    if record.synthetic:
        text += " · **SYNTHETIC TWIN**: not a result on the real dataset"
    if record.study:
        text += f" · trial of the study {markdown_text(record.study)}: validated, never tested"
    return text


def _outcome(record: Record) -> list[str]:
    if record.error:
        return [f"{record.status.capitalize()}: {markdown_text(record.error['message'][:500])}"]
    start = "val/" if record.study else "test/"
    names = [
        name.removesuffix("/R1") for name in record.metrics if name.startswith(start) and name.endswith("/R1")
    ]
    places = sorted(names, reverse=True)  # t2i before i2t
    if not places:
        words = reached(record.progress)
        return [
            f"{record.status.capitalize()}{f', {words} in {record.seconds:.0f} s' if words else ''}; no results."
        ]
    first = f"{markdown_text(places[0])}: **R@1 {_value(record, f'{places[0]}/R1')}**, {_rule(record)}"
    return [first, *_chosen(record), _table(record, places), _intervals(record), *_protocol(record)]


def _table(record: Record, places: Sequence[str]) -> str:
    """Return the results, a line a metric; the space that MLflow leaves out between columns is part of the cells."""
    head = ["%", *(markdown_text(place) for place in places)]
    rows = [
        [name, *(_value(record, f"{place}/{key}") for place in places)] for key, name in METRIC_NAMES.items()
    ]
    lines = [f"| {' | '.join(f'{cell}&nbsp;&nbsp;' for cell in row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def _chosen(record: Record) -> list[str]:
    """Return what the epoch was chosen by, apart from the test."""
    values = {name: record.selection.get(f"val/t2i/{key}") for key, name in METRIC_NAMES.items()}
    known = [f"{name} {value:.1f}" for name, value in values.items() if isinstance(value, int | float)]
    return (
        [f"Chosen on validation, text to image, which is no test result: {', '.join(known)}."]
        if known
        else []
    )


def _protocol(record: Record) -> list[str]:
    """Return what was tested on and with."""
    data, backbone = record.data, record.config["backbone"]
    kinds = ("captions", "images", "identities")
    counts = [f"{data[f'test_{kind}']:,} {kind}" for kind in kinds if f"test_{kind}" in data]
    size = "×".join(str(side) for side in backbone.get("image_size") or ())
    with_ = ", ".join(
        markdown_text(str(part)) for part in (backbone["name"], backbone.get("pretrained"), size) if part
    )
    tested = f"Tested on {', '.join(counts)}. " if counts and record.study is None else ""
    return [f"{tested}Backbone: {with_}. Protocol {record.versions.get('protocol', 'unknown')}."]


def _intervals(record: Record) -> str:
    earlier = " by the earlier method, a bootstrap" if has_earlier_intervals(record) else ""
    none = "".join(f"; {words}" for words in no_interval_words(record.intervals.values()))
    return f"In brackets: 95 % intervals over identities{earlier}{none}."


def _rule(record: Record) -> str:
    chosen, rule = record.selection, markdown_text(str(record.config["eval"]["rule"]))
    if record.scored:
        return f"selection rule {rule}. Scored from {markdown_text(record.scored)}, not trained here."
    if record.imported:
        return (
            f"selection rule {rule}, chosen by its authors; imported from {markdown_text(record.imported)}."
        )
    if rule == "untrained" or "epoch" not in chosen or "epochs" not in chosen:
        return f"selection rule {rule}."
    return f"selection rule {rule}: epoch {chosen['epoch']} of {chosen['epochs']}."


def _value(record: Record, name: str) -> str:
    if name not in record.metrics:
        return ""
    ends = record.intervals.get(name)
    return f"{record.metrics[name]:.1f}" + (f" {ends_text(ends)}" if ends else "")


def _costs(record: Record) -> list[str]:
    counts = record.accounting.get("parameters") or {}
    if "trainable" not in counts:
        return []
    text = f"{counts['trainable']:,} of {counts.get('total', 0):,} parameters trained"
    seconds = record.accounting.get("train_seconds")
    return [text + (f" in {seconds:,.0f} s." if seconds else ".")]
