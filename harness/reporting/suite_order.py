"""Where a result's row stands in its suite, for reports that show rows in that order."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


def with_places(results: "DataFrame", suite: str | None) -> "DataFrame":
    """Return results with the place of each one's row in its suite (`suite_place`), or without, if one is not known.

    Runs that an earlier version made do not say it: of a suite that ships, its file does, where a row that is gone
    since comes last.
    """
    if "suite_place" not in results:
        return results
    told = results["suite_place"].astype(str)
    if told.str.isdecimal().all():
        return results.assign(suite_place=told.astype(int))
    # Importing the suites imports what they run, which a notebook has no need of.
    from harness.suites.cells import row_names
    from harness.suites.suite_files import shipped_suite

    known = shipped_suite(suite)
    if known is None:
        return results.drop(columns="suite_place")
    orders = {synthetic: row_names(known, synthetic) for synthetic in (False, True)}
    rows = zip(results["suite_row"], results["synthetic"].astype(bool), strict=True)
    return results.assign(suite_place=[_place(orders[synthetic], str(name)) for name, synthetic in rows])


def _place(names: list[str], name: str) -> int:
    return names.index(name) if name in names else len(names)
