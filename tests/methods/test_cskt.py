"""CSKT against a second, plain forward that shares no code with the harness, and against its known counts."""

import math

import pytest
import torch

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.methods import METHODS
from harness.presets.resolve import resolve


class Naive:
    """One picture or caption at a time, one head at a time, softmax written out; weights read by name."""

    def __init__(self, method, length, depth, directions, towers, reduction_scales):
        self.weights = {name: value.detach().double() for name, value in method.state_dict().items()}
        self.n, self.depth, self.directions, self.towers = length, depth, directions, towers
        self.scales = reduction_scales

    def w(self, name):
        return self.weights[name]

    def linear(self, name, x):
        return x @ self.w(name + ".weight").T + self.w(name + ".bias")

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdim=True)
        variance = (centred**2).mean(-1, keepdim=True)
        return centred / torch.sqrt(variance + 1e-5) * self.w(name + ".weight") + self.w(name + ".bias")

    def attention(self, name, x, heads, causal):
        length, width = x.shape
        size = width // heads
        packed = x @ self.w(name + ".in_proj_weight").T + self.w(name + ".in_proj_bias")
        outputs = []
        for head in range(heads):
            q, k, v = (packed[:, i * width + head * size : i * width + (head + 1) * size] for i in range(3))
            scores = q @ k.T / math.sqrt(size)
            if causal:
                later = torch.arange(length)[None, :] > torch.arange(length)[:, None]
                scores = scores.masked_fill(later, -math.inf)
            exponentials = torch.exp(scores - scores.max(1, keepdim=True).values)
            outputs.append(exponentials / exponentials.sum(1, keepdim=True) @ v)
        return self.linear(name + ".out_proj", torch.cat(outputs, dim=1))

    def block(self, tower, layer, x, heads):
        prefix = "clip.model.visual." if tower == "image" else "clip.model."
        name = f"{prefix}transformer.resblocks.{layer}"
        u = x + self.attention(name + ".attn", self.norm(name + ".ln_1", x), heads, tower == "text")
        hidden = self.linear(name + ".mlp.c_fc", self.norm(name + ".ln_2", u))
        y = u + self.linear(name + ".mlp.c_proj", hidden / (1 + torch.exp(-1.702 * hidden)))
        if self.towers in (tower, "both"):
            adapter = f"{tower}_injection.adapters.layers.{layer}"
            narrow = torch.clamp(self.linear(adapter + ".down", self.norm(adapter + ".norm", u)), min=0)
            y = y + self.scales[tower] * self.linear(adapter + ".up", narrow)
        return y

    def image_prompts(self, layer):
        rows = []
        if self.directions in ("t2i", "both"):
            rows.append(self.linear(f"prompts.text_to_image.{layer}", self.w("prompts.text_own")[layer]))
        if self.directions != "t2i":
            rows.append(self.w("prompts.image_own")[layer])
        return torch.cat(rows)

    def text_prompts(self, layer):
        rows = []
        if self.directions != "i2t":
            rows.append(self.w("prompts.text_own")[layer])
        if self.directions in ("i2t", "both"):
            rows.append(self.linear(f"prompts.image_to_text.{layer}", self.w("prompts.image_own")[layer]))
        return torch.cat(rows)

    def image(self, picture, patch=8, heads=4):
        visual = "clip.model.visual."
        kernel = self.w(visual + "conv1.weight").flatten(1)
        height, width = picture.shape[1:]
        patches = [
            kernel @ picture[:, top : top + patch, left : left + patch].double().flatten()
            for top in range(0, height, patch)
            for left in range(0, width, patch)
        ]
        x = torch.stack([self.w(visual + "class_embedding"), *patches])
        x = x + self.w(visual + "positional_embedding")
        n_real = len(x)
        x = self.norm(visual + "ln_pre", torch.cat([x, self.image_prompts(0)]))
        for layer in range(12):
            if 1 <= layer < self.depth:
                x = torch.cat([x[:n_real], self.image_prompts(layer)])
            x = self.block("image", layer, x, heads)
        return self.norm(visual + "ln_post", x)[0] @ self.w(visual + "proj"), len(x)

    def text(self, caption, heads=3, room=77):
        ids = caption.tolist()
        end = ids.index(max(ids))
        k = len(self.text_prompts(0))
        if end < room - k:
            new = [ids[0]] + [5] * k + ids[1 : room - k]
        else:
            new = [ids[0]] + [5] * k + ids[1 : room - k - 1] + [ids[end]]
        assert len(new) == room
        assert new.index(max(new)) == min(end + k, room - 1)
        x = torch.stack([self.w("clip.model.token_embedding.weight")[i] for i in new])
        x[1 : 1 + k] = self.text_prompts(0)
        x = x + self.w("clip.model.positional_embedding")
        for layer in range(12):
            if 1 <= layer < self.depth:
                x[1 : 1 + k] = self.text_prompts(layer)
            x = self.block("text", layer, x, heads)
        x = self.norm("clip.model.ln_final", x)
        return x[new.index(max(new))] @ self.w("clip.model.text_projection")


