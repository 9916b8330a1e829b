"""CSKT's two encoders, block by block, from the tensors of a checkpoint in the authors' names."""

import torch
from torch.nn.functional import conv2d, layer_norm

HEADS = 4


def encode_image(state, images):
    """Return embeddings [n, dim] of normalised images: prompts behind the patches, renewed before each block."""
    x = conv2d(images, state["base_model.visual.conv1.weight"], stride=8).flatten(2).transpose(1, 2)
    first = state["base_model.visual.class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([first, x], 1) + state["base_model.visual.positional_embedding"]
    n = len(x[0])
    for layer in range(4):
        if layer < 3:
            x = torch.cat([x[:, :n], _image_prompts(state, layer).expand(len(x), -1, -1)], 1)
        if layer == 0:
            x = _norm(state, "base_model.visual.ln_pre", x)
        x = _block(state, f"base_model.visual.transformer.resblocks.{layer}", x, 0.1, None)
    return _norm(state, "base_model.visual.ln_post", x[:, 0]) @ state["base_model.visual.proj"]


def encode_text(state, tokens):
    """Return embeddings [n, dim] of token ids [n, 77]: prompts in the eight places behind the first."""
    room = torch.zeros(len(tokens), 8, dtype=tokens.dtype)
    laid = torch.cat([tokens[:, :1], room, tokens[:, 1:]], 1)[:, :77].clone()
    for row, ids in zip(laid, tokens, strict=True):
        if ids.argmax() >= 69:
            row[76] = ids.max()
    x = state["base_model.token_embedding.weight"][laid]
    mask = torch.full((77, 77), -torch.inf).triu(1)
    for layer in range(3):
        x = torch.cat([x[:, :1], _text_prompts(state, layer).expand(len(x), -1, -1), x[:, 9:]], 1)
        if layer == 0:
            x = x + state["base_model.positional_embedding"]
        x = _block(state, f"base_model.transformer.resblocks.{layer}", x, 4.0, mask)
    ends = x[torch.arange(len(x)), laid.argmax(1)]
    return _norm(state, "base_model.ln_final", ends) @ state["base_model.text_projection"]


def _image_prompts(state, layer):
    p = "prompt_learner."
    if layer == 0:
        return torch.cat([_linear(state, f"{p}tmap", state[f"{p}ctx"]), state[f"{p}vision"]])
    text = state[f"{p}compound_prompts_text.{layer - 1}"]
    mapped = _linear(state, f"{p}compound_prompt_projections.{layer - 1}", text)
    return torch.cat([mapped, state[f"{p}compound_prompts_vision.{layer - 1}"]])


def _text_prompts(state, layer):
    p = "prompt_learner."
    if layer == 0:
        return torch.cat([state[f"{p}ctx"], _linear(state, f"{p}vmap", state[f"{p}vision"])])
    image = state[f"{p}compound_prompts_vision.{layer - 1}"]
    mapped = _linear(state, f"{p}compound_prompt_projections_vision.{layer - 1}", image)
    return torch.cat([state[f"{p}compound_prompts_text.{layer - 1}"], mapped])


def _block(state, name, x, scale, mask):
    u = x + _attention(state, f"{name}.attn", _norm(state, f"{name}.ln_1", x), mask)
    hidden = _linear(state, f"{name}.mlp.c_fc", _norm(state, f"{name}.ln_2", u))
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    low = _linear(state, f"{name}.adapter_mlp.down", _norm(state, f"{name}.ln_3", u)).relu()
    adapted = _linear(state, f"{name}.adapter_mlp.up", low)
    return u + _linear(state, f"{name}.mlp.c_proj", hidden) + scale * adapted


def _attention(state, name, x, mask):
    n, length, width = x.shape
    mixed = x @ state[f"{name}.in_proj_weight"].T + state[f"{name}.in_proj_bias"]
    query, key, value = (
        part.reshape(n, length, HEADS, -1).transpose(1, 2) for part in mixed.split(width, dim=-1)
    )
    scores = query @ key.transpose(2, 3) / (width // HEADS) ** 0.5
    weights = (scores if mask is None else scores + mask).softmax(-1)
    return _linear(state, f"{name}.out_proj", (weights @ value).transpose(1, 2).reshape(n, length, width))


def _linear(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _norm(state, name, x):
    return layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])
