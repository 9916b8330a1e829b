"""Results of configurations that differ in a few keys, as the rows of an ablation are."""

from pandas import DataFrame

from harness.config.values import flatten
from harness.presets.resolve import resolve
from harness.results.panels import dataset_facts, split_panels
from tests.fake_experiment import persons, row


def panel_of(*rows):
    """Return the one panel of results, with their persons."""
    (panel,) = split_panels(DataFrame(list(rows)), dataset_facts, persons(rows))
    return panel


def configured(r1=40.0, method="mine", **changes):
    """Return a row of a method whose config has these keys; `a__b` means `a.b`."""
    settings = {key.replace("__", "."): str(changes.pop(key)) for key in list(changes) if "__" in key}
    config = {"method.name": method, "dataset.name": "icfg", "method.lr": "0.1", "method.depth": "12"}
    name = f"{method} {sorted(settings.items())}"
    return row(method, r1=r1, **({"condition": name, "config": config | settings} | changes))


def of_defaults(r1, method="cskt", **settings):
    """Return a row of an installed method, as it is without any setting on a twin but for these."""
    values = flatten(resolve(method, "icfg", synthetic=True).model_dump(mode="json")) | settings
    config = {key: str(value) for key, value in values.items() if key != "seed"}
    return row(method, r1=r1, condition=str(settings), config=config)


def star_panel():
    """Return a reference with one or two changed keys; the reference is neither first nor best."""
    return panel_of(
        configured(38, method__depth=3),
        configured(41, method__depth=1),
        configured(30, method__lr=9, method__depth=20),
        configured(40),
        configured(52, method__lr=0.5),
        configured(39, method__depth=10),
    )
