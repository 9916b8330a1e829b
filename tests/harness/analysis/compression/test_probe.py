"""The probe of a run's modules: its two measures, its shortcut against the naive way, what it keeps, and its errors."""

import copy
import gc
import json
import shutil
import weakref
from functools import partial
from types import SimpleNamespace

import open_clip
import pytest
import torch
from click.testing import CliRunner
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from torch.nn.functional import pad

from harness.analysis.compression import probe as compression_module
from harness.analysis.compression.layer_probes import Probe, SplitProbe, Tally
from harness.analysis.compression.measured_points import FILE, Points, measure, modules
from harness.analysis.compression.measures import (
    chosen_layers,
    contradicted,
    contributions,
    criticality,
    least_important,
    next_points,
    notes,
)
from harness.analysis.compression.partial_towers import PARTS, TOWERS, Blend, Module, PartialTower
from harness.analysis.compression.probe import probe_compression, start_of
from harness.analysis.compression.published import published
from harness.cli.main import cli
from harness.clip.towers.choice import image_tower, text_tower
from harness.clip.towers.plain import PlainText
from harness.compute.devices import Inference
from harness.compute.transfer import Transfers
from harness.data.loading import open_test
from harness.data.reading import read_dataset
from harness.errors import DataError, UsageError
from harness.evaluate.encoder import Encoder, evaluate
from harness.evaluate.ranking import rank_by, rank_queries, summary
from harness.files import read_json
from harness.inference.model import Trained
from harness.listener import Listener
from harness.record import COMPRESSION, RunFolder
from harness.run.resume import sync_runs
from harness.run.run import run
from harness.track.mlflow_store import Store

VISION = {"width": 16, "head_width": 8, "patch_size": 8, "image_size": (16, 16)}
TEXT = {"context_length": 12, "vocab_size": 60, "width": 16, "heads": 2}
SILENT = Listener()


def searched(curve):
    """Search a curve of whether each hundredth suffices; return what is found and what was tried."""
    known = {100: True}
    tried = []
    while wanted := next_points({} if not tried else known):
        tried += wanted
        known |= {point: bool(curve[point]) for point in wanted}
    assert len(tried) == len(set(tried))
    return known, tried


@pytest.mark.parametrize("smallest", [0, 1, 2, 49, 50, 51, 73, 98, 99, 100])
def test_the_search_finds_the_smallest_share_of_a_rising_curve_in_nine_tries(smallest):
    known, tried = searched([point >= smallest for point in range(101)])
    assert criticality(known) == smallest / 100
    assert len(tried) <= 9
    assert not contradicted(known)


def test_where_a_neighbour_contradicts_the_search_nothing_is_assumed():
    generator = torch.Generator().manual_seed(0)
    n_contradicted = 0
    for _ in range(200):
        curve = (torch.rand(101, generator=generator) < 0.5).tolist()
        curve[0], curve[100] = False, True
        known, _ = searched(curve)
        if contradicted(known):
            n_contradicted += 1
            assert criticality(known) == next(p for p in range(101) if curve[p]) / 100
    assert n_contradicted > 50


def test_removal_is_relative_to_the_largest_loss_and_cut_only_where_asked():
    drops = {"a": 40.0, "b": 10.0, "c": -3.0}
    assert contributions(drops) == {"a": 1.0, "b": 0.25, "c": 0.0}
    assert contributions(drops, clip=20) == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert contributions({"a": -1.0, "b": 0.0}) == {"a": 0.0, "b": 0.0}


def test_the_published_heat_maps_give_the_published_layers():
    found = published()["modules"]
    assert len(found) == 2 * 12 * 3
    whole = [row for row in found if (row["tower"], row["part"]) == ("text", "Whole")]
    c1, c2 = ({row["layer"]: row[name] for row in whole} for name in ("C1", "C2"))
    assert least_important(c1, c2, 5) == [7, 8, 3, 5, 6]
    assert [layers for _, layers in chosen_layers(least_important(c1, c2, 5))] == [
        [7],
        [7, 8],
        [3, 7, 8],
        [3, 5, 7, 8],
        [3, 5, 6, 7, 8],
    ]


