import gc
import threading
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image

from harness.compute import distributed
from harness.config.augment import AugmentConfig
from harness.datasets import Pairs
from harness.errors import UsageError
from harness.images.augment import Augment
from harness.images.store import open_images
from harness.method_parts.batch import Views
from harness.train.batch_content import Frozen, Samples
from harness.train.batches import Batches, epoch_order, labels_of
from harness.train.buffers import Buffers
from harness.train.share import derived_seed

SIZE = (24, 8)
N_IMAGES, N_CAPTIONS, END = 6, 11, 99
OWNERS = [0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 5]
IDENTITIES = [40, 7, 7, 1003, 40, 8]
PAIRS = Pairs(images=[], identities=IDENTITIES, captions=[], owners=OWNERS)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    files = []
    for place in range(N_IMAGES):
        files.append(folder / f"{place}.png")
        Image.fromarray(generator.integers(0, 256, (24, 8, 3), dtype=np.uint8)).save(files[-1])
    return open_images(files, SIZE, folder=folder / "store")


@pytest.fixture
def tokens():
    tokens = torch.zeros(N_CAPTIONS, 20, dtype=torch.int32)
    for caption in range(N_CAPTIONS):
        tokens[caption, : 3 + caption] = torch.arange(1, 4 + caption)
        tokens[caption, 3 + caption] = END
    return tokens


@pytest.fixture
def make(images, tokens):
    def make(batch_size=4, config=None, seed=1, **options):
        augment = Augment(config or AugmentConfig(), SIZE)
        of_samples = {field.name for field in fields(Samples)} & options.keys()
        samples = Samples(images, augment, tokens, **{name: options.pop(name) for name in of_samples})
        return Batches(PAIRS, samples, batch_size=batch_size, seed=seed, **options)

    return make


def equal(first, second):
    return all(alike(a, b) for a, b in zip(vars(first).values(), vars(second).values(), strict=True))


def alike(a, b):
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def captions_of(batch):
    """Which captions a batch holds: in these tokens, the place of the end tells."""
    return (batch.tokens.argmax(dim=1) - 3).tolist()


def test_an_epoch_holds_each_caption_once_beside_its_image_and_label(make, images):
    batches = make(config=AugmentConfig(flip=0, pad=0, erase=0))
    normal = Augment(None, SIZE).normalise(images.read(range(N_IMAGES)))
    seen = []
    for batch in batches.epoch(1):
        captions = captions_of(batch)
        owners = [OWNERS[caption] for caption in captions]
        assert torch.equal(batch.images, normal[owners])
        assert batch.identities.tolist() == [
            sorted(set(IDENTITIES)).index(IDENTITIES[owner]) for owner in owners
        ]
        seen += captions
    assert len(batches) == 3
    assert sorted(seen) == list(range(N_CAPTIONS))


def test_the_last_batch_is_kept_even_when_uneven(make):
    assert [len(batch.identities) for batch in make().epoch(1)] == [4, 4, 3]
    assert [len(batch.identities) for batch in make(batch_size=50).epoch(1)] == [11]


def test_tokens_end_with_the_longest_caption_of_the_batch(make, tokens):
    for batch in make().epoch(1):
        captions = captions_of(batch)
        assert batch.tokens.dtype == torch.int64
        assert batch.tokens.shape[1] == max(captions) + 4
        assert torch.equal(batch.tokens, tokens[captions, : max(captions) + 4].long())


def test_the_order_depends_on_seed_and_epoch_alone():
    order = epoch_order(50, seed=3, epoch=2)
    torch.manual_seed(0)
    assert torch.equal(order, epoch_order(50, seed=3, epoch=2))
    assert order.sort().values.tolist() == list(range(50))
    assert not torch.equal(order, epoch_order(50, seed=3, epoch=3))
    assert not torch.equal(order, epoch_order(50, seed=4, epoch=2))


def test_batches_do_not_touch_nor_follow_the_global_generator(make):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = [batch.images.clone() for batch in make().epoch(1)]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert all(torch.equal(a, b.images) for a, b in zip(first, make().epoch(1), strict=True))


