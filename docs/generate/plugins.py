"""The reference of methods, datasets, suites and reports, from their files."""

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

from docs.generate.markdown import code, page, table, text
from docs.generate.settings import fields_table
from harness.cli.actions.methods import counted, describe
from harness.datasets import DATASETS, PersonDataset, is_test_only
from harness.errors import many
from harness.methods import METHODS, Method
from harness.presets.preset_files import own_presets
from harness.reports import REPORTS
from harness.suites.suite_files import load_suite, suite_names

_COUNTED = ("method", "trained", "of all", "GFLOPs", "training GFLOPs", "what it is")


def methods() -> str:
    """Return the page: a table of all methods with their counts, then each with its sources and settings."""
    described = [describe(method.name, None, None, ()) for method in METHODS.usable()]
    described.sort(key=lambda one: (one["parameters"]["trainable"], one["name"]))
    sizes = "×".join(map(str, described[0]["image_size"]))
    words = (
        f"Parameters and operations on {described[0]['backbone']} at {sizes}, the default backbone; GFLOPs are of one "
        "image and one caption, forward, and with backward. `harness methods table` counts them on any other."
    )
    listed = table(_COUNTED, map(_counted, described), numbers=_COUNTED[1:5])
    named = sorted(described, key=lambda one: one["name"])
    return page("Methods", words, listed, *(part for one in named for part in _method(one)))


def _counted(one: dict[str, Any]) -> tuple[str, ...]:
    name, trained, share, _, _, forward, training = counted(one)
    return (f"[`{name}`](#{name})", trained, share, forward, training, text(one["title"]))


def _method(one: dict[str, Any]) -> Iterator[str]:
    method: type[Method] = METHODS.get(one["name"])
    yield f"## {one['name']}"
    yield from _paragraphs(one["description"])
    if presets := own_presets(method):
        yield f"Presets (`--preset`): {', '.join(map(code, presets))}."
    if method.recipe:
        other = ", ".join(f"`{key}={value}`" for key, value in method.recipe.items())
        yield f"Its recipe differs from the [defaults](settings.md): {other}."
    fields = [(name, field) for name, field in method.Config.model_fields.items() if name != "name"]
    if fields:
        searched = {field["key"]: field["search"] for field in one["fields"] if field["search"]}
        yield fields_table("method.", fields, searched)


def _paragraphs(docstring: str) -> Iterator[str]:
    """Yield the paragraphs of a docstring; a line that begins with `Licence:` or the like begins one.

    >>> list(_paragraphs("A title.\\n\\nPaper: one,\\ntwo.\\nLicence: none."))
    ['A title.', 'Paper: one, two.', 'Licence: none.']
    """
    yield from (text(part) for part in re.split(r"\n\n|\n(?=[A-Z][a-z]+: )", docstring))


def datasets() -> str:
    """Return the page: every dataset with its counts, licence, access and files."""
    words = (
        "`harness data info NAME` shows the same, and what was found on this machine; "
        "[Your data](../data.md) says how to put it there."
    )
    found = DATASETS.usable()
    rows = [(f"[`{one.name}`](#{one.name})", one.title, _validation(one)) for one in found]
    listed = table(("dataset", "title", "validation"), rows)
    return page("Datasets", words, listed, *(part for one in found for part in _dataset(one)))


def _validation(one: type[PersonDataset]) -> str:
    if is_test_only(one):
        return "none: a test alone, for what was trained elsewhere"
    if one.default_val == "own":
        return "its own"
    return "none in the files: an identity-disjoint hold-out of 10 % of train, or `--val none --set eval.rule=last`"


def _dataset(one: type[PersonDataset]) -> Iterator[str]:
    yield f"## {one.name}"
    yield from _paragraphs(inspect.getdoc(sys.modules[one.__module__]) or "")
    rows = [(split, *(f"{n:,}" for n in counts)) for split, counts in one.expected.items()]
    if rows:
        header = ("split", "identities", "images", "captions")
        yield table(header, rows, numbers=header[1:])
    files = ", ".join(f"`{one.folder}/{name}`" for name in one.annotation_files)
    yield (
        f"Annotation: {files}; images: `{one.folder}/{one.image_folder}/`. Captions are read at {one.text_length} "
        f"tokens. Synthetic twin: {'yes' if one.twin is not None else 'none'}. "
        f"Known wrong files: {many(len(one.wrong_files), 'kind')}, told by `harness data verify {one.name}`."
    )


def suites_and_reports() -> str:
    """Return the page: the suites that ship, and the reports."""
    suites = [(name, load_suite(name)) for name in suite_names()]
    of_suites = [
        (code(name), text(suite.question), ", ".join(map(code, suite.datasets))) for name, suite in suites
    ]
    of_reports = [(code(" ".join([one.name, *one.takes])), text(one.question)) for one in REPORTS.usable()]
    return page(
        "Suites and reports",
        "## Suites",
        "`harness suite plan NAME` shows the cells of one, `harness suite run NAME` makes them: see "
        "[Sweeps and suites](../sweeps-and-suites.md).",
        table(("suite", "question", "datasets"), of_suites),
        "## Reports",
        "`harness report NAME` makes one: see [Reading a report](../reading-a-report.md).",
        table(("report", "question"), of_reports),
    )