def test_a_tie_goes_to_the_lower_layer_whatever_floats_make_of_the_sum():
    assert least_important({3: 0.1, 2: 0.3, 1: 1.0}, {3: 0.2, 2: 0.0, 1: 0.0}, 2) == [2, 3]


@pytest.mark.parametrize("parts", [1, 3])
def test_the_tally_is_recall_at_1_with_ties_and_what_is_no_number_against_the_model(parts):
    generator = torch.Generator().manual_seed(3)
    scores = torch.randint(-20, 20, (40, 30), generator=generator).float()
    scores[0, 5], scores[1] = torch.nan, torch.nan
    identities, gallery = torch.arange(40) % 10, torch.arange(30) % 10
    same = identities[:, None] == gallery
    expected = summary(rank_by(lambda rows: scores[rows], identities, gallery))["R1"]
    assert 0 < expected < 60
    by_query, by_gallery = (Tally(1, 40, torch.device("cpu")) for _ in range(2))
    for rows in torch.arange(40).chunk(parts):
        by_query.add(0, scores[rows], same[rows], rows)
    for columns in torch.arange(30).chunk(parts):
        by_gallery.add(0, scores[:, columns], same[:, columns], slice(None))
    assert by_query.recall() == by_gallery.recall() == [pytest.approx(expected)]


def clip_of(layers=3):
    torch.manual_seed(0)
    made = CLIP(16, CLIPVisionCfg(layers=layers, **VISION), CLIPTextCfg(layers=layers, **TEXT)).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.normal_(mean=float(parameter.dim() < 2 and "weight" in name), std=0.3)
    return made


def method_of(model):
    clip = SimpleNamespace(
        cut=lambda tokens: tokens[:, : int(tokens.argmax(dim=1).max()) + 1],
        towers={"image": image_tower(model), "text": text_tower(model)},
    )
    return SimpleNamespace(
        clip=clip,
        text_injection=None,
        image_injection=None,
        head_text=lambda rows: rows,
        head_image=lambda rows: rows,
        encode_image=model.encode_image,
        encode_text=lambda tokens: model.encode_text(
            pad(tokens, (0, model.context_length - tokens.shape[1]))
        ),
        eval=model.eval,
    )


def split_of(model, n=40):
    """Return captions and images of which the model as it is answers every query right."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 255, (n, 3, 16, 16), generator=generator)
    tokens = torch.zeros(2 * n, 12, dtype=torch.long)
    for row in tokens:
        end = int(torch.randint(2, 12, (1,), generator=generator))
        row[:end], row[end] = torch.randint(1, 50, (end,), generator=generator), 59
    image, text = embeddings(model, pixels, tokens)
    owners, identities = (text @ image.T).argmax(dim=1), torch.arange(n)
    return SimpleNamespace(
        dataset="any",
        name="val",
        images=Store8(pixels),
        tokens=tokens,
        owners=owners,
        identities=identities,
        caption_identities=identities[owners],
    )


@torch.no_grad()
def embeddings(model, pixels, tokens):
    """Return what open_clip's own forward makes of images and captions."""
    found = model.encode_image(Pixels().normalise(pixels)), model.encode_text(tokens)
    return tuple(torch.nn.functional.normalize(rows, dim=-1) for rows in found)


class Store8:
    """Images as a split has them."""

    def __init__(self, pixels):
        self.pixels, self.size = pixels, tuple(pixels.shape[2:])

    def __len__(self):
        return len(self.pixels)

    def read(self, rows, out=None):
        return self.pixels[rows]


class Pixels:
    """What makes pixels of images."""

    def normalise(self, pixels):
        return pixels.float() / 100 - 1


def probe_of(model, start=None, batch_size=16, n=40):
    split = split_of(model, n)
    own = {"text": model.transformer.resblocks, "image": model.visual.transformer.resblocks}
    start = start or {name: [{} for _ in blocks] for name, blocks in own.items()}
    return SplitProbe(encoder_of(model, batch_size), split, start)


