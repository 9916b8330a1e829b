"""Joint training: names, what each dataset is read with, and several splits as one."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness.config.sections import DatasetConfig
from harness.data.cut_captions import Cut
from harness.data.loading import Split
from harness.data.protocols.joint import JointMaterial, JointReading, joined_split, mean_metrics, read_joint
from harness.data.protocols.joint_names import name_of, part_configs, parts_of, shares
from harness.datasets import Pairs
from harness.errors import UsageError
from harness.images.store import Images
from harness.listener import Listener
from harness.presets.resolve import resolve

SIZE = (2, 3)


def images_of(values):
    def fill(places, rows):
        for place, row in zip(places, rows, strict=True):
            row[:] = values[place]

    marks = bytes(len(values))
    return Images([Path(f"{value}.png") for value in values], SIZE, marks, fill)


def split_of(name, values, identities, owners, translated=False):
    captions = [f"{name} {place}" for place in range(len(owners))]
    back = [f"bt {text}" for text in captions] if translated else []
    laid = Pairs([f"{value}.png" for value in values], identities, captions, owners, back)
    tokens = torch.full((len(owners), 4), values[0])
    cut = Cut(1, 0, len(owners), 4)
    return Split(
        "train", name, images_of(values), torch.tensor(identities), torch.tensor(owners), tokens, laid, cut
    )


def test_a_name_is_of_datasets_in_alphabetical_order():
    assert parts_of("rstp+cuhk+icfg") == ["cuhk", "icfg", "rstp"]
    assert parts_of("cuhk") == ["cuhk"]
    config = resolve("linear_probe", "rstp+cuhk", synthetic=True).dataset
    assert (config.name, config.joined, config.val, name_of(config)) == ("cuhk", "rstp", "own", "cuhk+rstp")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuhk+nix", "Unknown dataset 'nix'"),
        ("cuhk+", "Unknown dataset ''"),
        ("cuhk+icfg+cuhk", "names cuhk twice"),
        ("cuhk+ufine3c", "ufine3c has no training split"),
    ],
)
def test_what_cannot_be_joined_is_refused(name, message):
    with pytest.raises(UsageError, match=message):
        parts_of(name)


def test_each_dataset_validates_in_its_own_way_unless_one_way_is_asked_of_all():
    own = DatasetConfig(name="cuhk", joined="icfg+rstp")
    assert [(one.name, one.val, one.joined) for one in part_configs(own)] == [
        ("cuhk", "own", None),
        ("icfg", "holdout", None),
        ("rstp", "own", None),
    ]
    none = own.model_copy(update={"val": "none"})
    assert {one.val for one in part_configs(none)} == {"none"}
    alone = DatasetConfig(name="icfg", val="own")
    assert part_configs(alone) == [alone]


def test_the_longest_captions_decide_how_many_tokens_there_are():
    assert (
        resolve("zero_shot", "cuhk+ufine").backbone.text_length
        == resolve("zero_shot", "ufine").backbone.text_length
    )


@pytest.mark.parametrize(
    ("mixture", "expected"),
    [
        ("size", None),
        ("equal", {"cuhk": 0.5, "icfg": 0.5}),
        ("icfg=1, cuhk=3", {"cuhk": 0.75, "icfg": 0.25}),
        ("icfg=0.5,cuhk=1.5", {"cuhk": 0.75, "icfg": 0.25}),
    ],
)
def test_a_mixture_gives_each_dataset_its_share(mixture, expected):
    assert shares(DatasetConfig(name="cuhk", joined="icfg", mixture=mixture)) == expected


@pytest.mark.parametrize(
    "mixture",
    [
        "",
        "cuhk=1",
        "cuhk=1,icfg=0",
        "cuhk=1,icfg=-1",
        "cuhk=1,icfg=1,rstp=1",
        "2:1",
        "cuhk=1,cuhk=2",
        "cuhk=1,icfg=1e9",
    ],
)
def test_a_mixture_of_other_datasets_is_refused_before_anything_starts(mixture):
    with pytest.raises(UsageError, match="number above 0 for each of cuhk, icfg, such as cuhk=1,icfg=2"):
        resolve("linear_probe", "cuhk+icfg", overrides=[f'dataset.mixture="{mixture}"'])


@pytest.mark.parametrize("setting", ["few_shot_persons=3", "noise=0.5", "noise_file=a.npy"])
def test_what_is_about_one_dataset_is_refused_of_several(setting):
    with pytest.raises(UsageError, match="are about one dataset, and several are joined"):
        resolve("linear_probe", "cuhk+icfg", overrides=[f"dataset.{setting}"])
    with pytest.raises(UsageError, match="mixture is about several datasets, and there is one"):
        resolve("linear_probe", "cuhk", overrides=["dataset.mixture=equal"])


def test_lines_on_several_datasets_bear_their_names():
    readings = [
        SimpleNamespace(dataset=SimpleNamespace(name=name), faults=[f"a fault of {name}"], notes=[])
        for name in ("cuhk", "icfg")
    ]
    assert JointReading(*readings[:1]).lines("faults") == ["a fault of cuhk"]
    joint = JointReading(readings[0], tuple(readings[1:]))
    assert joint.lines("faults") == ["cuhk: a fault of cuhk", "icfg: a fault of icfg"]
    assert joint.lines("notes") == []


def test_several_splits_are_one_whose_persons_are_never_those_of_another():
    parts = [
        split_of("a", [10, 11, 12], [7, 7, 3], [0, 1, 1, 2]),
        split_of("b", [20, 21], [3, 7], [1, 0], translated=True),
    ]
    joint = joined_split(parts)
    found = []
    for caption, owner in enumerate(joint.owners.tolist()):
        pixel = int(joint.images.read([owner])[0, 0, 0, 0])
        found.append((joint.pairs.captions[caption], pixel, int(joint.identities[owner])))
    persons = {}
    expected = []
    for part in parts:
        for caption, owner in enumerate(part.owners.tolist()):
            person = (part.dataset, int(part.identities[owner]))
            pixel = int(part.images.read([owner])[0, 0, 0, 0])
            expected.append((part.pairs.captions[caption], pixel, person))
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    for row, (_, _, person) in zip(found, expected, strict=True):
        assert persons.setdefault(person, row[2]) == row[2]
    assert len(set(persons.values())) == len(persons) == 4
    assert joint.counts == (4, 5, 6)
    assert joint.pairs.identities == joint.identities.tolist()
    assert joint.pairs.owners == joint.owners.tolist()
    assert joint.pairs.captions_bt == ["", "", "", "", "bt b 0", "bt b 1"]
    assert joint.tokens[:, 0].tolist() == [10] * 4 + [20] * 2
    assert (joint.dataset, joint.cut) == ("a+b", Cut(2, 0, 6, 4))
    assert joint.images.read(torch.tensor([4, 0, 3]))[:, 0, 0, 0].tolist() == [21, 10, 20]
    assert joined_split(parts[:1]) is parts[0]


def test_validation_is_the_mean_over_datasets_whatever_their_sizes():
    found = mean_metrics({"a": {"t2i/R1": 10.0, "Rsum": 1.0}, "b": {"t2i/R1": 20.0, "Rsum": 2.0}})
    assert (found["t2i/R1"], found["Rsum"]) == (15.0, 1.5)
    assert (found["a/t2i/R1"], found["b/Rsum"]) == (10.0, 2.0)
    assert mean_metrics({"a": {"t2i/R1": 10.0}}) == {"t2i/R1": 10.0}


def test_all_datasets_are_read_and_counted_and_told_apart(world, twins, tmp_path):
    data = world.make_twins(tmp_path, ("icfg", "rstp"))
    config = resolve("linear_probe", "icfg+rstp", synthetic=True, overrides=[f"dataset.root={data}"]).dataset
    reading = read_joint(config, Listener())
    alone = [read_joint(one, Listener()).own for one in part_configs(config)]
    assert [one.fingerprint for one in reading.all] == [one.fingerprint for one in alone]
    assert reading.counts == tuple(
        sum(column) for column in zip(*(one.train_counts for one in alone), strict=True)
    )
    assert reading.parts["rstp"]["fingerprint"] == alone[1].fingerprint
    assert reading.parts["rstp"]["pictures"] == alone[1].pictures
    assert read_joint(part_configs(config)[0], Listener()).parts == {}


def test_sizes_are_those_of_the_training_splits():
    train = [SimpleNamespace(train=SimpleNamespace(owners=range(n))) for n in (4, 2)]
    assert JointMaterial(None, tuple(train)).sizes == (4, 2)
