"""Where the rows of a shipped suite stand in its file, for reports that show them in its order."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


def with_places(results: "DataFrame", suite: str | None) -> "DataFrame":
    """Return results with the place of each one's row in a shipped suite (`suite_place`); as they are of another.

    A run's mark is its row's name alone, so that the file of a suite of the user's is not known here. A row that is not
    in the file any more has the last place.
    """
    # Importing the suites imports what they run, which a notebook has no need of.
    from harness.suites.cells import row_names
    from harness.suites.suite_files import shipped_suite

    known = shipped_suite(suite)
    if known is None:
        return results
    orders = {synthetic: row_names(known, synthetic) for synthetic in (False, True)}
    rows = zip(results["suite_row"], results["synthetic"].astype(bool), strict=True)
    return results.assign(suite_place=[_place(orders[synthetic], str(name)) for name, synthetic in rows])


def _place(names: list[str], name: str) -> int:
    return names.index(name) if name in names else len(names)
