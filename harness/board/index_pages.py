"""The pages that lead to others: the index, all runs, a method, and what the board stands on."""

from collections.abc import Iterator
from typing import Any

from harness import __version__
from harness.board.check import Board
from harness.board.drawings import interval_bar, top_of
from harness.board.pages import Cell, facts, link, notes, page_name, paragraph, section, table, text
from harness.board.protocol_page import kind_of, verdict_of
from harness.board_file import BoardFile, Protocol
from harness.bundle.verify import SEALED
from harness.evaluate.intervals import METHOD
from harness.pages.tables import interval_text, row_interval
from harness.record import Record, RunFolder
from harness.registry.plug_ins import plugins
from harness.reporting.display_names import begun, method_name
from harness.reporting.verdicts.titles import place_name
from harness.results.method_ranks import ranked, row_rank
from harness.results.panels import Panel

Row = dict[Any, Any]
_LATEST = 8
_RUN_HEADER = (
    "run",
    "method",
    "tested on",
    "seed",
    "interval of R@1",
    "R@1 [95 %]",
    "mAP [95 %]",
    "kind",
    "finished",
    "bundle",
)
RULES = (
    "Every figure follows from per-query results that are in a bundle on this site. When the site was built, metrics, "
    "intervals, combined seeds, ranks, differences and p-values were computed anew from them; a bundle in which one "
    "did not agree would have stopped the build.",
    f"What no per-query result gives is as it was written: {SEALED}.",
    "A rank is an interval. Each two results are compared identity by identity, p-values are adjusted for the number "
    "of pairs (Holm), and a rank lies between the results that are significantly better and those that are worse.",
    "Results that differ in data, pictures, input, backbone, selection of the epoch or training data are in separate "
    "parts of a page, as are those that ranked again, used test data without labels or learned from several sets.",
    "A result marked as scored was computed by other code: the harness ranked its similarities, and what is told of "
    "its training is not checked.",
    "Figures of papers are claims. They stand in a part of their own and are never ranked with what was measured.",
    "A synthetic twin is drawn, in the format of a dataset. Its figures say nothing of the photographs.",
    "Each run is on the board once, and a contribution may not drop a run or a test set.",
)


def index_body(board: Board, file: BoardFile) -> str:
    """Return the body of the first page: the protocols with their verdicts, methods, and the latest runs."""
    rows = [_protocol_row(board, protocol) for protocol in file.protocols]
    head = ("dataset and protocol", "first", "best R@1 [95 %]", "results", "runs", "newest")
    latest = sorted(board.runs, key=lambda pair: (pair[1].finished or "", pair[1].name), reverse=True)[
        :_LATEST
    ]
    return "\n".join(
        [
            "".join(paragraph(" ".join(one.split())) for one in file.about.split("\n\n") if one.strip()),
            section("Datasets and protocols", table(head, rows, n_left=2)),
            *_verdicts(board, file),
            section("Methods", _methods(board)),
            section(
                "Latest runs",
                _run_table(board, latest, up=""),
                f"<p>{link('All runs', 'runs.html', up='')}</p>",
            ),
        ]
    )


def _verdicts(board: Board, file: BoardFile) -> Iterator[str]:
    for protocol in file.protocols:
        if panels := _panels(board, protocol):
            yield paragraph(f"{protocol.title}: {verdict_of(panels[0])}", "verdict")


def _panels(board: Board, protocol: Protocol) -> list[Panel]:
    return [panel for one, panel in board.panels if one == protocol]


def _protocol_row(board: Board, protocol: Protocol) -> list[Cell]:
    panels = _panels(board, protocol)
    records = [row for panel in panels for row in panel.records]
    rows = ranked(panels[0]).to_dict("records") if panels else []
    first = [method_name(str(row["method"])) for row in rows if row["rank_low"] == 1]
    runs = {name for row in records for name in row["runs"]}
    days = sorted(_day(record) for _, record in board.runs if record.name in runs)
    return [
        Cell(link(protocol.title, "protocol", f"{protocol.name}.html", up=""), protocol.title),
        text(", ".join(first[:3]) + (f" and {len(first) - 3} more" if len(first) > 3 else "")),
        text(row_interval(rows[0], "R1") if rows else "", rows[0]["R1"] if rows else None),
        text(len(records), len(records)),
        text(len(runs), len(runs)),
        text(days[-1] if days else ""),
    ]


def _results_of(board: Board, method: str) -> list[tuple[Protocol, Row]]:
    return [
        (protocol, row)
        for protocol, panel in board.panels
        for row in ranked(panel).to_dict("records")
        if row["method"] == method
    ]


def _methods(board: Board) -> str:
    """Return all methods, each with how many results and runs it has."""
    found: dict[str, list[Row]] = {}
    for _, panel in board.panels:
        for row in panel.records:
            found.setdefault(str(row["method"]), []).append(row)
    rows = [
        [
            Cell(link(begun(method_name(name)), "method", page_name(name), up=""), method_name(name).lower()),
            text("; ".join(dict.fromkeys(kind_of(row) for row in records))),
            text(len(records), len(records)),
            text(n := len({run for row in records for run in row["runs"]}), n),
        ]
        for name, records in sorted(found.items(), key=lambda item: method_name(item[0]).lower())
    ]
    return table(("method", "kind", "results", "runs"), rows, n_left=2)


