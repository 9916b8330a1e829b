"""DM-Adapter and UP-Person in plain loops over sequences, heads and tokens, from tensors in the authors' names."""

import math
from typing import NamedTuple

import torch

PATCH = 8


class Found(NamedTuple):
    """Embeddings [n, dim] of one tower, and what its blocks add to the load-balancing loss."""

    embeddings: torch.Tensor
    balance: float = 0.0


class Tower:
    """One tower of CLIP in float64; what a method does inside its blocks is the business of its subclasses."""

    def __init__(self, state, tower, heads):
        self.state = {name: value.double() for name, value in state.items()}
        self.tower, self.heads, self.causal = tower, heads, tower == "text"
        self.beginning = "base_model." + ("visual." if tower == "image" else "")
        self.n_blocks = sum(
            name.startswith(self.beginning + "transformer") and name.endswith("ln_1.bias") for name in state
        )

    def w(self, name):
        return self.state[name]

    def linear(self, name, x):
        return x @ self.w(name + ".weight").T + self.w(name + ".bias")

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)
        return scaled * self.w(name + ".weight") + self.w(name + ".bias")

    def block_name(self, layer):
        return f"{self.beginning}transformer.resblocks.{layer}"

    def run(self, x):
        """Pass [length, width] through all blocks."""
        for layer in range(self.n_blocks):
            name = self.block_name(layer)
            u = x + self.attention(layer, self.attention_reads(name, x))
            hidden = self.linear(name + ".mlp.c_fc", self.mlp_reads(name, u))
            fed = self.linear(name + ".mlp.c_proj", hidden / (1 + torch.exp(-1.702 * hidden)))
            x = u + fed + self.beside(name, u)
        return x

    def attention_reads(self, name, x):
        return self.norm(name + ".ln_1", x)

    def mlp_reads(self, name, u):
        return self.norm(name + ".ln_2", u)

    def beside(self, name, u):
        return 0.0

    def projections(self, layer):
        """Return the maps of queries, keys and values."""
        return self.w(self.block_name(layer) + ".attn.in_proj_weight").chunk(3)

    def prefix(self, layer):
        """Return keys and values that stand behind the first place, and the factor on what is read of them."""
        width = self.w(self.block_name(layer) + ".ln_1.bias").shape[0]
        return torch.zeros(0, width), torch.zeros(0, width), 1.0

    def attention(self, layer, x):
        name, (length, width) = self.block_name(layer) + ".attn", x.shape
        biases = self.w(name + ".in_proj_bias").chunk(3)
        query, key, value = (
            x @ weight.T + bias for weight, bias in zip(self.projections(layer), biases, strict=True)
        )
        keys, values, factor = self.prefix(layer)
        key, value = (torch.cat([own[:1], more, own[1:]]) for own, more in ((key, keys), (value, values)))
        n_more, size = len(keys), width // self.heads
        made = torch.zeros(length, width, dtype=torch.float64)
        times = torch.ones(length + n_more, dtype=torch.float64)
        times[1 : 1 + n_more] = factor
        for head in range(self.heads):
            part = slice(head * size, (head + 1) * size)
            for place in range(length):
                # Places behind the first one have moved by the length of the prefix.
                seen = 1 + n_more + (place if self.causal else length - 1)
                raised = torch.exp(key[:seen, part] @ query[place, part] / math.sqrt(size))
                made[place, part] = times[:seen] * raised / raised.sum() @ value[:seen, part]
        return self.linear(name + ".out_proj", made)

    def image(self, picture):
        name, kernel = self.beginning, self.w(self.beginning + "conv1.weight").flatten(1)
        height, width = picture.shape[1:]
        patches = [
            kernel @ picture[:, top : top + PATCH, left : left + PATCH].double().flatten()
            for top in range(0, height, PATCH)
            for left in range(0, width, PATCH)
        ]
        x = torch.stack([self.w(name + "class_embedding"), *patches]) + self.w(name + "positional_embedding")
        x = self.run(self.norm(name + "ln_pre", x))
        return self.norm(name + "ln_post", x)[0] @ self.w(name + "proj")

    def text(self, caption):
        x = self.w("base_model.token_embedding.weight")[caption]
        x = self.run(x + self.w("base_model.positional_embedding"))
        end = caption.tolist().index(int(caption.max()))
        return self.norm("base_model.ln_final", x)[end] @ self.w("base_model.text_projection")

    def embed(self, rows):
        """Return the embeddings of pictures or captions in float32."""
        one = self.image if self.tower == "image" else self.text
        return torch.stack([one(row) for row in rows]).float()


