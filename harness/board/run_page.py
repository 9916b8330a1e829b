"""The page of a run: what it reached, and where it comes from: settings, data, versions, hashes, costs, bundle."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.board.drawings import interval_bar, top_of
from harness.board.pages import Cell, facts, link, notes, page_name, paragraph, section, table, text
from harness.board.reading import Bundle
from harness.board_file import Protocol
from harness.bundle.tables import tests_of
from harness.bundle.verify import SEALED
from harness.metric_names import DIRECTIONS, METRIC_NAMES, METRICS
from harness.pages.cost_text import memory_text, millions_text, seconds_text
from harness.pages.tables import count_text, interval_text
from harness.presets.repeat import repeating_command
from harness.record import Record, RunFolder
from harness.reporting.display_names import method_name
from harness.reporting.verdicts.titles import place_name
from harness.results.flags import NOT_TOLD

_WAYS = {"t2i": "text to image", "i2t": "image to text"}


def run_body(
    run: RunFolder, record: Record, bundle: Bundle, protocols: Mapping[str, Protocol], notes_of: list[str]
) -> str:
    """Return the page's body of a run.

    Args:
        run: its folder, unpacked.
        record: its record.
        bundle: that holds it.
        protocols: by test set, the protocol that its result there is in.
        notes_of: what sets its results apart, a line each.
    """
    return "\n".join(
        [
            paragraph(f"Scored, not trained here, as told and not checked: {record.scored}", "verdict")
            if record.scored
            else "",
            section("What it reached", _results(run, record), _places(protocols), notes(notes_of)),
            section("Where it comes from", _provenance(record, bundle)),
            section("Data", _data(record)),
            *([section("Costs", _costs(record))] if record.accounting else []),
            section("Checks", _checks(record, bundle)),
            section("Settings", _settings(record)),
        ]
    )


def _results(run: RunFolder, record: Record) -> str:
    """Return the metrics of each test set and direction, with their intervals."""
    tests = list(tests_of(run, record))
    highs = [high for _, _, said in tests for _, high in said["intervals"].values()]
    most, rows = top_of(highs), []
    for dataset, _, said in tests:
        for way in DIRECTIONS:
            prefix = f"test/{dataset}/{way}/"
            ends = {name: said["intervals"].get(prefix + name, (None, None)) for name in METRICS}
            first = said["metrics"].get(f"{prefix}R1")
            rows.append(
                [
                    text(place_name(dataset, record.synthetic)),
                    text(_WAYS[way]),
                    Cell(interval_bar(first, ends["R1"][0], ends["R1"][1], most), first),
                    *(_figure(said["metrics"].get(prefix + name), *ends[name]) for name in METRICS),
                ]
            )
    head = (
        "tested on",
        "direction",
        "interval of R@1",
        *(f"{METRIC_NAMES[name]} [95 %]" for name in METRICS),
    )
    return table(head, rows, n_left=2)


def _figure(value: float | None, low: float | None, high: float | None) -> Cell:
    return text(interval_text(value, low, high), value)


def _places(protocols: Mapping[str, Protocol]) -> str:
    links = {one.name: link(one.title, "protocol", f"{one.name}.html") for one in protocols.values()}
    return f"<p>On the board: {', '.join(links.values())}</p>" if links else ""


def _provenance(record: Record, bundle: Bundle) -> str:
    environment = record.environment
    packages = ", ".join(f"{name} {version}" for name, version in environment.get("packages", {}).items())
    git = environment.get("git") or {}
    method = record.config["method"]["name"]
    return facts(
        {
            "method": Cell(link(method_name(method), "method", page_name(method))),
            "seed": record.config["seed"],
            "bundle": Cell(link(bundle.file, "bundles", bundle.file)),
            "SHA-256 of the bundle": Cell(f'<span class="hash">{bundle.sha256}</span>'),
            "identity": _hash(record.identity),
            "weights": _hash(_weights(record, bundle)),
            "started": record.started,
            "finished": record.finished,
            "took": seconds_text(record.seconds),
            "command": repeating_command(record),
            "harness": environment.get("harness"),
            "commit": f"{git.get('commit', '')}{' with changes' if git.get('dirty') else ''}",
            "versions": ", ".join(f"{name} {number}" for name, number in record.versions.items()),
            "Python": environment.get("python"),
            "system": environment.get("platform"),
            "device": environment.get("device_name") or environment.get("device"),
            "packages": packages,
            "chosen epoch": _chosen(record),
            **{
                f"told: {name.removeprefix('harness.')}": value for name, value in sorted(record.tags.items())
            },
            "notes": "; ".join(record.notes),
        }
    )


def _weights(record: Record, bundle: Bundle) -> str | None:
    known = {entry.name: entry.weights_sha256 for entry in bundle.contents.runs}
    return known.get(record.name)


def _hash(value: str | None) -> Cell | None:
    return Cell(f'<span class="hash">{text(value).html}</span>') if value else None


def _chosen(record: Record) -> str:
    rule, epoch = record.selection.get("rule"), record.selection.get("epoch")
    if rule is None:
        return ""
    return f"{epoch} of {record.selection.get('epochs')}, rule {rule}" if epoch else f"rule {rule}"


def _data(record: Record) -> str:
    data = record.data
    return facts(
        {
            "trained on": _trained_on(record),
            "annotation (SHA-256)": _hash(record.fingerprint),
            **{f"pictures of {split} (SHA-256)": _hash(value) for split, value in record.pictures.items()},
            "backbone": f"{record.backbone.get('name', '')} ({record.backbone.get('pretrained', '')})",
            "backbone's weights (SHA-256)": _hash(record.backbone.get("sha256")),
            **{
                name.replace("_", " "): count_text(value)
                for name, value in data.items()
                if isinstance(value, int) and not isinstance(value, bool)
            },
            "known faults": "; ".join(map(str, data.get("faults", []))),
        }
    )


def _trained_on(record: Record) -> str:
    if record.selection.get("rule") == "none":
        return "nothing"
    if record.scored and not record.config["dataset"].get("trained_on"):
        return NOT_TOLD
    return place_name(record.learned_from, record.synthetic)


def _costs(record: Record) -> str:
    told = record.accounting
    counts, flops = told.get("parameters", {}), told.get("flops", {})
    towers = [flops.get(f"{kind}_training") for kind in ("image", "text")]
    pair = {
        "FLOPs of a step, a pair": flops.get("pair_training"),
        "FLOPs of training through the towers": None if None in towers else sum(towers),
    }
    return facts(
        {
            "trainable parameters": count_text(counts.get("trainable")),
            "all parameters": count_text(counts.get("total")),
            **{name: millions_text(value) for name, value in pair.items()},
            "memory of a step": memory_text(told.get("step_peak_bytes")),
            "training": seconds_text(told.get("train_seconds")),
        }
    ) + notes([f"{SEALED.capitalize()}."])


def _checks(record: Record, bundle: Bundle) -> str:
    own = [one for one in bundle.checks if one.of == record.name or one.of.startswith(f"{record.name} on ")]
    words = {True: "agrees", False: "differs", None: "not known"}
    rows = [[text(one.what), text(words[one.agrees]), text(one.why)] for one in own]
    return table(("computed anew when this board was built", "outcome", "why"), rows, n_left=3)


def _settings(record: Record) -> str:
    rows = [[Cell(f"<code>{text(name).html}</code>"), text(value)] for name, value in _flat(record.config)]
    shown = table(("setting", "value"), rows, n_left=2)
    return f"<details><summary>All {len(rows)} settings</summary>{shown}</details>"


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", "" if value is None else str(value)