def method_body(board: Board, method: str) -> str:
    """Return the body of a method's page: what it is, its results with their ranks, its runs."""
    found = _results_of(board, method)
    most = top_of([row["R1_high"] for _, row in found])
    rows = [
        [
            Cell(link(protocol.title, "protocol", f"{protocol.name}.html"), protocol.title),
            text(row["label"]),
            text(row_rank(row), row["rank_low"]),
            Cell(interval_bar(row["R1"], row["R1_low"], row["R1_high"], most), row["R1"]),
            text(row_interval(row, "R1"), row["R1"]),
            text(row_interval(row, "mAP"), row["mAP"]),
            text(row["n_seeds"], row["n_seeds"]),
            text(kind_of(row)),
        ]
        for protocol, row in found
    ]
    head = ("protocol", "result", "rank", "interval of R@1", "R@1 [95 %]", "mAP [95 %]", "seeds", "kind")
    runs = [(run, record) for run, record in board.runs if record.config["method"]["name"] == method]
    return "\n".join(
        [
            *(paragraph(line) for line in _said(method)),
            section("Results", table(head, rows, n_left=2)),
            section("Runs", _run_table(board, runs, up="../")),
        ]
    )


def _said(method: str) -> list[str]:
    """Return the first paragraph of what a method's file says of itself; nothing of one that is not installed."""
    said = plugins("methods").said(method) if method.isidentifier() else None
    return [" ".join(said.docstring.split("\n\n")[0].split())] if said and said.docstring else []


def runs_body(board: Board) -> str:
    """Return the body of the page of all runs."""
    return _run_table(board, board.runs, up="")


def _run_table(board: Board, runs: list[tuple[RunFolder, Record]], up: str) -> str:
    bundles = {record.name: bundle.file for bundle in board.bundles for _, record in bundle.runs}
    kinds = {name: kind_of(row) for _, panel in board.panels for row in panel.records for name in row["runs"]}
    most = top_of([_ends(record)[2] for _, record in runs])
    rows = [_run_cells(record, bundles[record.name], kinds, most, up) for _, record in runs]
    return table(_RUN_HEADER, rows, n_left=3)


def _day(record: Record) -> str:
    return (record.finished or record.started)[:10]


def _ends(record: Record, name: str = "R1") -> tuple[float | None, float | None, float | None]:
    key = f"test/{record.config['dataset']['name']}/t2i/{name}"
    low, high = record.intervals.get(key, (None, None))
    return record.metrics.get(key), low, high


def _run_cells(record: Record, bundle: str, kinds: dict[str, str], most: float, up: str) -> list[Cell]:
    method, ends = str(record.config["method"]["name"]), _ends(record)
    mean, low, high = _ends(record, "mAP")
    return [
        Cell(link(record.name, "run", f"{record.name}.html", up=up), record.name),
        Cell(link(method_name(method), "method", page_name(method), up=up), method_name(method).lower()),
        text(place_name(record.config["dataset"]["name"], record.synthetic)),
        text(record.config["seed"], record.config["seed"]),
        Cell(interval_bar(*ends, most), ends[0]),
        text(interval_text(*ends), ends[0]),
        text(interval_text(mean, low, high), mean),
        text(kinds.get(record.name, "")),
        text(_day(record)),
        Cell(link(bundle, "bundles", bundle, up=up), bundle),
    ]


def about_body(board: Board, file: BoardFile) -> str:
    """Return the body of the page on what the board stands on: rules, versions, bundles."""
    bundles = [
        [
            Cell(link(one.file, "bundles", one.file, up=""), one.file),
            text(len(one.runs), len(one.runs)),
            text(sum(check.agrees is True for check in one.checks)),
            text(sum(check.agrees is None for check in one.checks)),
            text(f"{one.size / 1e6:.2f} MB", one.size),
            text(one.contents.harness),
            text(one.contents.created[:10]),
            Cell(f'<span class="hash">{one.sha256}</span>'),
        ]
        for one in board.bundles
    ]
    head = ("bundle", "runs", "checks agree", "not known", "size", "harness", "packed", "SHA-256")
    versions = sorted({f"metric protocol {record.versions.get('protocol')}" for _, record in board.runs})
    return "\n".join(
        [
            section("Rules", f"<ul>{''.join(f'<li>{text(line).html}</li>' for line in RULES)}</ul>"),
            section("Versions", facts({"built by": f"person-retrieval-harness {__version__}",
                                       "intervals": f"method {METHOD}", "metrics": ", ".join(versions)})),
            section("Protocols", *(_protocol_facts(one) for one in file.protocols)),
            section("Bundles", table(head, bundles), notes(["To check one yourself: harness runs verify FILE."])),
        ]
    )  # fmt: skip


def _protocol_facts(protocol: Protocol) -> str:
    shown = {"test set": place_name(protocol.dataset, protocol.synthetic), **protocol.facts}
    return f"<h3>{link(protocol.title, 'protocol', f'{protocol.name}.html', up='')}</h3>{facts(shown)}"
