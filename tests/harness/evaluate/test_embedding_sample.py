"""The kept sample of embeddings: whole persons, the same for every method, small enough to keep."""

import numpy as np
import pytest
import torch

from harness.evaluate.embedding_sample import MAX_BYTES, MAX_IMAGES, choose_persons, sample_embeddings


def problem(n_identity, images_each, captions_each, dim, seed=0):
    torch.manual_seed(seed)
    identities = torch.arange(n_identity).repeat_interleave(images_each)
    owners = torch.arange(len(identities)).repeat_interleave(captions_each)
    image = torch.nn.functional.normalize(torch.randn(len(identities), dim), dim=1)
    text = torch.nn.functional.normalize(torch.randn(len(owners), dim), dim=1)
    return image, text, identities, owners


def size(arrays, folder):
    np.savez_compressed(folder / "a.npz", **arrays)
    return (folder / "a.npz").stat().st_size


@pytest.mark.parametrize("dim", [64, 512, 768, 1024])
def test_the_sample_is_small_and_holds_whole_persons(dim, tmp_path):
    image, text, identities, owners = problem(200, 21, 1, dim)
    sample = sample_embeddings(image, text, identities, owners)
    n = len(sample["identity"])
    assert 0.8 * min(MAX_IMAGES, MAX_BYTES // (4 * dim)) < n <= MAX_IMAGES
    assert sample["image"].dtype == sample["text"].dtype == np.float16
    assert sample["image"].shape == sample["text"].shape == (n, dim)
    assert (np.unique(sample["identity"], return_counts=True)[1] == 21).all()
    assert size(sample, tmp_path) < 1.3e6


def test_persons_of_one_image_fill_the_sample():
    assert len(sample_embeddings(*problem(700, 1, 1, 4))["place"]) == 600


def test_each_image_stands_beside_its_first_caption():
    image, text, identities, owners = problem(30, 3, 2, 16)
    shuffled = torch.randperm(len(owners))
    sample = sample_embeddings(image, text, identities, owners[shuffled])
    assert len(sample["place"]) == 90
    for row, (place, caption) in enumerate(zip(sample["place"], sample["caption"], strict=True)):
        assert caption == (owners[shuffled] == place).nonzero()[0, 0]
        np.testing.assert_array_equal(sample["image"][row], image[int(place)].half().numpy())
        np.testing.assert_array_equal(sample["text"][row], text[int(caption)].half().numpy())
        assert sample["identity"][row] == identities[int(place)]


def test_every_method_keeps_the_same_persons_whatever_the_order_of_the_file():
    one, other = (problem(200, 7, 1, 32, seed) for seed in (0, 1))
    first, second = (sample_embeddings(*each) for each in (one, other))
    for name in ("place", "caption", "identity"):
        np.testing.assert_array_equal(first[name], second[name])
    turned = sample_embeddings(one[0], one[1], one[2].flip(0), one[3])
    assert set(turned["identity"]) == set(first["identity"])
    assert len(set(first["identity"])) == MAX_IMAGES // 7


def test_a_person_with_too_many_images_is_left_out_and_others_are_taken():
    identities = [7] * 10 + [8] * 3 + [9] * 3
    assert choose_persons(identities, 6) == {8, 9}
    assert choose_persons(identities, 2) == set()


def test_an_image_without_a_caption_is_left_out():
    image, text, identities, owners = problem(4, 2, 1, 8)
    sample = sample_embeddings(image, text[1:], identities, owners[1:])
    assert sample["place"].tolist() == list(range(1, 8))
    assert sample["caption"].tolist() == list(range(7))