def encoder_of(model, batch_size):
    encoder = object.__new__(Encoder)
    encoder.method, encoder.pixels = method_of(model), Pixels()
    encoder.engine = Inference(torch.device("cpu"), "no")
    encoder._kept = {}
    encoder.batch_size, encoder._transfers = batch_size, Transfers(encoder.engine.device)
    return encoder


def naive_recall(model, split):
    """Return R@1 from open_clip's own forward of everything."""
    image, text = embeddings(model, split.images.pixels, split.tokens)
    return summary(rank_queries(text, image, split.caption_identities, split.identities))["R1"]


def block_of(model, module):
    tower = model.transformer if module.tower == "text" else model.visual.transformer
    return tower.resblocks[module.layer - 1]


@torch.no_grad()
def without(model, module):
    """Return a copy whose module adds nothing to the stream."""
    made = copy.deepcopy(model)
    block = block_of(made, module)
    for part, last in (("SA", block.attn.out_proj), ("FF", block.mlp.c_proj)):
        if module.part in (part, "Whole"):
            last.weight.zero_()
            last.bias.zero_()
    return made


def mixed(model, first, module, share):
    """Return a copy of which the module's weights are partly set back."""
    made = copy.deepcopy(model)
    ends = dict(block_of(model, module).named_parameters())
    with torch.no_grad():
        for name, p in block_of(made, module).named_parameters():
            if module.part == "Whole" or (module.part == "SA") == (name.split(".")[0] in ("ln_1", "attn")):
                begin = dict(block_of(first, module).named_parameters())[name]
                p.copy_((1 - share) * begin + share * ends[name])
    return made


def all_modules(layers=3):
    return [
        Module(tower, layer, part) for tower in TOWERS for layer in range(1, layers + 1) for part in PARTS
    ]


@pytest.mark.parametrize("batch_size", [7, 1000])
def test_without_each_module_the_shortcut_equals_full_passes_with_the_module_silenced(batch_size):
    model = clip_of()
    probe = probe_of(model, batch_size=batch_size)
    whole = naive_recall(model, probe.split)
    assert probe.recall() == pytest.approx(whole)
    found = {}
    for tower in TOWERS:
        probes = [Probe(module) for module in all_modules() if module.tower == tower]
        found |= dict(zip(probes, probe.measure(tower, probes, lambda *_: None), strict=True))
    naive = {one: naive_recall(without(model, one.module), probe.split) for one in found}
    assert found == pytest.approx(naive)
    assert len({round(value, 3) for value in naive.values()} | {round(whole, 3)}) > 8


def started(model, seed=7):
    """Return the model before a training that reached all blocks, and what a probe is told of it."""
    first = copy.deepcopy(model)
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in first.parameters():
            p.add_(torch.randn_like(p) * 0.5)
    towers = {"text": first.transformer, "image": first.visual.transformer}
    return first, {
        name: [dict(block.named_parameters()) for block in t.resblocks] for name, t in towers.items()
    }


@pytest.mark.slow
def test_with_less_of_its_training_the_shortcut_equals_full_passes_with_the_module_set_back():
    model = clip_of()
    first, start = started(model)
    probe = probe_of(model, start)
    before = {name: p.clone() for name, p in model.named_parameters()}
    naive, found = {}, {}
    for tower in TOWERS:
        probes = [Probe(m, kept) for m in all_modules() if m.tower == tower for kept in (0, 30, 77)]
        found |= dict(zip(probes, probe.measure(tower, probes, lambda *_: None), strict=True))
        naive |= {
            one: naive_recall(mixed(model, first, one.module, one.kept / 100), probe.split) for one in probes
        }
    assert found == pytest.approx(naive)
    assert len({round(value, 3) for value in naive.values()}) > 10
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_all_of_the_training_is_the_trained_module_and_none_is_its_start():
    model = clip_of(1)
    first, start = started(model)
    blend = Blend(text_tower(model), start["text"])
    module = Module("text", 1, "Whole")
    for share, expected in ((1.0, model), (0.0, first)):
        pairs = zip(
            blend(module, share).parameters(), expected.transformer.resblocks[0].parameters(), strict=True
        )
        assert all(torch.equal(one, other) for one, other in pairs)