CASES = [
    *[{"prompt_depth": depth} for depth in (1, 9, 12)],
    *[{"directions": directions, "prompt_depth": 9} for directions in ("t2i", "i2t", "none")],
    *[{"adapter_towers": towers} for towers in ("image", "text", "none")],
    {"directions": "t2i", "adapter_towers": "image", "prompt_depth": 1, "prompt_length": 2, "reduction": 4},
]
ENDS = (5, 40, 67, 68, 69, 70, 75, 76)


@pytest.mark.parametrize("fields", CASES, ids=str)
def test_embeddings_equal_those_of_the_plain_forward(build, captions, enliven, fields):
    method = build("cskt", **fields)
    with torch.no_grad():
        for name, parameter in method.trainable():
            if "norm" not in name:
                parameter.normal_(std=0.3)
    enliven(method.image_injection)
    enliven(method.text_injection)
    config = method.config
    naive = Naive(
        method,
        config.prompt_length,
        config.prompt_depth,
        config.directions,
        config.adapter_towers,
        {"image": 0.1, "text": 4.0},
    )
    images, tokens = torch.randn(2, 3, 32, 16), captions(*ENDS)
    with torch.no_grad():
        image, text = method.encode_image(images), method.encode_text(tokens)
    expected = torch.stack([naive.image(picture)[0] for picture in images])
    torch.testing.assert_close(image, expected.float(), atol=1e-5, rtol=1e-5)
    expected = torch.stack([naive.text(caption) for caption in tokens])
    torch.testing.assert_close(text, expected.float(), atol=1e-5, rtol=1e-5)


def test_captions_cut_to_the_longest_of_the_batch_have_the_same_embeddings(build, captions):
    method = build("cskt")
    tokens = captions(5, 12, 20)
    with torch.no_grad():
        torch.testing.assert_close(method.encode_text(tokens[:, :21]), method.encode_text(tokens))


@pytest.mark.parametrize(
    ("backbone", "size", "trainable", "total", "extra"),
    [
        ("ViT-B-16-quickgelu", (384, 128), 12_117_888, 161_735_552, 122_880 + 2_603_904),
        ("ViT-L-14", (224, 224), 27_148_416, None, 12 * 8 * (1024 + 768) + 8_166_528),
    ],
)
def test_counts_on_published_backbones(backbone, size, trainable, total, extra):
    method = _blueprint("cskt", backbone, size)
    assert sum(p.numel() for _, p in method.trainable()) == trainable
    assert total is None or sum(p.numel() for p in method.parameters()) == total
    assert method.folded_parameters() == extra


