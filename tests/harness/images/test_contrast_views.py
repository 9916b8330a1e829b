import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.contrast_views import by_pillow, levels
from harness.config.pixels import STATISTICS
from harness.images import contrast_views
from harness.images.contrast_views import ContrastSource, ContrastViews, originals
from harness.images.decoding import ImageError, decode_whole
from harness.images.draws import crop_boxes
from harness.images.store import open_images

SIZE = (32, 24)
N = 4_000
JITTER, GREY, BLUR, FLIP = range(4)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def pictures(n, seed=0):
    """Smooth pictures of unlike sizes, as arrays [height, width, 3]."""
    random = np.random.default_rng(seed)
    for _ in range(n):
        height, width = random.integers(20, 90, 2).tolist()
        coarse = Image.fromarray(random.integers(0, 256, (6, 5, 3), dtype=np.uint8))
        yield np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def tensors(n):
    return [torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1))) for x in pictures(n)]


def test_views_are_those_of_pillow_but_for_rounding_and_the_shape_of_the_blur():
    draws = ContrastViews(SIZE).draw(80, generator())
    expected = 255 * torch.stack(
        [by_pillow(Image.fromarray(x), draws, i, SIZE) for i, x in enumerate(pictures(80))]
    )
    difference = (levels(ContrastViews(SIZE).apply(tensors(80), draws)) - expected).abs().mean(dim=(1, 2, 3))
    sharp = ~draws.changes.acts[:, BLUR]
    plain = sharp & ~draws.changes.acts[:, JITTER]
    assert difference[plain].max() < 1.0
    assert difference[sharp].median() < 1.5
    assert difference.max() < 6


def test_crops_of_large_detailed_pictures_are_reduced_with_antialiasing():
    random = np.random.default_rng(1)
    noise = [random.integers(0, 256, (300, 250, 3), dtype=np.uint8) for _ in range(8)]
    draws = ContrastViews(SIZE).draw(8, generator())
    draws.changes.acts[:] = False
    expected = 255 * torch.stack([by_pillow(Image.fromarray(x), draws, i, SIZE) for i, x in enumerate(noise)])
    views = ContrastViews(SIZE).apply([torch.from_numpy(x).permute(2, 0, 1) for x in noise], draws)
    assert (levels(views) - expected).abs().mean() < 0.5


def test_probabilities_and_ranges_are_those_of_the_paper():
    draws = ContrastViews(SIZE).draw(N, generator())
    for place, probability in enumerate((0.8, 0.2, 0.5, 0.5)):
        share = draws.changes.acts[:, place].double().mean()
        assert abs(share - probability) < 4 * (probability * (1 - probability) / N) ** 0.5
    strengths = draws.changes.parameters[:, JITTER, 4:]
    for part, (low, high) in enumerate([(0.6, 1.4)] * 3 + [(-0.1, 0.1)]):
        assert low <= strengths[:, part].min() < low + 0.005
        assert high >= strengths[:, part].max() > high - 0.005
    assert 0.1 <= draws.changes.parameters[:, BLUR, 0].min() < 0.105
    assert 2 >= draws.changes.parameters[:, BLUR, 0].max() > 1.99
    boxes = crop_boxes(draws.crop.transpose(0, 1), torch.tensor([[300, 300]]).expand(N, 2), 0.2)
    area = boxes[:, 2:].prod(dim=1) / 90_000
    assert 0.19 < area.min() < 0.21
    assert area.max() > 0.98


def test_equal_generators_give_equal_views_and_splitting_changes_nothing():
    views = ContrastViews(SIZE)
    first, second = (views.draw(20, generator(3)) for _ in range(2))
    images = tensors(20)
    whole = views.apply(images, first)
    assert len(first) == 20
    assert whole.shape == (20, 3, *SIZE)
    assert whole.dtype == torch.float32
    assert torch.equal(views.apply(images, second), whole)
    places = torch.tensor([4, 19, 4])
    assert torch.equal(views.apply([images[i] for i in places], first[places]), whole[places])
    assert torch.equal(views.apply(images[5:8], first[5:8]), whole[5:8])
    assert not torch.equal(views.apply(images, views.draw(20, generator(4))), whole)


def test_the_way_for_accelerators_gives_the_same_pixels_and_the_normalisation_is_asked_for():
    views, images = ContrastViews(SIZE), tensors(40)
    draws = views.draw(40, generator())
    at_once = views._finish(views._crop(images, draws.crop), draws.changes)
    torch.testing.assert_close(at_once, views.apply(images, draws), rtol=0, atol=1e-4)
    mean, deviation = (torch.tensor(x).view(3, 1, 1) for x in STATISTICS["imagenet"])
    other = ContrastViews(SIZE, "imagenet").apply(images, draws) * deviation + mean
    torch.testing.assert_close(255 * other, levels(at_once), rtol=0, atol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_views_of_the_processor():
    views, images = ContrastViews(SIZE), tensors(40)
    draws = views.draw(40, generator())
    on_gpu = views.apply(images, draws, "cuda").cpu()
    torch.testing.assert_close(on_gpu, views.apply(images, draws), rtol=0, atol=1e-3)


def test_the_global_generator_is_neither_read_nor_moved():
    views = ContrastViews(SIZE)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = views.apply(tensors(5), views.draw(5, generator()))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(views.apply(tensors(5), views.draw(5, generator())), first)


@pytest.fixture
def images(tmp_path):
    for place, picture in enumerate(pictures(6)):
        Image.fromarray(picture).save(tmp_path / f"{place}.png")
    files = [tmp_path / f"{place}.png" for place in range(6)]
    return open_images(files, SIZE, folder=tmp_path / "store", workers=1)


def test_originals_keep_their_size(images):
    places = torch.tensor([5, 0, 5])
    for workers in (1, 2):
        whole = originals(images, places, workers=workers)
        assert all(torch.equal(x, tensors(6)[i]) for x, i in zip(whole, places.tolist(), strict=True))


def test_a_file_that_is_gone_is_named(images):
    images.files[2].unlink()
    with pytest.raises(ImageError, match=r"2\.png cannot be read"):
        originals(images, [1, 2])


def test_views_come_from_the_files_or_from_the_store(images, monkeypatch):
    decoded = []

    def counted(path):
        decoded.append(path)
        return decode_whole(path)

    monkeypatch.setattr(contrast_views, "decode_whole", counted)
    from_files, from_store = (ContrastSource(images, SIZE, views_from=where) for where in ("files", "store"))
    places, draws = [3, 1, 3], from_files.draw(3, generator())
    views = ContrastViews(SIZE)
    assert torch.equal(from_store.apply(places, draws), views.apply(list(images.read(places)), draws))
    assert not decoded
    expected = views.apply([tensors(6)[i] for i in places], draws)
    for _ in range(2):
        assert torch.equal(from_files.apply(places, draws), expected)
    assert len(decoded) == 3
    assert torch.equal(from_files.apply([1], draws[1:2]), expected[1:2])
    assert len(decoded) == 4