def test_what_was_not_trained_of_a_layer_stays_as_it_is():
    model = clip_of(1)
    blend = Blend(text_tower(model), [{"mlp.c_fc.bias": torch.zeros(64)}])
    assert [blend.moves(Module("text", 1, part)) for part in PARTS] == [False, True, True]
    made = dict(blend(Module("text", 1, "Whole"), 0.0).named_parameters())
    for name, p in model.transformer.resblocks[0].named_parameters():
        assert torch.equal(made[name], torch.zeros(64) if name == "mlp.c_fc.bias" else p), name


def test_removing_all_modules_of_two_towers_of_twelve_layers_costs_little_more_than_half(tmp_path):
    probe = probe_of(clip_of(12), n=16, batch_size=5)
    points = Points(RunFolder(tmp_path), "val", {})
    points.begin(probe.recall(), probe.layer_forwards)
    measure(probe, points, 3.0, SILENT)
    naive = 72 * 12
    assert probe.layer_forwards == points.passed == 2 * (12 + 12 * 0.5 + 11.5 + 66 * 3)
    assert points.passed <= 0.55 * naive
    assert points.naive == naive + 24


@pytest.mark.slow
def test_the_search_over_a_probe_finds_what_a_full_scan_finds(tmp_path):
    model = clip_of(2)
    _, start = started(model)
    probe = probe_of(model, start)
    points = Points(RunFolder(tmp_path), "val", {})
    points.begin(probe.recall(), 0)
    measure(probe, points, 3.0, SILENT)
    found = {m: criticality(points.within(m, 3.0)) for m in modules(probe)}
    assert 0 < sum(found.values()) < len(found)
    for module, c2 in found.items():
        tried = [Probe(module, kept) for kept in range(100)]
        values = probe.measure(module.tower, tried, lambda *_: None)
        enough = [kept for kept, value in enumerate(values) if points.recall - value < 3.0] + [100]
        known = points.within(module, 3.0)
        at = round(100 * c2)
        assert at in enough
        assert at == 0 or not known[at - 1]
        if contradicted(known):
            assert at == enough[0]


def test_partial_towers_equal_open_clip_and_count_what_they_pass():
    model = clip_of()
    split = split_of(model)
    for whole, inputs, encode in (
        (text_tower(model), split.tokens, model.encode_text),
        (image_tower(model), Pixels().normalise(split.images.pixels), model.encode_image),
    ):
        tower = PartialTower(whole, None)
        with torch.no_grad():
            x, ends = tower.begin(inputs)
            torch.testing.assert_close(tower.finish(tower.onward(0, x), ends), encode(inputs))
        assert tower.passed == 2 * 3 * len(inputs)


@pytest.fixture(scope="module")
def tuned(world, twins, tmp_path_factory):
    """Return a folder with a quick tracked run of which all weights were trained, and its record."""
    root = tmp_path_factory.mktemp("tuned")
    lively = (
        "backbone.pretrained=shapes",
        "backbone.image_size=[96,32]",
        "method.lr=1e-3",
        "method.warmup_epochs=0",
    )
    return root, run(world.quick(twins, "full_finetune", "icfg", *lively), runs=root)


def fresh(tuned, tmp_path):
    """Return a copy of the run that nothing was measured of, out of the store's sight."""
    root, record = tuned
    target = tmp_path / record.name
    shutil.copytree(root / record.name, target, ignore=shutil.ignore_patterns("compression*"))
    made = RunFolder(target).read()
    made.tracking = {"synced": False}
    RunFolder(target).write(made)
    return target


class Heard(Listener):
    def __init__(self, stop_after=None):
        self.stages, self.notes, self.stop_after = [], [], stop_after

    def on_stage(self, text):
        if len(self.measured) == self.stop_after:
            raise KeyboardInterrupt
        self.stages.append(text)

    def on_note(self, text):
        self.notes.append(text)

    @property
    def measured(self):
        return [stage for stage in self.stages if "values of R@1" in stage]