def test_seeds_differ_by_every_part_and_by_their_order():
    parts = [("a", 1, 2), ("a", 2, 1), ("b", 1, 2), ("a", 12), ("a", 1), ("a", "1", 2)]
    assert len({derived_seed(*part) for part in parts}) == len(parts)
    assert all(0 <= derived_seed(*part) < 2**63 for part in parts)
    assert derived_seed("order", 1, 2) == 5680026465324239647


def test_every_step_and_epoch_augments_anew(make):
    batches = make(batch_size=11, config=AugmentConfig(flip=0, pad=10, erase=0))
    first, second = next(batches.epoch(1)), next(batches.epoch(2))
    again = dict(zip(captions_of(first), first.images, strict=True))
    pairs = zip(captions_of(second), second.images, strict=True)
    assert sum(not torch.equal(again[caption], image) for caption, image in pairs) >= 9


@pytest.mark.parametrize("start_step", [1, 2, 3])
def test_going_on_from_a_step_gives_what_would_have_come(make, start_step):
    whole = list(make().epoch(4))
    rest = list(make().epoch(4, start_step))
    assert len(rest) == 3 - start_step
    assert all(equal(a, b) for a, b in zip(whole[start_step:], rest, strict=True))


@pytest.mark.parametrize("n_processes", [2, 3, 5])
def test_the_shares_of_several_processes_make_the_batch_of_one(make, monkeypatch, n_processes):
    whole = list(make().epoch(1))
    shares = []
    for rank in range(n_processes):
        monkeypatch.setattr(distributed, "world", lambda rank=rank: (rank, n_processes))
        shares.append(list(make().epoch(1)))
    for step, batch in enumerate(whole):
        parts = [share[step] for share in shares]
        n_local = {len(part.images) for part in parts}
        assert len(n_local) == 1
        assert n_local.pop() * n_processes >= len(batch.images)
        joined = torch.cat([part.images for part in parts])
        assert torch.equal(joined[: len(batch.images)], batch.images)
        captions = [caption for part in parts for caption in captions_of(part)]
        assert captions[: len(batch.images)] == captions_of(batch)
        assert all(torch.equal(part.identities, batch.identities) for part in parts)
        assert all(part.tokens.shape[1] == max(captions_of(part)) + 4 for part in parts)


MASKING = AugmentConfig(mask_words=0.5)


def test_words_are_masked_anew_in_every_step_and_epoch_and_never_the_special_tokens(make, tokens):
    batches = make(batch_size=11, config=MASKING)
    first, second = next(batches.epoch(1)), next(batches.epoch(2))
    changed = []
    for batch in (first, second):
        whole = tokens[captions_of(batch), : batch.tokens.shape[1]].long()
        special = (whole == 0) | (whole == END)
        assert torch.equal(batch.tokens[special], whole[special])
        changed.append(batch.tokens != whole)
    n_words = sum(range(3, 3 + N_CAPTIONS))
    assert 0.3 < changed[0].sum() / n_words < 0.6
    assert not torch.equal(changed[0][:, :3], changed[1][:, :3]), "every caption has three words and more"
    assert torch.equal(next(make(batch_size=11).epoch(1)).tokens, tokens[captions_of(first), :14].long())


def test_masked_captions_are_the_same_on_several_processes_and_after_an_interruption(make, monkeypatch):
    whole = list(make(config=MASKING).epoch(1))
    assert all(equal(a, b) for a, b in zip(whole[1:], make(config=MASKING).epoch(1, 1), strict=True))
    shares = []
    for rank in range(2):
        monkeypatch.setattr(distributed, "world", lambda rank=rank: (rank, 2))
        shares.append(list(make(config=MASKING).epoch(1)))
    for step, batch in enumerate(whole):
        rows = [row for share in shares for row in share[step].tokens.tolist()]
        width = batch.tokens.shape[1]
        padded = [(row + [0] * width)[:width] for row in rows]
        assert padded[: len(batch.tokens)] == batch.tokens.tolist()


def test_masking_leaves_order_and_images_alone(make):
    for plain, masked in zip(make().epoch(1), make(config=MASKING).epoch(1), strict=True):
        assert captions_of(plain) == captions_of(masked)
        assert torch.equal(plain.images, masked.images)


def test_masking_is_refused_where_tokens_may_not_be_cut(make):
    with pytest.raises(UsageError, match="mask_words"):
        make(config=MASKING, cut=False)


