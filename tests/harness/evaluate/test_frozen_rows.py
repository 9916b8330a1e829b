"""What frozen towers give, kept in memory or in files: bounded, found again, by share, and the same losses."""

from types import SimpleNamespace

import pytest
import torch

from harness.compute import distributed
from harness.compute.devices import Inference
from harness.evaluate import frozen_rows
from harness.evaluate.encoder import Encoder
from harness.evaluate.frozen_rows import Keeper, Source, Work, all_rows
from harness.record import RunFolder
from harness.run.run import run
from tests.notes import Notes

PLAIN = ("train.augment.flip=0", "train.augment.pad=0", "train.augment.erase=0")
VALUES = torch.randn(11, 3, 2)


class Computed:
    """Work that counts what it computes."""

    def __init__(self, values=VALUES):
        self.values, self.seen = values, []

    def __call__(self, places):
        self.seen += places.tolist()
        return self.values[places]

    def work(self):
        return Work(torch.arange(len(self.values)).flip(0), self, 4)


class Inputs:
    """A split's tokens and a backbone, as far as they name a file."""

    def __init__(self):
        self.weights, self.tokens, self.reads, self.normalisation = (
            torch.ones(3),
            torch.arange(12).view(6, 2),
            (0,),
            "clip",
        )

    @property
    def source(self):
        clip = SimpleNamespace(
            identity=SimpleNamespace(as_dict=lambda: {"name": "any"}),
            model=SimpleNamespace(state_dict=lambda: {"weights": self.weights}),
        )
        split = SimpleNamespace(tokens=self.tokens, images=None, dataset="icfg", name="train")
        return Source(split, "text", self.reads, clip, self.normalisation)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "frozen"


@pytest.fixture
def keep(cache, monkeypatch):
    """Return what keeps rows with a bound on memory of so many bytes, and the notes it made."""

    def make(memory, where="disk"):
        monkeypatch.setattr(frozen_rows, "MEMORY_BYTES", memory)
        notes = Notes()
        return Keeper(where, Inference(torch.device("cpu"), "no"), notes), notes.notes

    return make


def test_rows_stay_in_memory_up_to_the_bound_and_the_rest_goes_to_disk(keep, cache):
    keeper, notes = keep(VALUES.nbytes + 7)
    for n_files in (0, 1):
        computed = Computed()
        kept = keeper.keep(computed.work(), Inputs().source)
        assert torch.equal(kept[torch.tensor([10, 3, 3])], VALUES[[10, 3, 3]])
        assert len(list(cache.glob("*"))) == n_files
    assert [note.partition(" takes")[0] for note in notes] == [
        "What the frozen part of a tower gives of the captions of icfg's train split"
    ]


def test_a_file_is_found_again_and_computed_once(keep, cache):
    for n_computed in (12, 1):  # one row tells shape and type
        computed, (keeper, _) = Computed(), keep(0)
        kept = keeper.keep(computed.work(), Inputs().source)
        assert torch.equal(kept[torch.arange(11)], VALUES)
        assert len(computed.seen) == n_computed
    (file,) = cache.iterdir()
    assert file.suffix == ".rows"


def test_a_file_that_is_cut_off_is_made_anew_and_a_dead_draft_is_removed(keep, cache):
    keeper, _ = keep(0)
    keeper.keep(Computed().work(), Inputs().source)
    (file,) = cache.iterdir()
    file.write_bytes(b"short")
    (cache / ".other.rows.part").touch()
    kept = keeper.keep(Computed().work(), Inputs().source)
    assert torch.equal(kept[torch.arange(11)], VALUES)
    assert list(cache.iterdir()) == [file]


@pytest.mark.parametrize("changed", ["weights", "tokens", "reads", "normalisation", "precision", "code"])
def test_what_values_come_from_names_the_file(keep, cache, changed, monkeypatch):
    inputs, (keeper, _) = Inputs(), keep(0)
    keeper.keep(Computed().work(), inputs.source)
    if changed == "precision":
        keeper._engine = Inference(torch.device("cpu"), "bf16")
    elif changed == "code":
        monkeypatch.setattr(frozen_rows, "_code", lambda: iter([b"other"]))
    else:
        value = getattr(inputs, changed)
        setattr(inputs, changed, value * 2 if isinstance(value, torch.Tensor) else "other")
    keeper.keep(Computed().work(), inputs.source)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    ("where", "says"), [("memory", "train.keep_frozen=disk"), ("disk", "less than twice")]
)
def test_what_finds_no_room_is_computed_in_each_step_and_said(keep, cache, where, says, monkeypatch):
    monkeypatch.setattr(
        frozen_rows.shutil, "disk_usage", lambda path: SimpleNamespace(free=2 * VALUES.nbytes - 1)
    )
    keeper, notes = keep(0, where)
    assert keeper.keep(Computed().work(), Inputs().source) is None
    assert "computed in each step" in notes[0]
    assert says in notes[0]
    assert not list(cache.glob("*"))


def test_each_process_computes_its_share(monkeypatch):
    seen = []
    for rank in range(3):
        computed = Computed()
        monkeypatch.setattr(distributed, "world", lambda rank=rank: (rank, 3))
        monkeypatch.setattr(frozen_rows, "gather", lambda rows, n: VALUES.flip(0))
        assert torch.equal(all_rows(computed.work()), VALUES)
        seen += computed.seen
    assert sorted(seen) == [0, *range(11)], "padded with a repeat"


@pytest.mark.usefixtures("untracked")
@pytest.mark.parametrize("kept", [pytest.param("memory", marks=pytest.mark.slow), "disk"])
def test_a_side_network_learns_the_same_from_what_is_kept(world, twins, tmp_path, monkeypatch, cache, kept):
    monkeypatch.setattr(frozen_rows, "MEMORY_BYTES", 2**30 if kept == "memory" else 0)
    ran, plain = [], Encoder.keep

    def keep(self, split, parts, keeper):
        found = plain(self, split, parts, keeper)
        ran.append((split.name, sorted(found)))
        return found

    monkeypatch.setattr(Encoder, "keep", keep)
    histories = []
    for where in (kept, "off"):
        record = run(
            world.quick(twins, "side_network", "icfg", *PLAIN, f"train.keep_frozen={where}"), runs=tmp_path
        )
        histories.append(RunFolder(tmp_path / record.name).history())
        told, steps = record.accounting, sum(row["seconds"] for row in histories[-1])
        assert ("keep_seconds" in told) == (where != "off")
        assert told["train_seconds"] == pytest.approx(steps + told.get("keep_seconds", 0))
    assert ran == [("train", ["image", "text"]), ("val", ["image", "text"]), ("train", [])]
    assert len(list(cache.glob("*.rows"))) == {"memory": 0, "disk": 4}[kept]
    for one, other in zip(*histories, strict=True):
        assert one["train/loss"] == pytest.approx(other["train/loss"], rel=1e-6)
        assert {key: one[key] for key in one if key.startswith("val/")} == {
            key: other[key] for key in other if key.startswith("val/")
        }