def test_a_run_is_probed_kept_sent_to_mlflow_and_shown_again(tuned):
    root, record = tuned
    found = probe_compression(record.name, runs=root)
    folder = RunFolder(root / record.name)
    assert found == read_json(folder.file(COMPRESSION))
    assert [row["layer"] for row in found["modules"] if row["part"] == "Whole"] == [1, 2, 3, 1, 2, 3, 4]
    assert all(0 <= row[name] <= 1 for row in found["modules"] for name in ("C1", "C2"))
    assert all(row["trained"] for row in found["modules"])
    assert max(row["C1"] for row in found["modules"]) == 1
    assert found["R1"] == pytest.approx(record.selection["val/t2i/R1"])
    heard = Heard()
    assert probe_compression(record.name, runs=root, listener=heard) == found
    assert not heard.measured
    assert "shown, not repeated" in heard.notes[0]
    store = Store(root)
    run_id = folder.read().tracking["run_id"]
    assert COMPRESSION in {file.path for file in store.client.list_artifacts(run_id)}
    (sent,) = root.rglob(f"artifacts/{COMPRESSION}")
    sent.unlink()
    probe_compression(record.name, runs=root)
    assert sent.is_file(), "a probe that was interrupted before it sent its result sends it the next time"
    sync_runs(root, everything=True)
    run_id = folder.read().tracking["run_id"]
    assert COMPRESSION in {file.path for file in store.client.list_artifacts(run_id)}


@pytest.mark.slow
def test_an_interrupted_probe_goes_on_and_another_epsilon_measures_only_what_is_new(tuned, tmp_path):
    target = fresh(tuned, tmp_path)
    probe = partial(probe_compression, str(target), split="test")
    broken, rest, again, other = Heard(stop_after=4), Heard(), Heard(), Heard()
    with pytest.raises(KeyboardInterrupt):
        probe(epsilon=0.5, listener=broken)
    assert not (target / COMPRESSION).exists()
    found = probe(epsilon=0.5, listener=rest)
    whole = probe(epsilon=0.5, listener=again, force=True)
    assert len(broken.measured) == 4
    assert broken.measured + rest.measured == again.measured
    keep = ("modules", "R1", "least_important")
    assert {name: whole[name] for name in keep} == {name: found[name] for name in keep}
    looser = probe(epsilon=100, clip=1, listener=other)
    assert not other.measured
    assert all(row["C2"] == 0 for row in looser["modules"])
    assert {row["C1"] for row in looser["modules"]} == {0.0, 1.0}


@pytest.mark.slow
def test_the_test_split_is_a_result_of_its_own(tuned, tmp_path):
    target = fresh(tuned, tmp_path)
    _, record = tuned
    found = probe_compression(str(target), split="test", epsilon=100)
    assert found["split"] == "test"
    assert found["R1"] == pytest.approx(record.metrics["test/icfg/t2i/R1"])
    assert set(read_json(target / FILE)) == {"test"}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cskt", "linear_probe", "zero_shot", "prompt_only"])
def test_methods_that_leave_the_layers_as_they_are_have_no_criticality(
    world, twins, tmp_path, untracked, method
):
    record = run(world.quick(twins, method, "icfg", "backbone.image_size=[96,32]"), runs=tmp_path)
    found = probe_compression(record.name, runs=tmp_path, split="test")
    assert found["R1"] == pytest.approx(record.metrics["test/icfg/t2i/R1"])
    assert not any(row["trained"] or row["C2"] for row in found["modules"])
    assert any(row["drop"] for row in found["modules"])
    assert "C² is 0 by definition" in " ".join(notes(found))


@pytest.mark.slow
def test_layers_left_out_do_not_count_and_frozen_ones_have_no_criticality(world, twins, tmp_path, untracked):
    changes = ("method.drop_text_layers=[1]", "method.freeze_text_layers=[2]", "train.batch_size=64")
    changes += ("backbone.name=tiny",)
    record = run(world.quick(twins, "tbps_clip", "icfg", *changes), runs=tmp_path)
    found = probe_compression(record.name, runs=tmp_path, split="test", epsilon=0.5)
    assert found["R1"] == pytest.approx(record.metrics["test/icfg/t2i/R1"])
    trained = {(row["tower"], row["layer"]): row["trained"] for row in found["modules"]}
    assert {layer: trained["text", layer] for tower, layer in trained if tower == "text"} == {
        1: True,
        2: False,
    }
    assert all(trained["image", layer] for layer in (1, 2, 3, 4))
    said = " ".join(notes(found))
    assert "left out text layers 1" in said
    assert "C² of 3 of 18 modules is 0 by definition" in said