def test_embeddings_come_in_place_of_pixels_and_tokens(make):
    image, text = torch.randn(N_IMAGES, 5), torch.randn(N_CAPTIONS, 5)
    batches = make(frozen=Frozen(image, text))
    order = epoch_order(N_CAPTIONS, 1, 1)
    for step, batch in enumerate(batches.epoch(1)):
        captions = order[4 * step : 4 * step + 4]
        assert batch.images is batch.tokens is None
        assert torch.equal(batch.text_frozen, text[captions])
        assert torch.equal(batch.image_frozen, image[torch.tensor(OWNERS)[captions]])
        assert torch.equal(batch.identities, labels_of(IDENTITIES)[torch.tensor(OWNERS)[captions]])


def test_batches_that_are_kept_stay_as_they_were(make):
    kept = list(make(batch_size=2).epoch(1))
    assert len({batch.images.data_ptr() for batch in kept}) == len(kept)
    assert all(equal(a, b) for a, b in zip(kept, make(batch_size=2).epoch(1), strict=True))


def test_memory_is_used_again_as_soon_as_nothing_sees_it():
    buffers = Buffers(np.float32)
    first = buffers.take((4, 2))
    place = first.data_ptr()
    view = first[1:]
    del first
    assert buffers.take((4, 2)).data_ptr() != place
    del view
    assert buffers.take((3, 2)).data_ptr() == place
    weight = torch.ones(4, 2, requires_grad=True)
    loss = (buffers.take((4, 2)).fill_(3) * weight).sum()
    buffers.take((4, 2)).fill_(5)
    loss.backward()
    assert (weight.grad == 3).all()


def test_many_batches_need_few_buffers(make):
    batches = make(batch_size=2)
    places = [batch.images.data_ptr() for epoch in range(1, 11) for batch in batches.epoch(epoch)]
    # One is looked at, one waits, one is made; a thread may be a little late to let go of one.
    assert len(places) > 30
    assert len(set(places)) <= 6


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_maker_leaves_the_threads_of_others_alone(make, two_threads):
    seen = []
    batches = make()
    list(batches.epoch(1))
    batches._maker.submit(lambda: seen.append(torch.get_num_threads())).result()
    assert seen == [1]
    assert torch.get_num_threads() == 2


def test_an_epoch_left_half_way_does_not_disturb_the_next(make):
    batches, whole = make(batch_size=2), list(make(batch_size=2).epoch(2))
    stream = batches.epoch(1)
    next(stream)
    rest = batches.epoch(2)
    first = next(rest)
    next(stream)
    stream.close()
    assert all(equal(a, b) for a, b in zip(whole, [first, *rest], strict=True))


def test_the_maker_ends_with_its_batches(make):
    batches = make()
    next(batches.epoch(1))
    (thread,) = batches._maker._threads
    del batches
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_an_error_of_the_maker_reaches_the_caller(images, make, monkeypatch):
    monkeypatch.setattr(images, "read", lambda *_: (_ for _ in ()).throw(OSError("disk gone")))
    with pytest.raises(OSError, match="disk gone"):
        list(make().epoch(1))


def test_a_caption_of_an_unreadable_image_is_refused(make, images, monkeypatch):
    monkeypatch.setattr(images, "bad", [3])
    with pytest.raises(AssertionError, match="unreadable"):
        make()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_the_same_batches(make):
    for here, there in zip(make().epoch(1), make(device="cuda").epoch(1), strict=True):
        torch.testing.assert_close(there.images.cpu(), here.images, rtol=1e-6, atol=1e-6)
        assert torch.equal(there.tokens.cpu(), here.tokens)
        assert there.identities.is_cuda


def test_what_is_augmented_on_the_device_is_what_would_have_been_augmented_before(make, monkeypatch):
    options = {"views": VIEWS, "config": AugmentConfig(flip=0.5, pad=4, erase=0.5)}
    here, later = make(**options), make(**options)
    monkeypatch.setattr(later._reader, "_device", torch.device("meta"))
    for one, other in zip(here.epoch(1), later.epoch(1), strict=True):
        assert equal(one, other)


def test_one_batch_is_read_ahead_and_no_more(make, images, monkeypatch):
    reads = []
    read = images.read
    monkeypatch.setattr(images, "read", lambda *given: [reads.append(len(reads)), read(*given)][1])
    batches = make(batch_size=1)
    stream = batches.epoch(1)
    next(stream)
    batches._maker.submit(lambda: None).result()
    assert len(reads) == 2


