"""Which protocols of many tell something of a report's question: the others are left out beside them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.results.panels import Facts, Row

if TYPE_CHECKING:
    from pandas import DataFrame


def telling(
    rows: "DataFrame", facts_of: Callable[[Row], Facts], tells: Callable[[list[Row]], bool]
) -> "DataFrame":
    """Return the results of those protocols that tell something of a question; all, where none does.

    Args:
        rows: results with their seeds combined.
        facts_of: returns what a row fixes: rows that fix the same are of one protocol.
        tells: whether the rows of one protocol answer the question.
    """
    records: list[Any] = rows.to_dict("records")
    protocols = [tuple(facts_of(row).items()) for row in records]
    together: dict[Any, list[Row]] = {}
    for protocol, row in zip(protocols, records, strict=True):
        together.setdefault(protocol, []).append(row)
    kept = {protocol for protocol, found in together.items() if tells(found)}
    return rows[[protocol in kept for protocol in protocols]] if kept else rows
