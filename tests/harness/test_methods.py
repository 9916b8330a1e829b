"""The contract of methods: what the base class does for one that defines nothing but its parameters."""

import pytest
import torch
from torch.nn.functional import normalize

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.methods import METHODS, Batch, Method, Progress, TrainedConfig, Views, gathered, unit

CAPTIONS = ["a man in red", "a woman in blue", "a man in a green coat"]


class Plain(Method):
    """Adds a map with a bias and a part that only the losses need."""

    name = "plain"
    training_only = ("helper",)

    def adapt(self):
        self.map = torch.nn.Linear(self.clip.embed_dim, self.clip.embed_dim)
        self.helper = torch.nn.Linear(2, 3)

    def head_image(self, embeddings):
        return self.map(embeddings)


@pytest.fixture(scope="module")
def clip():
    return load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)))


@pytest.fixture
def method(clip):
    torch.manual_seed(0)
    return Plain(clip, TrainedConfig(name="plain", lr=0.1, weight_decay=0.2, bias_lr_factor=3.0))


@pytest.fixture
def batch(clip):
    torch.manual_seed(1)
    return Batch(torch.randn(3, 3, 96, 32), clip.tokenize(CAPTIONS)[:, :12], torch.tensor([0, 1, 0]))


def test_the_backbone_is_frozen_and_what_the_method_adds_is_trained(method):
    assert {name for name, _ in method.trainable()} == {
        *("map.weight", "map.bias", "helper.weight", "helper.bias")
    }
    assert not any(parameter.requires_grad for parameter in method.clip.parameters())
    assert method.views() == Views()


def test_biases_have_a_rate_of_their_own_and_no_decay(method):
    weights, biases = method.param_groups()
    assert [id(p) for p in weights["params"]] == [id(method.map.weight), id(method.helper.weight)]
    assert [id(p) for p in biases["params"]] == [id(method.map.bias), id(method.helper.bias)]
    assert (weights["lr"], weights["weight_decay"]) == (0.1, 0.2)
    assert (biases["lr"], biases["weight_decay"]) == (pytest.approx(0.3), 0.0)
    method.map.requires_grad_(False)
    method.helper.weight.requires_grad_(False)
    assert len(method.param_groups()) == 1
    assert method.optimiser().defaults["eps"] == method.config.eps


def test_features_are_unit_length_and_the_loss_is_the_one_that_is_named(method, batch):
    features = method.features(batch)
    image = normalize(method.map(method.clip.encode_image(batch.images)), dim=-1)
    torch.testing.assert_close(features["image"], image)
    torch.testing.assert_close(features["text"].norm(dim=1), torch.ones(3))
    losses = method(batch)
    assert list(losses.terms) == [method.config.loss] == ["sdm"]
    assert losses.total.item() == method.losses(features, batch).total.item()
    assert {name: rows.shape[0] for name, rows in gathered(features, batch).items()} == {
        "image": 3,
        "text": 3,
    }


def test_each_row_of_features_depends_on_its_own_pair(method, batch):
    whole = method.features(batch)
    for row in range(3):
        part = method.features(batch.rows(slice(row, row + 1)))
        for name, rows in part.items():
            torch.testing.assert_close(rows[0], whole[name][row], atol=1e-5, rtol=1e-4)


def test_cached_embeddings_give_the_features_of_the_pixels(method, batch):
    images, texts = method.clip.encode_image(batch.images), method.clip.encode_text(batch.tokens)
    cached = Batch(None, None, batch.identities, image_frozen=images, text_frozen=texts)
    for name, rows in method.features(batch).items():
        torch.testing.assert_close(method.features(cached)[name], rows)


def test_the_rest_of_a_step_may_be_another(method, batch):
    seen = []
    assert method(batch, lambda features: seen.append(sorted(features)) or "losses") == "losses"
    assert seen == [["image", "text"]]


def test_folding_drops_what_only_training_needs_and_leaves_embeddings_alone(method, batch):
    before = method.encode_image(batch.images)
    dim = method.clip.embed_dim
    assert method.folded_parameters() == dim * dim + dim
    method.fold()
    assert method.helper is None
    assert method.folded_parameters() == dim * dim + dim
    assert torch.equal(method.encode_image(batch.images), before)


def test_rates_warm_up_by_epochs_from_the_share_that_the_config_says(method):
    config = method.config
    rates = [
        method.learning_rate(0.1, Progress(epoch, 0, 1, 60)) for epoch in range(1, config.warmup_epochs + 2)
    ]
    assert rates[0] == pytest.approx(0.1 * config.warmup_factor)
    assert rates == sorted(rates)
    assert rates[-1] <= 0.1
    assert method.learning_rate(0.2, Progress(3, 0, 1, 60)) == pytest.approx(2 * rates[2])


def test_a_method_without_a_map_for_checkpoints_names_those_that_have_one():
    with pytest.raises(UsageError, match="plain") as caught:
        Plain.imported({})
    for name in METHODS.names():
        assert (name in str(caught.value)) == ("imported" in vars(METHODS.get(name)))
    assert Plain.skip("icfg") is None


def test_unit_rows_have_length_one_whatever_their_type():
    assert torch.equal(unit(torch.tensor([[3.0, 4.0]])), torch.tensor([[0.6, 0.8]]))
    assert unit(torch.ones(1, 4, dtype=torch.float16)).dtype == torch.float32
