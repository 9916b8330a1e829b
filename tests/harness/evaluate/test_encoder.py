"""One way to embed: the test, a loaded run, its search and the probe of its layers give the same embeddings."""

from contextlib import nullcontext
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from harness.analysis.compression.layer_probes import SplitProbe
from harness.analysis.compression.probe import start_of
from harness.clip.injection.weight_changes import LowRank
from harness.clip.model import load_clip
from harness.compute.devices import inference
from harness.conformance.bench import shake
from harness.data.annotations import image_files
from harness.data.loading import open_test
from harness.data.reading import read_dataset
from harness.errors import HarnessError
from harness.evaluate.encoder import Encoder, evaluate
from harness.inference.gallery import find_images, open_gallery
from harness.inference.model import Trained
from harness.listener import Listener
from harness.methods import METHODS
from harness.record import WEIGHTS, RunFolder
from harness.run.job import build_method
from harness.run.run import run
from harness.train.cost import inference_flops

METHODS_SEEN = ("cskt", "linear_probe", "zero_shot")
# Rows come in other batches than in the test, so a last bit of the type that is computed in may differ.
ROUNDING = {"fp32": 2e-6, "bf16": 1e-2}


QUICK = [("cskt", "fp32"), ("linear_probe", "bf16")]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(pair, marks=() if pair in QUICK else pytest.mark.slow, id="-".join(pair))
        for pair in product(METHODS_SEEN, ROUNDING)
    ],
)
def finished(request, world, twins, tmp_path_factory):
    """Return the folder of a run of each kind, which no test changes."""
    method, precision = request.param
    config = world.quick(twins, method, "icfg", f"train.precision={precision}", "backbone.pretrained=shapes")
    root = tmp_path_factory.mktemp("finished")
    with world.untracked():
        return RunFolder(root / run(config, runs=root).name)


@pytest.fixture
def trained(finished):
    return Trained(finished, device="cpu")


@pytest.fixture
def test_split(trained):
    reading = read_dataset(trained.config.dataset, Listener())
    backbone = trained.config.backbone
    split, _ = open_test(reading, trained.config.dataset, backbone, trained.method.clip.tokenize, Listener())
    samples = [sample for sample in reading.samples if sample.split == "test"]
    return split, image_files(reading.dataset, reading.root, samples)


def test_what_embeds_is_in_evaluation_mode_whatever_it_was_in(trained, test_split):
    encoder, (split, _) = trained.encoder, test_split
    for embed in (
        lambda: encoder.encode_pixels(split.images.read([0])),
        lambda: encoder.encode_tokens(split.tokens[:1]),
        lambda: encoder.encode(split),
    ):
        encoder.method.train()
        embed()
        assert not any(part.training for part in encoder.method.modules())


def test_a_loaded_run_its_search_and_the_probe_embed_as_the_test_did(trained, test_split, tmp_path):
    split, files = test_split
    precision = trained.config.train.precision
    evaluation, tested = evaluate(trained.encoder, split)
    own = {name.removeprefix("test/icfg/"): value for name, value in trained.record.metrics.items()}
    assert evaluation.metrics == own, "a loaded run is what was tested, folding and precision included"

    image, text = trained.encode_image(files), trained.encode_text(split.pairs.captions)
    assert (image - tested.image).abs().max() <= ROUNDING[precision]
    assert (text - tested.text).abs().max() <= ROUNDING[precision]

    folder = next(parent for parent in files[0].parents if parent.name == "imgs")
    gallery = open_gallery(trained, [file for file in find_images(folder) if file in set(files)], folder)
    places = {file: place for place, file in enumerate(files)}
    rows = torch.tensor([places[file] for file in gallery.files])
    assert (gallery.embeddings - tested.image[rows]).abs().max() <= ROUNDING[precision]

    probe = SplitProbe(trained.encoder, split, start_of(trained))
    assert torch.equal(probe.embeddings["image"], tested.image)
    assert torch.equal(probe.embeddings["text"], tested.text)
    assert probe.recall() == pytest.approx(own["t2i/R1"])


