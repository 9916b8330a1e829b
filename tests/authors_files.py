"""Checkpoints as the authors' code writes them, in its names and shapes, with random tensors of any backbone."""

import torch

from harness.clip.model import Clip


def clip_state(clip: Clip, seed: int = 3) -> dict[str, torch.Tensor]:
    """Return random towers by OpenAI's names, shaped like a backbone's; on `meta` where it is."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: _random(value.shape, generator, value.device) for name, value in clip.model.state_dict().items()
    }


def tbps_clip(clip: Clip, *, full: bool = True, seed: int = 3) -> dict[str, torch.Tensor]:
    """Return the state dict of TBPS-CLIP's model, with the self-supervised head where it is the full variant."""
    towers, make = clip_state(clip, seed), _maker(clip, seed)
    state = {
        name if name.startswith("visual.") else f"encode_text.{name}": value for name, value in towers.items()
    }
    state["logit_scale"] = make()
    if full:
        dim = clip.embed_dim
        state |= _linear("simclr_mlp.0", dim, 128, make) | _linear("simclr_mlp.2", 128, dim, make)
    return state


def irra(clip: Clip, *, persons: int, seed: int = 3) -> dict[str, torch.Tensor]:
    """Return the state dict of IRRA's model, trained on so many persons."""
    towers, make, dim = clip_state(clip, seed), _maker(clip, seed), clip.embed_dim
    words = towers["token_embedding.weight"].shape[0]
    state = {f"base_model.{name}": value for name, value in towers.items()}
    state |= _linear("classifier", dim, persons, make) | _attention("cross_attn", dim, make)
    for name in ("ln_pre_t", "ln_pre_i", "ln_post", "mlm_head.ln"):
        state |= _norm(name, dim, make)
    for layer in range(4):
        block = f"cross_modal_transformer.resblocks.{layer}"
        state |= _attention(f"{block}.attn", dim, make)
        state |= _norm(f"{block}.ln_1", dim, make) | _norm(f"{block}.ln_2", dim, make)
        state |= _linear(f"{block}.mlp.c_fc", dim, 4 * dim, make)
        state |= _linear(f"{block}.mlp.c_proj", 4 * dim, dim, make)
    return state | _linear("mlm_head.dense", dim, dim, make) | _linear("mlm_head.fc", dim, words, make)


def cskt(clip: Clip, *, length: int = 4, seed: int = 3) -> dict[str, torch.Tensor]:
    """Return the state dict of CSKT's model, with prompts in as many blocks as the shallower tower has."""
    make, image, text = _maker(clip, seed), clip.image_width, clip.text_width
    state = {f"base_model.{name}": value for name, value in clip_state(clip, seed).items()}
    for tower, layers, width in (("visual.", clip.image_layers, image), ("", clip.text_layers, text)):
        for layer in range(layers):
            block = f"base_model.{tower}transformer.resblocks.{layer}"
            state |= _norm(f"{block}.ln_3", width, make)
            state |= _linear(f"{block}.adapter_mlp.down", width, width // 8, make)
            state |= _linear(f"{block}.adapter_mlp.up", width // 8, width, make)
    state |= {"prompt_learner.ctx": make(length, text), "prompt_learner.vision": make(length, image)}
    state |= _linear("prompt_learner.tmap", text, image, make)
    state |= _linear("prompt_learner.vmap", image, text, make)
    for deep in range(min(clip.image_layers, clip.text_layers) - 1):
        state[f"prompt_learner.compound_prompts_text.{deep}"] = make(length, text)
        state[f"prompt_learner.compound_prompts_vision.{deep}"] = make(length, image)
        state |= _linear(f"prompt_learner.compound_prompt_projections.{deep}", text, image, make)
        state |= _linear(f"prompt_learner.compound_prompt_projections_vision.{deep}", image, text, make)
    return state


def dm_adapter(clip: Clip, *, n_experts: int = 6, seed: int = 3) -> dict[str, torch.Tensor]:
    """Return the state dict of DM-Adapter's model, with the parameters that nothing reads."""
    make, image, dim = _maker(clip, seed), clip.image_width, clip.embed_dim
    state = {f"base_model.{name}": value for name, value in clip_state(clip, seed).items()}
    for block, width in _blocks(clip):
        state |= _norm(f"{block}.ln_3", width, make) | {f"{block}.task_param": make(width)}
        for gate in ("input_gate", "task_gate"):
            state[f"{block}.feed_forward.{gate}.weight"] = make(n_experts, width)
        state[f"{block}.feed_forward.alpha"] = make()
        for expert in (f"{block}.feed_forward.experts.{number}" for number in range(n_experts)):
            state |= _linear(f"{expert}.down", width, width // 8, make)
            state |= _linear(f"{expert}.up", width // 8, width, make)
    for name, width in (("vision_param", image), ("text_param", dim), ("co_vision_param", image)):
        state[f"base_model.{name}"] = make(width)
    return state | _linear("base_model.v2i_proj", image, dim, make)


def up_person(clip: Clip, *, rank: int = 32, length: int = 10, seed: int = 3) -> dict[str, torch.Tensor]:
    """Return the state dict of UP-Person's model; the attention of each block names its prefixes once more."""
    make = _maker(clip, seed)
    state = {f"base_model.{name}": value for name, value in clip_state(clip, seed).items()}
    for block, width in _blocks(clip):
        kind, number = ("vit" if ".visual." in block else "text"), block.rpartition(".")[2]
        for adapter in ("adapter_ln_mlp", "adapter_ln_msa"):
            state |= _linear(f"{block}.{adapter}.down", width, width // 8, make)
            state |= _linear(f"{block}.{adapter}.up", width // 8, width, make)
        state |= {f"{block}.scale_1": make(), f"{block}.scale_2": make()}
        prefix = {"scale_to_grad": make()}
        for part in ("key", "val"):
            prefix |= {f"{part}.tokens": make(length, width), f"{part}.scaler.scale": make()}
        for name, value in prefix.items():
            state[f"{kind}_prefix_learner.{kind}_prefix.{number}.{name}"] = value
            state[f"{block}.attn.prefix.{name}"] = value
        lora = f"LORA_learner.lora_{'image' if kind == 'vit' else 'text'}.{number}"
        for part in range(2):
            state[f"{lora}.lora_A.{part}"] = make(rank, width)
            state[f"{lora}.lora_B.{part}"] = make(width, rank)
            state[f"{lora}.scale.{part}.scale"] = make()
    return state


def _blocks(clip):
    """Yield the beginning of each block's names, and the width of its tower."""
    for tower, layers, width in (
        ("visual.", clip.image_layers, clip.image_width),
        ("", clip.text_layers, clip.text_width),
    ):
        for layer in range(layers):
            yield f"base_model.{tower}transformer.resblocks.{layer}", width


def _maker(clip, seed):
    generator, device = torch.Generator().manual_seed(seed + 1), next(clip.model.parameters()).device
    return lambda *shape: _random(shape, generator, device)


def _random(shape, generator, device):
    if device.type == "meta":
        return torch.empty(shape, device="meta")
    return 0.1 * torch.randn(shape, generator=generator)


def _linear(name, width_in, width_out, make):
    return {f"{name}.weight": make(width_out, width_in), f"{name}.bias": make(width_out)}


def _norm(name, width, make):
    return {f"{name}.weight": make(width), f"{name}.bias": make(width)}


def _attention(name, dim, make):
    own = {f"{name}.in_proj_weight": make(3 * dim, dim), f"{name}.in_proj_bias": make(3 * dim)}
    return own | _linear(f"{name}.out_proj", dim, dim, make)
