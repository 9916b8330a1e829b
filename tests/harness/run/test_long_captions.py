"""Runs on captions of 168 tokens: the text positions of the weights are interpolated, and a test alone is tested on."""

import pytest
import torch

from harness.clip.model import load_clip
from harness.clip.positions import resize_text
from harness.datasets import DATASETS
from harness.inference.transfer import evaluate_run
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.run.run import run


@pytest.fixture(scope="module")
def long_twins(world, tmp_path_factory):
    """Return a data root with small twins of both datasets of long captions."""
    return world.make_twins(tmp_path_factory.mktemp("long"), ("ufine", "ufine3c"))


def config(root, method="full_finetune", *overrides):
    quick = (
        "backbone.image_size=[48,16]",
        "train.epochs=1",
        "train.batch_size=16",
        "method.warmup_epochs=0",
        f"dataset.root={root}",
    )
    chosen = [
        text for text in quick if METHODS.get(method).trained or not text.startswith(("train", "method"))
    ]
    return resolve(method, "ufine", synthetic=True, overrides=[*chosen, *overrides])


@pytest.mark.slow
@pytest.mark.usefixtures("untracked")
def test_a_run_on_long_captions_is_tested_on_the_other_domains_too(long_twins, tmp_path):
    record = run(config(long_twins), runs=tmp_path)
    assert record.config["backbone"]["text_length"] == 168
    assert any("77, are interpolated to 168" in note for note in record.notes)
    assert record.data["val_captions"] > 0
    assert record.data["train_pairs"] + record.data["val_captions"] == 2 * _images(long_twins, "train")
    (result,) = evaluate_run(record.name, ["ufine3c"], runs=tmp_path, device="cpu")
    assert (result["dataset"], result["synthetic"]) == ("ufine3c", True)
    assert 0 <= result["metrics"]["test/ufine3c/t2i/R1"] <= 100


def _images(root, split):
    from harness.data.annotations import read_annotations

    samples = read_annotations(DATASETS.get("ufine"), root / "synthetic")
    return sum(sample.split == split for sample in samples)


@pytest.mark.usefixtures("untracked")
def test_at_77_tokens_most_long_captions_are_cut_and_it_is_said(long_twins, tmp_path):
    record = run(config(long_twins, "zero_shot", "backbone.text_length=77"), runs=tmp_path)
    (line,) = [fault for fault in record.data["faults"] if "cut at 77 tokens" in fault]
    n_cut, n = (int(word.replace(",", "")) for word in line.partition(": ")[2].split()[:3:2])
    assert n_cut > 0.8 * n


@pytest.mark.parametrize("method", METHODS.names())
def test_every_method_reads_captions_of_168_tokens(method, long_twins):
    made = config(long_twins, method).fitted(5)
    clip = load_clip(made.backbone)
    short = load_clip(made.backbone.model_copy(update={"text_length": 77}))
    expected = resize_text(short.model.positional_embedding, 168)
    # The shipped positions are of half precision, and interpolated before they are widened.
    torch.testing.assert_close(clip.model.positional_embedding, expected, atol=1e-4, rtol=1e-2)
    built = METHODS.get(method)(clip, made.method)
    tokens = clip.tokenize(["a man " + "with a red coat and a long scarf " * 14, "a man"])
    assert tokens.shape[1] == 168
    with torch.no_grad():
        text = built.encode_text(tokens)
        other = built.encode_text(tokens.where(torch.arange(168) != 120, tokens[0, 1]))
    assert text.isfinite().all()
    assert not torch.allclose(text[0], other[0]), "a word beyond the 77th is not read"