VIEWS = Views(images=2, captions=1)


def test_further_views_of_images_are_drawn_anew_and_the_first_stays_as_it_was(make):
    plain, viewed = next(make(batch_size=11).epoch(1)), next(make(batch_size=11, views=VIEWS).epoch(1))
    assert torch.equal(plain.images, viewed.images)
    assert [view.shape for view in viewed.image_views] == [plain.images.shape] * 2
    every = (viewed.images, *viewed.image_views)
    assert all(not torch.equal(a, b) for place, a in enumerate(every) for b in every[:place])
    again = next(make(batch_size=11, views=VIEWS).epoch(1))
    assert equal(viewed, again)


def test_a_view_shows_the_image_of_its_pair(make, images):
    batch = next(make(batch_size=11, views=VIEWS, config=AugmentConfig(flip=1, pad=0, erase=0)).epoch(1))
    mirrored = Augment(None, SIZE).normalise(images.read(range(N_IMAGES))).flip(-1)
    owners = [OWNERS[caption] for caption in captions_of(batch)]
    assert all(torch.equal(view, mirrored[owners]) for view in (batch.images, *batch.image_views))


def rewritten(captions, seeds):
    """Tokens that tell of which caption and seed they were made."""
    rows = torch.zeros(len(captions), 20, dtype=torch.int32)
    for row, caption, seed in zip(rows, captions, seeds, strict=True):
        row[0], row[1], row[2 + caption % 3] = 1 + caption, 1 + seed % 50, END
    return rows


def test_captions_are_written_anew_for_every_view_step_and_epoch(make):
    batches = make(batch_size=11, views=VIEWS, rewrite=rewritten)
    first, later = next(batches.epoch(1)), next(batches.epoch(2))
    order = epoch_order(N_CAPTIONS, 1, 1)
    assert [row[0] - 1 for row in first.tokens.tolist()] == order.tolist()
    assert [row[0] for row in first.token_views[0].tolist()] == [row[0] for row in first.tokens.tolist()]
    seeds = [sorted(rows[:, 1].tolist()) for rows in (first.tokens, first.token_views[0], later.tokens)]
    assert len({tuple(one) for one in seeds}) == 3
    assert len(set(first.tokens[:, 1].tolist())) > 5, "every caption has a seed of its own"
    assert first.tokens.shape[1] == 5, "cut to the longest"


class Told:
    """Contrast views that show what they were asked for."""

    def draw(self, n, generator):
        return torch.rand(n, generator=generator)

    def apply(self, images, draws, device):
        return torch.stack([torch.tensor(images, dtype=torch.float32), draws], dim=1)


def test_contrast_views_are_those_of_the_batch_s_images_with_draws_of_their_own(make):
    batch = next(make(batch_size=11, views=Views(contrast=2), contrast=Told()).epoch(1))
    one, two = batch.contrast_views
    owners = [OWNERS[caption] for caption in captions_of(batch)]
    assert one[:, 0].tolist() == two[:, 0].tolist() == owners
    assert not torch.equal(one[:, 1], two[:, 1])


@pytest.mark.parametrize("n_processes", [2, 3])
def test_views_are_the_same_on_any_number_of_processes(make, monkeypatch, n_processes):
    options = {"views": Views(1, 1, 1), "rewrite": rewritten, "contrast": Told()}
    whole = list(make(**options).epoch(1))
    shares = []
    for rank in range(n_processes):
        monkeypatch.setattr(distributed, "world", lambda rank=rank: (rank, n_processes))
        shares.append(list(make(**options).epoch(1)))
    for step, batch in enumerate(whole):
        parts, n = [share[step] for share in shares], len(batch.images)
        assert {part.seed for part in parts} == {batch.seed}
        assert torch.cat([part.places for part in parts])[:n].tolist() == list(range(n))
        for name in ("image_views", "contrast_views"):
            joined = torch.cat([getattr(part, name)[0] for part in parts])[:n]
            assert torch.equal(joined, getattr(batch, name)[0])
        rows = [row[:3] for part in parts for row in part.token_views[0].tolist()][:n]
        assert rows == [row[:3] for row in batch.token_views[0].tolist()]


