"""The reports: what each takes and which question it answers."""

import logging
from typing import Any

from harness.cli.layout import table
from harness.cli.options import print_json
from harness.errors import HarnessError
from harness.registry.plug_ins import Plugins, plugins

# Classes that name no question and take nothing: what a report with these bases does not say is left open.
_CONTRACTS = {"Report", "PanelReport"}
log = logging.getLogger(__name__)


def show_reports(as_json: bool) -> None:
    """List the reports: what each takes and which question it answers."""
    registry = plugins("reports")
    reports = [one for name in registry.names() if (one := _described(registry, name)) is not None]
    if as_json:
        print_json(reports)
        return
    rows = [[" ".join([one["report"], *map(str.upper, one["takes"])]), one["question"]] for one in reports]
    header = ("report", "question")
    table("reports", header, rows, text=header)


def _described(registry: Plugins, name: str) -> dict[str, Any] | None:
    """Return what a report says of itself: read from its file, else imported; None of a faulty one, which is said."""
    try:
        said = registry.said(name)
    except HarnessError as error:
        log.warning("skipped: %s", error)
        return None
    if said and {*said.bases} <= _CONTRACTS and isinstance(said.values.get("question"), str):
        question, takes = said.values["question"], said.values.get("takes", ())
        return {"report": name, "takes": list(takes), "question": question}
    from harness.reports import REPORTS

    found = REPORTS.find(name)
    if found is None:
        return None
    return {"report": found.name, "takes": list(found.takes), "question": found.question}