@pytest.mark.parametrize(
    ("name", "fields", "trainable"),
    [
        ("prompt_only", {}, 9_513_984),
        ("prompt_only", {"directions": "t2i"}, 24_576 + 4_727_808),
        ("prompt_only", {"directions": "i2t"}, 36_864 + 4_724_736),
        ("prompt_only", {"directions": "none"}, 61_440),
        ("adapter_only", {}, 2_603_904),
        ("adapter_only", {"adapter_towers": "image"}, 1_779_840 + 12 * 2 * 768),
        ("adapter_only", {"adapter_towers": "text"}, 793_344 + 12 * 2 * 512),
        ("linear_probe", {}, 524_288),
        ("full_finetune", {}, 149_617_664),
        ("zero_shot", {}, 0),
    ],
)
def test_counts_of_the_parts(name, fields, trainable):
    method = _blueprint(name, "ViT-B-16-quickgelu", (384, 128), **fields)
    assert sum(p.numel() for _, p in method.trainable()) == trainable


def test_image_tower_reads_201_tokens_and_text_tower_77():
    method = _blueprint("cskt", "ViT-B-16-quickgelu", (384, 128))
    lengths = {}
    for tower in ("image", "text"):
        blocks = (method.clip.model.visual if tower == "image" else method.clip.model).transformer.resblocks
        blocks[-1].mlp.c_proj.register_forward_hook(
            lambda module, given, out, tower=tower: lengths.__setitem__(tower, out.shape[1])
        )
    method.encode_image(torch.zeros(1, 3, 384, 128, device="meta"))
    method.encode_text(torch.zeros(1, 77, dtype=torch.long, device="meta"))
    assert lengths == {"image": 201, "text": 77}


def test_zeroed_adapters_without_prompts_are_plain_clip(build, captions):
    method = build("adapter_only", init="zero")
    stock = method.clip.model
    images, tokens = torch.randn(2, 3, 32, 16), captions(5, 76)
    with torch.no_grad():
        torch.testing.assert_close(method.encode_image(images), stock.encode_image(images))
        torch.testing.assert_close(method.encode_text(tokens), stock.encode_text(tokens))
        released = build("adapter_only")
        assert not torch.allclose(released.encode_text(tokens), stock.encode_text(tokens), atol=1e-3)


def test_initial_values_are_those_released(build):
    drawn = {"prompts.text_own": [], "prompts.image_own": [], "map": [], "down": [], "up": []}
    for name, parameter in build("cskt").trainable():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif name.endswith("norm.weight"):
            assert torch.all(parameter == 1), name
        else:
            kind = next((kind for kind in drawn if kind in name), "map")
            drawn[kind].append(parameter.detach().flatten())
    for kind, values in drawn.items():
        pooled = torch.cat(values)
        assert abs(float(pooled.std()) - 0.02) < 4 * 0.02 / math.sqrt(2 * len(pooled)), kind
        assert abs(float(pooled.mean())) < 4 * 0.02 / math.sqrt(len(pooled)), kind


def test_towers_of_different_depth_carry_the_last_prompts_on(build):
    method = build("cskt", backbone="shallow")
    assert method.prompts.depth == 2
    assert len(method.image_injection.adapters.layers) == 4
    assert len(method.text_injection.adapters.layers) == 2


def test_the_released_preset_is_the_authors_code():
    config = resolve("cskt", "icfg", presets=["released"])
    assert config.train.precision == "pure-fp16"
    assert (config.eval.rule, config.eval.test_each_epoch) == ("oracle", True)
    assert (config.train.batch_size, config.train.epochs, config.seed) == (128, 60, 1)
    assert (config.method.lr, config.method.eps, config.method.temperature) == (3e-4, 1e-3, 0.02)
    assert (config.dataset.val, config.backbone.image_size) == ("none", (384, 128))


def _blueprint(name, backbone, size, **fields):
    method_class = METHODS.get(name)
    clip = load_clip(BackboneConfig(name=backbone, pretrained=None, image_size=size), device="meta")
    with torch.device("meta"):
        return method_class(clip, method_class.Config(name=name, **fields))