@pytest.mark.slow
def test_the_start_of_a_run_that_took_another_ones_towers_are_those_towers(tuned, world, twins):
    root, record = tuned
    changes = (f"backbone.init_from={record.name}", "method.lr=1e-3", "seed=5", "backbone.name=tiny")
    later = run(world.quick(twins, "full_finetune", "icfg", *changes), runs=root)
    first, then = (Trained(RunFolder(root / made.name)) for made in (record, later))
    weights = dict(first.method.clip.model.transformer.resblocks[0].named_parameters())
    start = start_of(then)["text"][0]
    assert start.keys() == weights.keys()
    assert all(torch.equal(start[name], p) for name, p in weights.items())


def silenced(method, module):
    """Return a copy of a method with prompts and adapters whose module adds nothing to the stream."""
    made = copy.deepcopy(method)
    injection = made.text_injection if module.tower == "text" else made.image_injection
    block = block_of(made.clip.model, module)
    mlp = [block.mlp.c_proj, injection.adapters.layers[module.layer - 1].up]
    last = {"SA": [block.attn.out_proj], "FF": mlp, "Whole": [block.attn.out_proj, *mlp]}
    with torch.no_grad():
        for linear in last[module.part]:
            linear.weight.zero_()
            linear.bias.zero_()
    return made


@pytest.mark.slow
def test_what_stands_beside_an_mlp_goes_with_it_and_prompts_stay(world, twins, tmp_path, untracked):
    lively = ("backbone.pretrained=shapes", "backbone.image_size=[96,32]", "method.image_scale=4")
    record = run(world.quick(twins, "cskt", "icfg", *lively), runs=tmp_path)
    found = probe_compression(record.name, runs=tmp_path, split="test")
    trained = Trained(RunFolder(tmp_path / record.name))
    config = trained.config
    reading = read_dataset(config.dataset, SILENT)
    split, _ = open_test(reading, config.dataset, config.backbone, trained.method.clip.tokenize, SILENT)
    for row in found["modules"]:
        module = Module(row["tower"], row["layer"], row["part"])
        method = silenced(trained.method, module)
        naive, _ = evaluate(Encoder(method, config, trained.engine), split)
        assert found["R1"] - row["drop"] == pytest.approx(naive.metrics["t2i/R1"]), module
    assert len({round(row["drop"], 3) for row in found["modules"]}) > 6


@pytest.mark.slow
def test_of_a_batch_only_the_way_so_far_and_the_probe_under_way_are_kept(monkeypatch):
    probe = probe_of(clip_of(12), n=5)
    real, made, alive = PartialTower.feed, [], []

    def watched(tower, layer, u, block=None):
        if len(made) % 11 == 0:
            gc.collect()  # what is in cycles is kept by nobody
            kept = [stream for reference in made if (stream := reference()) is not None]
            alive.append(len({stream.data_ptr() for stream in kept}))
        stream = real(tower, layer, u, block)
        made.append(weakref.ref(stream))
        return stream

    monkeypatch.setattr(PartialTower, "feed", watched)
    probes = [Probe(Module("image", layer, part)) for layer in range(1, 13) for part in PARTS]
    probe.measure("image", probes, lambda *_: None)
    assert len(made) == 11 + 12 + 3 * 66
    assert 1 <= max(alive) <= 5, (
        "three, and one or two that something else looks at; kept, they are 12 and more"
    )


def test_the_start_is_the_backbone_as_it_was_loaded(tuned):
    root, record = tuned
    trained = Trained(RunFolder(root / record.name))
    from harness.clip.model import load_clip

    loaded = load_clip(trained.config.backbone, seed=trained.config.seed).model
    start = start_of(trained)
    for name, blocks in (
        ("text", loaded.transformer.resblocks),
        ("image", loaded.visual.transformer.resblocks),
    ):
        for found, block in zip(start[name], blocks, strict=True):
            assert found.keys() == dict(block.named_parameters()).keys()
            assert all(torch.equal(found[key], p) for key, p in block.named_parameters())


