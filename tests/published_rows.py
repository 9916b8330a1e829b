"""Results on real data and published rows, to be set against each other."""

from pandas import DataFrame

from harness.config.values import flatten
from harness.presets.resolve import resolve
from harness.reporting.published.matches import counterparts, with_published
from harness.results.panels import protocol_facts, split_panels, training_facts
from harness.suites.published_tables import published_names
from tests.fake_experiment import row

ALL = counterparts(published_names())


def split(*rows, published=ALL):
    """Return the panels of results, with the published rows that stand beside them."""
    return split_panels(
        with_published(DataFrame(list(rows)), published),
        lambda one: protocol_facts(one) | training_facts(one),
    )


def panel_of(*rows, published=ALL):
    (panel,) = split(*rows, published=published)
    return panel


def real(method="cskt", dataset="cuhk", r1=60.0, presets=("released",), overrides=(), **changes):
    """Return a result on real data, with the backbone of the published ones and the config of its presets."""
    values = resolve(method, dataset, presets=presets, overrides=overrides).model_dump(mode="json")
    config = {key: str(value) for key, value in flatten(values).items() if key != "seed"}
    own = {
        "synthetic": False,
        "config": config,
        "rule": values["eval"]["rule"],
        "val": values["dataset"]["val"],
        "backbone": values["backbone"]["name"],
        "image_size": "×".join(map(str, values["backbone"]["image_size"])),
    }
    return row(method, dataset, r1=r1, **(own | changes))


def published(**changes):
    """Return a published row as `counterparts` does."""
    made = {
        "method": "Theirs",
        "condition": None,
        "counterpart": "cskt",
        "trained_on": "cuhk",
        "tested_on": "cuhk",
        "R1": 60.0,
        "R5": None,
        "R10": 71.0,
        "mAP": 50.0,
        "selection": "best epoch on the test split",
        "rule": "oracle",
        "backbone": "ViT-B/16",
        "image_size": "384×128",
        "paper": 'Who et al., "What", WHERE 2024',
        "table": "Table 2",
        "quoted_in": None,
        "link": None,
        "note": None,
        "tables": ["theirs"],
    }
    return made | changes


def named(name):
    """Return the published row of TBPS-CLIP on CUHK-PEDES that has a name and the smaller backbone."""
    wanted = (name, "ViT-B/32", "cuhk", None)
    own = ("method", "backbone", "tested_on", "condition")
    (one,) = [each for each in ALL if tuple(each[part] for part in own) == wanted]
    return one


def tbps(preset="clip_star", overrides=(), **changes):
    model = "backbone.name=ViT-B-32-quickgelu"
    return real("tbps_clip", presets=(preset,), overrides=(model, *overrides), **changes)