def test_the_low_precision_of_a_run_is_that_of_its_loaded_model(trained, test_split):
    if trained.config.train.precision != "bf16":
        pytest.skip("about low precision")
    _, files = test_split
    low, known = trained.encode_image(files[:8]), trained.weights_identity()
    trained.engine = trained.encoder.engine = inference("fp32", "cpu")
    full = trained.encode_image(files[:8])
    assert trained.weights_identity() != known, (
        "a gallery encoded in one precision is not searched in another"
    )
    assert (low - full).abs().max() > 1e-4, "under bf16 embeddings differ from those of float32"


class Pictures:
    """Random pixels, as a split's images give them."""

    def __init__(self, size):
        self.pixels = torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8)

    def __len__(self):
        return len(self.pixels)

    def read(self, rows):
        return self.pixels[rows]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "pure-fp16"])
@pytest.mark.parametrize("share", [1, 0.5])
def test_a_fold_that_is_half_right_is_an_error_in_any_precision(world, twins, precision, share, monkeypatch):
    settings = ("backbone.pretrained=shapes", f"train.precision={precision}")
    config = world.quick(twins, "lora", "icfg", *settings)
    torch.manual_seed(1)
    method = build_method(config, load_clip(config.backbone))
    shake(method)
    encoder = Encoder(method, config, engine := inference(precision, "cpu"))
    words = method.clip.tokenize(["a woman in a red coat", "a man with a bag"])
    split = SimpleNamespace(images=Pictures(config.backbone.image_size), tokens=words)
    merge = LowRank.merge

    def partly(self, clip):
        self.scale *= share
        merge(self, clip)

    monkeypatch.setattr(LowRank, "merge", partly)
    wrong = pytest.raises(HarnessError, match="Folding the method lora for inference changes")
    with wrong if share < 1 else nullcontext():
        encoder.fold(split)
    assert encoder.engine is engine


def test_a_fold_that_changes_embeddings_is_an_error_before_the_test(
    world, twins, tmp_path, untracked, monkeypatch
):
    adapter_only = METHODS.get("adapter_only")
    monkeypatch.setattr(adapter_only, "fold", lambda self: setattr(self, "text_injection", None))
    config = world.quick(twins, "adapter_only", "icfg", "backbone.pretrained=shapes")
    with pytest.raises(
        HarnessError, match="Folding the method adapter_only for inference changes its embeddings"
    ):
        run(config, runs=tmp_path)


def test_what_is_kept_is_what_was_trained_and_what_is_tested_and_counted_is_folded(
    world, twins, tmp_path, untracked
):
    record = run(world.quick(twins, "cskt", "icfg", "backbone.pretrained=shapes"), runs=tmp_path)
    folder = RunFolder(tmp_path / record.name)
    trained = Trained(folder)
    assert trained.method.prompts.text_to_image is None
    assert any("text_to_image" in name for name in load_file(folder.file(WEIGHTS)))
    counted = {name: record.accounting["flops"][name] for name in ("image_forward", "text_forward")}
    assert counted == inference_flops(trained.method)


def test_runs_of_different_precision_follow_one_another_in_one_process(world, twins, tmp_path, untracked):
    low = world.quick(twins, "zero_shot", "icfg", "train.precision=bf16", "backbone.pretrained=shapes")
    full = world.quick(twins, "zero_shot", "icfg", "train.precision=fp32", "backbone.pretrained=shapes")
    names = [run(config, runs=tmp_path).name for config in (full, low, full)]
    assert names[0] == names[2] != names[1]
    one, other = (Trained(RunFolder(tmp_path / name), device="cpu") for name in names[:2])
    text = ["a woman in a red coat"]
    first = one.encode_text(text)
    assert not torch.equal(first, other.encode_text(text))
    assert torch.equal(first, one.encode_text(text)), "one model's precision is not the other's"
