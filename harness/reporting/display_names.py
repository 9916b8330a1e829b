"""What methods and datasets are called where a person reads: each plug-in's own `title`, else the name of its file."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from harness.data.protocols.galleries import parse_test
from harness.datasets import DATASETS
from harness.errors import HarnessError
from harness.pages.escaping import visible
from harness.registry.plug_ins import plugins
from harness.registry.set_names import split_sets


@lru_cache
def method_name(name: str) -> str:
    """Return a method's name in the middle of a sentence, told from its file without importing it.

    >>> method_name("linear_probe"), method_name("not_installed")
    ('linear probe', 'not_installed')
    """
    try:
        said = plugins("methods").said(name) if name.isidentifier() else None
    except HarnessError:
        said = None
    title = said.values.get("title") if said else None
    return title if isinstance(title, str) and title else visible(name)


def dataset_name(name: str) -> str:
    """Return a dataset's name; that of data of one's own as it is, a reduced gallery behind it.

    >>> dataset_name("icfg"), dataset_name("not installed"), dataset_name("icfg-low4")
    ('ICFG-PEDES', 'not installed', 'ICFG-PEDES (pictures reduced to 1/4)')
    """
    base, gallery = parse_test(name)
    if gallery is not None:
        return f"{dataset_name(base)} ({gallery.words})"
    if len(sets := split_sets(name)) > 1:
        return " + ".join(map(dataset_name, sets))
    try:
        return DATASETS.get(name).title
    except HarnessError:
        return visible(name)


def data_name(name: str, synthetic: bool) -> str:
    """Return what something was tested on, so that nobody takes a twin for photographs.

    >>> data_name("icfg", True), data_name("icfg", False)
    ('the synthetic twin of ICFG-PEDES', 'ICFG-PEDES')
    """
    return f"the synthetic twin of {dataset_name(name)}" if synthetic else dataset_name(name)


def label_name(row: Mapping[Any, Any]) -> str:
    """Return a result's label with its method's name in it: what tells results apart follows as it is.

    >>> label_name({"method": "cskt", "label": "cskt (method.lr=0.1)"})
    'CSKT (method.lr=0.1)'
    """
    label, method = visible(str(row["label"])), visible(str(row["method"]))
    return f"{method_name(method)}{label[len(method) :]}" if label.startswith(method) else label


def begun(text: str) -> str:
    """Return words as they begin a sentence or a cell: a first word of small letters gets a capital.

    >>> begun("linear probe"), begun("iCLIP"), begun("zero-shot CLIP")
    ('Linear probe', 'iCLIP', 'Zero-shot CLIP')
    """
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first == first.lower() else text
