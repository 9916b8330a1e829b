"""What suites say of themselves."""

from collections.abc import Mapping
from typing import Any

from harness.cli.layout import paragraph, table
from harness.cli.options import print_json
from harness.data.protocols.galleries import parse_gallery
from harness.suites.schema import variation_name
from harness.suites.suite_files import load_suite, suite_names


def show_list(as_json: bool) -> None:
    """Print the shipped suites."""
    found = [load_suite(name) for name in suite_names()]
    if as_json:
        print_json([suite.model_dump(mode="json") for suite in found])
        return
    header = ("suite", "table")
    table("suites", header, [(suite.name, suite.title) for suite in found], text=header)


def show_suite(name: str, synthetic: bool, as_json: bool) -> None:
    """Print what a suite is."""
    suite = load_suite(name)
    if as_json:
        print_json(suite.model_dump(mode="json"))
        return
    facts = {
        "datasets": ", ".join(suite.datasets_run(synthetic)),
        "seeds": str(suite.seeds_run(synthetic)),
        "tested on": ", ".join(suite.evaluate) or "its own dataset",
        **(
            {"galleries": "; ".join(parse_gallery(text).words for text in suite.gallery)}
            if suite.gallery
            else {}
        ),
        "report": suite.report or "none",
        "published": ", ".join(suite.published) or "none",
        "settings": ", ".join(_settings(suite.settings(synthetic))) or "none",
    }
    for line in filter(None, (f"{suite.name}: {suite.title}", suite.question)):
        paragraph("", line)
    for key, value in facts.items():
        paragraph(f"  {key:<10} ", value)
    rows = []
    for row in suite.rows:
        start = [f"starts from {row.init_from}"] if row.init_from else []
        settings = ", ".join([*row.presets, *start, *_settings(row.settings(synthetic))])
        variations = str(len(row.variations(synthetic)))
        if synthetic and not row.synthetic:
            settings, variations = "left out on synthetic twins", "–"
        rows.append([row.name, row.method, settings or "–", variations])
    header = ("row", "method", "presets and settings", "variations")
    table("rows", header, rows, text=header[:3], leaving=("variations", "method"))


def _settings(values: Mapping[str, Any]) -> list[str]:
    return [variation_name(key, value) for key, value in values.items()]