def test_every_step_has_a_seed_of_its_own_for_what_a_method_draws(make):
    batches = make()
    assert len({batch.seed for epoch in (1, 2) for batch in batches.epoch(epoch)}) == 6


def test_a_short_last_batch_is_left_out_where_asked(make):
    batches = make(drop_last=True)
    assert [len(batch.identities) for batch in batches.epoch(1)] == [4, 4]
    assert len(batches) == 2
    assert len(make(batch_size=11, drop_last=True)) == 1


@pytest.mark.parametrize(("size", "parts", "whole", "kept"), [(2, 3, 6, 3), (2, 2, 6, 4), (5, 2, 3, 2)])
def test_a_step_of_several_batches_is_left_out_where_it_is_not_whole(make, size, parts, whole, kept):
    every, full = (make(batch_size=size, parts=parts, drop_last=drop) for drop in (False, True))
    assert (len(every), len(full)) == (whole, kept)
    assert len(list(full.epoch(1))) == kept
    assert {len(batch.identities) for batch in full.epoch(1)} == {size}


def test_leaving_out_the_only_batch_is_one_clear_error(make):
    with pytest.raises(UsageError, match=r"leaves nothing of 11 pairs in batches of 12"):
        make(batch_size=6, parts=2, drop_last=True)
    with pytest.raises(
        UsageError, match=r"leaves nothing of 11 pairs in batches of 12: lower train.batch_size"
    ):
        make(batch_size=12, drop_last=True)


def test_batches_made_ahead_are_those_made_when_asked_for(make):
    ahead, asked = make(), make(prefetch=False)
    for epoch, start in ((1, 0), (2, 1)):
        pairs = list(zip(ahead.epoch(epoch, start), asked.epoch(epoch, start), strict=True))
        assert len(pairs) == 3 - start
        assert all(equal(*pair) for pair in pairs)


@pytest.mark.parametrize("prefetch", [True, False])
def test_a_batch_that_cannot_be_made_fails_where_it_is_asked_for(make, monkeypatch, prefetch):
    batches = make(prefetch=prefetch)
    fill = batches._reader.fill

    def failing(batch, share):
        if share.at[2] == 1:
            raise UsageError("a picture went away")
        return fill(batch, share)

    monkeypatch.setattr(batches._reader, "fill", failing)
    batches_of_epoch = batches.epoch(1)
    assert next(batches_of_epoch).n_local == 4
    with pytest.raises(UsageError, match="a picture went away"):
        next(batches_of_epoch)


class Side:
    """Stands in for the stream of an accelerator, and notes which thread makes and takes each batch."""

    def __init__(self):
        self.log, self.made = [], 0

    def follow(self):
        self.log.append(("begun", self._place()))

    def make(self, work):
        self.made += 1
        self.log.append((f"made {self.made}", self._place()))
        return work(), self.made

    def hand_over(self, batch, made):
        self.log.append((f"taken {made}", self._place()))
        return batch

    @staticmethod
    def _place():
        return "main" if threading.current_thread() is threading.main_thread() else "maker"


def test_a_stream_of_its_own_is_a_batch_ahead_and_handed_over_in_order(make):
    batches, plain = make(), make()
    batches._side = side = Side()
    for found, expected in zip(batches.epoch(1), plain.epoch(1), strict=True):
        assert equal(found, expected)
    assert {("made", "maker"), ("taken", "main"), ("begun", "main")} == {
        (what.split()[0], where) for what, where in side.log
    }
    order = [what for what, _ in side.log]
    assert order[0] == "begun"
    assert [what for what in order if what.startswith("taken")] == ["taken 1", "taken 2", "taken 3"]
    assert all(order.index(f"made {n}") < order.index(f"taken {n}") for n in (1, 2, 3))


@pytest.mark.parametrize("step", [1, 4, 16])
def test_captions_keep_a_multiple_of_so_many_tokens_or_all(make, step):
    batches, exact = make(step=step), make()
    for padded, cut in zip(batches.epoch(1), exact.epoch(1), strict=True):
        length = cut.tokens.shape[1]
        assert padded.tokens.shape[1] == min(-(-length // step) * step, 20)
        assert torch.equal(padded.tokens[:, :length], cut.tokens)
        assert not padded.tokens[:, length:].any()