def test_wrong_use_is_one_message_that_names_the_mend(tuned, tmp_path, monkeypatch):
    root, record = tuned
    for options, said in (
        ({"epsilon": 0}, "--epsilon is a number of points"),
        ({"epsilon": float("nan")}, "but got nan"),
        ({"clip": -1.0}, "--clip is a number of points"),
        ({"split": "tests"}, "Did you mean 'test'"),
    ):
        with pytest.raises(UsageError, match=said):
            probe_compression(record.name, runs=root, **options)
    with pytest.raises(UsageError, match="Did you mean"):
        probe_compression(record.name[:-2] + "zz", runs=root)
    target = fresh(tuned, tmp_path)
    for change, error, said in (
        ({"status": "interrupted"}, UsageError, "harness runs resume"),
        ({"status": "finished", "pictures": {"train": "other"}}, DataError, "is not what .* was trained on"),
        ({"pictures": {}, "fingerprint": "other"}, DataError, "is not what .* was trained on"),
    ):
        (target / "record.json").write_text(json.dumps(read_json(target / "record.json") | change))
        with pytest.raises(error, match=said):
            probe_compression(str(target))


def test_a_run_without_validation_names_the_test_split(tuned, tmp_path):
    target = fresh(tuned, tmp_path)
    record = read_json(target / "record.json")
    record["config"]["dataset"]["val"] = "none"
    record["pictures"] = {}
    record["config"]["eval"]["rule"] = "last"
    (target / "record.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="--split test looks at the test split"):
        probe_compression(str(target))


def test_towers_that_are_no_plain_transformers_and_ways_of_a_methods_own_are_refused(tuned, monkeypatch):
    root, record = tuned
    real = compression_module.Trained

    def ungainly(folder, device):
        made = real(folder, device=device)
        made.method.clip.injectable = False
        return made

    monkeypatch.setattr(compression_module, "Trained", ungainly)
    with pytest.raises(UsageError, match="no two plain transformers"):
        probe_compression(record.name, runs=root, force=True)

    def wayward(folder, device):
        made = real(folder, device=device)
        own = type(made.method)
        made.method.__class__ = type(
            "Own", (own,), {"encode_text": lambda self, tokens: tokens, "name": "own"}
        )
        return made

    monkeypatch.setattr(compression_module, "Trained", wayward)
    with pytest.raises(UsageError, match="its own way through the towers"):
        probe_compression(record.name, runs=root, force=True)


@pytest.mark.slow
def test_the_command_prints_tables_and_settings_and_json(tuned, tmp_path):
    target = fresh(tuned, tmp_path)
    called = CliRunner().invoke(cli, ["-q", "probe", "compression", str(target), "--clip", "5"], obj={})
    assert called.exit_code == 0, called.output
    for part in (
        "SYNTHETIC TWIN",
        "C¹ Whole",
        "text tower",
        "image tower",
        "losses cut at 5 points (unpublished)",
        "--set 'method.freeze_text_layers=[",
        "--set 'method.drop_text_layers=[",
        "harness report compression",
    ):
        assert part in called.output, part
    called = CliRunner().invoke(cli, ["probe", "compression", str(target), "--clip", "5", "--json"], obj={})
    assert json.loads(called.stdout) == read_json(target / COMPRESSION)


def test_open_clip_blocks_hold_no_other_weights_than_those_of_the_two_sublayers():
    block = open_clip.transformer.ResidualAttentionBlock(16, 2, ls_init_value=0.1)
    names = dict(block.named_parameters())
    begins = PlainText.attention_names
    attention = {name for name in names if Module("text", 1, "SA").holds(name, begins)}
    mlp = {name for name in names if Module("text", 1, "FF").holds(name, begins)}
    assert {name.split(".")[0] for name in attention} == {"ln_1", "attn", "ls_1"}
    assert {name.split(".")[0] for name in mlp} == {"ln_2", "mlp", "ls_2"}