class Mixed(Tower):
    """DM-Adapter: each token is read by the few of all adapters that score highest."""

    def __init__(self, state, tower, heads, scale, top_k):
        super().__init__(state, tower, heads)
        self.scale, self.top_k = scale, top_k
        self.gates, self.counts, self.n_tokens = {}, {}, {}

    def beside(self, name, u):
        moe = name + ".feed_forward"
        share = float(self.w(moe + ".alpha"))
        domain = self.w(moe + ".task_gate.weight") @ self.w(name + ".task_param")
        n_experts, rows = len(domain), []
        gates, counts = (
            self.gates.setdefault(name, [0.0] * n_experts),
            self.counts.setdefault(name, [0] * n_experts),
        )
        for token in self.norm(name + ".ln_3", u):
            scores = ((1 - share) * (self.w(moe + ".input_gate.weight") @ token) + share * domain).tolist()
            picked = sorted(range(n_experts), key=lambda expert: -scores[expert])[: self.top_k]
            whole, chosen = (sum(math.exp(scores[i]) for i in some) for some in (range(n_experts), picked))
            row = torch.zeros_like(token)
            for expert in picked:
                low = self.linear(f"{moe}.experts.{expert}.down", token).clamp(min=0)
                row += math.exp(scores[expert]) / chosen * self.linear(f"{moe}.experts.{expert}.up", low)
                counts[expert] += 1
            for expert in range(n_experts):
                gates[expert] += math.exp(scores[expert]) / whole
            rows.append(row)
        self.n_tokens[name] = self.n_tokens.get(name, 0) + len(u)
        return self.scale * torch.stack(rows)

    def balance(self):
        """Return mean gate times mean count over all tokens, summed over adapters and blocks."""
        return sum(
            gate / n * count / n
            for name, n in self.n_tokens.items()
            for gate, count in zip(self.gates[name], self.counts[name], strict=True)
        )


class Unified(Tower):
    """UP-Person: prefixes, updates of the maps of keys and values, and adapters around both norms of a block."""

    def projections(self, layer):
        lora = f"LORA_learner.lora_{self.tower}.{layer}"
        query, *others = super().projections(layer)
        return query, *(
            own
            + self.w(f"{lora}.scale.{i}.scale") * self.w(f"{lora}.lora_B.{i}") @ self.w(f"{lora}.lora_A.{i}")
            for i, own in enumerate(others)
        )

    def prefix(self, layer):
        kind = "vit" if self.tower == "image" else "text"
        name = f"{kind}_prefix_learner.{kind}_prefix.{layer}"
        keys, values = (
            self.w(f"{name}.{p}.scaler.scale") * self.w(f"{name}.{p}.tokens") for p in ("key", "val")
        )
        return keys, values, float(self.w(name + ".scale_to_grad"))

    def adapted(self, name, x):
        return self.linear(name + ".up", self.linear(name + ".down", x).clamp(min=0))

    def attention_reads(self, name, x):
        more = self.w(name + ".scale_1") * self.adapted(name + ".adapter_ln_msa", x)
        return super().attention_reads(name, x) + more

    def mlp_reads(self, name, u):
        return super().mlp_reads(name, u) + self.w(name + ".scale_2") * self.adapted(
            name + ".adapter_ln_mlp", u
        )


def dm_adapter(state, images, tokens, *, heads=(2, 2), top_k=2, image_scale=0.1, text_scale=4.0):
    """Return what DM-Adapter finds for images and for captions."""
    image = Mixed(state, "image", heads[0], image_scale, top_k)
    text = Mixed(state, "text", heads[1], text_scale, top_k)
    embeddings = image.embed(images), text.embed(tokens)
    return Found(embeddings[0], image.balance()), Found(embeddings[1], text.balance())


def up_person(state, images, tokens, *, heads=(2, 2)):
    """Return UP-Person's embeddings of images and of captions."""
    return Unified(state, "image", heads[0]).embed(images), Unified(state, "text", heads[1]).embed(tokens)
