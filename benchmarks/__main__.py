"""Run the benchmarks: `python -m benchmarks [NAME ...]`; writes `results/NAME.json` and the table of `README.md`."""

import json
import multiprocessing
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.common import Claim, NotMeasured, measure

HERE = Path(__file__).parent
RESULTS = HERE / "results"
# Takes much longer than all others together: only by its name.
LONG = {"full_size", "scores", "search_large", "suite_times"}
START, END = "<!-- results -->", "<!-- end of results -->"


def names() -> list[str]:
    """Return the benchmarks found beside this file, apart from the long ones."""
    own = {"tiny_lr_search", "__main__", "__init__", "common", "simulated_results", "earlier_intervals"}
    own |= {"mutants", "mutant_copy", "mutations", "learning_curves", "made_again"}
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in own | LONG)


def measure_apart(name: str) -> dict[str, Any]:
    """Run one benchmark in a fresh process, so that memory and threads of one do not touch another."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(measure, name).result()


def save(name: str, result: dict[str, Any]) -> None:
    """Write one result as JSON."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


def row(claim: Claim) -> str:
    """Format one claim as a line of the table."""
    value = "not measured" if claim["value"] is None else f"{claim['value']:.4g} {claim['unit']}".strip()
    holds = {True: "yes", False: "**no**", None: "–"}[claim["holds"]]
    return f"| {claim['name']} | {value} | {claim['bound'] or '–'} | {holds} |"


def sections() -> Iterator[str]:
    """Yield the text of each saved result: title, where and how measured, one row a claim."""
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        where = result["machine"]
        yield f"### {result['title']}\n"
        yield f"`{result['command']}` · {result['date']} · {where['cpu']}, torch {where['torch']}\n"
        yield "| figure | measured | promised | holds |\n|---|---|---|---|"
        yield "\n".join(row(claim) for claim in result["claims"]) + "\n"


def write_table() -> None:
    """Put the table of all saved results between the markers of `README.md`."""
    page = HERE / "README.md"
    table = "\n".join([START, "", *sections(), END])
    text = re.sub(f"{START}.*{END}", lambda _: table, page.read_text(), flags=re.DOTALL)
    page.write_text(text)


def main(wanted: list[str]) -> int:
    """Run the wanted benchmarks, or all; return 1 when one broke or a claim does not hold."""
    failed = False
    for name in wanted or names():
        try:
            result = measure_apart(name)
        except NotMeasured as error:
            print(f"{name}: not measured: {error}")
            continue
        except Exception as error:
            print(f"{name}: broke: {type(error).__name__}: {error}", file=sys.stderr)
            failed = True
            continue
        save(name, result)
        print(result["title"], *(row(claim) for claim in result["claims"]), sep="\n")
        failed |= any(claim["holds"] is False for claim in result["claims"])
    write_table()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
