"""A run's batches from its config and method: embeddings or pixels, captions as they are or rewritten, views."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from harness.clip.model import load_clip
from harness.data.loading import Split
from harness.datasets import Sample, pairs
from harness.images.augment import Augment
from harness.images.store import open_images
from harness.methods import Method, TrainedConfig, Views
from harness.train.batch_content import Frozen
from harness.train.batch_source import training_batches
from tests.notes import Notes

SAMPLES = [
    Sample("0.png", 3, ("a man in red", "he walks"), "train", ("the man in red", "the man walks")),
    Sample("1.png", 3, ("a man with a red coat and a bag",), "train", ("the man with the coat",)),
    Sample("2.png", 8, ("a woman in blue",), "train", ("the woman",)),
]
CAPTIONS = [caption for sample in SAMPLES for caption in sample.captions]
TRANSLATED = [text for sample in SAMPLES for text in sample.captions_bt]
BATCH = 3


@pytest.fixture(scope="module")
def clip(world, tmp_path_factory):
    return load_clip(world.quick(tmp_path_factory.mktemp("any")).backbone)


@pytest.fixture(scope="module")
def split(clip, tmp_path_factory):
    """Return a split of three images and four captions."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for sample in SAMPLES:
        Image.fromarray(generator.integers(0, 256, (48, 16, 3), dtype=np.uint8)).save(folder / sample.image)
    images = open_images([folder / sample.image for sample in SAMPLES], (48, 16), folder=folder / "store")
    laid = pairs(SAMPLES, ("train",))
    owners, identities = torch.tensor(laid.owners), torch.tensor(laid.identities)
    return Split("train", "icfg", images, identities, owners, clip.tokenize(laid.captions), laid)


@pytest.fixture
def feed(world, clip, split, tmp_path):
    """Return the maker of a run's batches."""

    def make(*overrides, views=None, split=split, **options):
        plain = tuple(f"train.augment.{name}=0" for name in ("flip", "pad", "erase"))
        config = world.quick(tmp_path, "linear_probe", "icfg", *plain, *overrides)
        method = Method(clip, TrainedConfig(name="any"))
        method.views = lambda: views or Views()
        augment = Augment(config.train.augment, (48, 16))
        return training_batches(config, split, method, BATCH, augment=augment, **options)

    return make


def captions_of(batches, tokenized):
    """Return which of some tokenised captions each row of an epoch holds, and its labels."""
    found, labels = [], []
    for batch in batches.epoch(1):
        for row, label in zip(batch.tokens, batch.identities.tolist(), strict=True):
            fits = [
                n
                for n, ids in enumerate(tokenized)
                if torch.equal(ids[: len(row)], row) and not ids[len(row) :].any()
            ]
            found += fits
            labels += [label] * len(fits)
    return found, labels


def test_captions_and_images_come_as_they_are_once_an_epoch(feed, split):
    batches = feed()
    found, labels = captions_of(batches, split.tokens.long())
    assert sorted(found) == [0, 1, 2, 3]
    assert labels == [[0, 0, 0, 1][caption] for caption in found]
    assert [len(batch.images) for batch in batches.epoch(1)] == [3, 1]
    whole = Augment(None, (48, 16)).normalise(split.images.read(range(3)))
    for batch in batches.epoch(1):
        for image in batch.images:
            assert any(torch.equal(image, one) for one in whole)


def test_embeddings_take_the_place_of_images_and_captions(feed, split):
    image, text = torch.arange(3.0)[:, None], torch.arange(4.0)[:, None]
    for batch in feed(frozen=Frozen(image, text)).epoch(1):
        assert batch.images is batch.tokens is None
        owners = split.owners[batch.text_frozen[:, 0].long()]
        assert batch.image_frozen[:, 0].tolist() == owners.tolist()


def test_the_last_small_batch_is_left_out_where_the_config_says_so(feed):
    assert (len(feed()), len(feed("train.drop_last=true"))) == (2, 1)


def test_back_translations_take_the_place_of_captions(feed, clip):
    notes = Notes()
    batches = feed("train.augment.text.back_translation=1", listener=notes)
    found, labels = captions_of(batches, clip.tokenize(TRANSLATED).long())
    assert sorted(found) == [0, 1, 2, 3]
    assert labels == [[0, 0, 0, 1][caption] for caption in found]
    assert notes.notes == []


def test_what_cannot_be_done_is_noted_and_leaves_the_captions_alone(feed, split):
    notes, bare = Notes(), split.pairs._replace(captions_bt=[])
    batches = feed("train.augment.text.back_translation=1", split=replace(split, pairs=bare), listener=notes)
    assert len(notes.notes) == 1
    assert sorted(captions_of(batches, split.tokens.long())[0]) == [0, 1, 2, 3]


def test_rewritten_captions_are_those_of_the_augmentation_and_the_same_again(feed, clip):
    overrides = ("train.augment.text.random_deletion=0.5", "train.augment.text.random_swap=0.5")
    seen = [batch.tokens for batch in feed(*overrides).epoch(2)]
    assert all(torch.equal(a, b.tokens) for a, b in zip(seen, feed(*overrides).epoch(2), strict=True))
    texts = [clip.tokenizer.decode(row.tolist()) for tokens in seen for row in tokens]
    words = [Counter(re.sub("<.*?>|!", " ", text).split()) for text in texts]
    assert all(any(each <= Counter(caption.split()) for caption in CAPTIONS) for each in words)
    assert sum(map(Counter.total, words)) < len(" ".join(CAPTIONS).split())
    assert [len(tokens) for tokens in seen] == [3, 1]


@pytest.mark.parametrize(
    "views", [Views(), Views(images=1), Views(captions=2), Views(contrast=2), Views(1, 1, 1)]
)
def test_a_method_gets_the_views_that_it_asks_for(feed, views):
    batch = next(feed(views=views).epoch(1))
    assert [view.shape for view in batch.image_views] == [batch.images.shape] * views.images
    assert [len(view) for view in batch.token_views] == [BATCH] * views.captions
    assert [view.shape for view in batch.contrast_views] == [batch.images.shape] * views.contrast


def test_a_compiled_training_has_captions_of_few_lengths_and_prefetch_is_as_set(feed):
    lengths = {batch.tokens.shape[1] for batch in feed("train.compile=true").epoch(1)}
    assert all(length % 16 == 0 for length in lengths)
    assert any(batch.tokens.shape[1] % 16 for batch in feed().epoch(1))
    assert (feed()._prefetch, feed("train.prefetch=false")._prefetch) == (True, False)
