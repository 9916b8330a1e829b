"""A small CLIP of each kind of towers that injections act in, made known to open_clip and timm by name."""

import open_clip
import timm
import torch
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig

SIZE = (32, 16)
EOS, BOS, PAD = 59, 58, 1
DIM, WIDTH, HEADS, LAYERS = 16, 32, 4, 2
TEXT = {"context_length": 20, "vocab_size": EOS + 1, "width": 24, "heads": 3, "layers": LAYERS}
SIGLIP_TEXT = TEXT | {
    "context_length": 12,
    "no_causal_mask": True,
    "proj_bias": True,
    "pool_type": "last",
    "norm_kwargs": {"eps": 1e-6},
}
TANH = {"act_kwargs": {"approximate": "tanh"}}
TRUNK = {"img_size": 32, "patch_size": 8, "embed_dim": WIDTH, "depth": LAYERS, "num_heads": HEADS}
SIGLIP = TRUNK | {"class_token": False}
ROPE = TRUNK | {"use_rot_pos_emb": True, "ref_feat_shape": (3, 3)}
EVA02 = ROPE | {"qkv_fused": False, "swiglu_mlp": True, "scale_mlp": True, "scale_attn_inner": True}
PE = ROPE | {
    "attn_type": "rope",
    "use_pre_transformer_norm": True,
    "rope_grid_offset": 1.0,
    "rope_grid_indexing": "xy",
}
TRUNKS = {
    "small_siglip": (VisionTransformer, SIGLIP),
    "small_registers": (
        VisionTransformer,
        TRUNK | {"reg_tokens": 2, "init_values": 0.4, "no_embed_class": True},
    ),
    "small_eva01": (Eva, TRUNK | {"init_values": 0.4}),
    "small_eva02": (Eva, EVA02),
    "small_eva02_post_norm": (Eva, TRUNK | {"use_post_norm": True}),
    "small_eva_packed": (Eva, ROPE | {"swiglu_mlp": True}),
    "small_pe": (Eva, PE | {"norm_layer": torch.nn.LayerNorm}),
}
PLAIN = {"image_size": 32, "layers": LAYERS, "width": WIDTH, "head_width": 8, "patch_size": 8}
# Of each name the pooling of its trunk and its text tower; those that are None are no model of timm.
KINDS = {
    "small_plain": (None, TEXT),
    "small_siglip": ("map", SIGLIP_TEXT),
    "small_siglip2": ("map", SIGLIP_TEXT | TANH),
    "small_registers": ("map", SIGLIP_TEXT | {"proj_type": "none", "width": DIM, "heads": 2}),
    "small_eva01": ("token", TEXT),
    "small_eva02": ("token", TEXT),
    "small_eva02_post_norm": ("token", TEXT),
    "small_eva_packed": ("token", TEXT),
    "small_pe": ("map", TEXT | {"no_causal_mask": True}),
}
IN_FRONT = [name for name, (_, text) in KINDS.items() if text.get("pool_type") == "last"]


def _trunk_maker(name):
    kind, fields = TRUNKS[name]

    def make(pretrained=False, pretrained_cfg=None, pretrained_cfg_overlay=None, cache_dir=None, **more):
        return kind(**fields | more)

    make.__name__ = name
    return make


def _config(name):
    pool, text = KINDS[name]
    if pool is None:
        return {"embed_dim": DIM, "vision_cfg": PLAIN, "text_cfg": text}
    trunk = name.replace("siglip2", "siglip")
    proj = "none" if "siglip" in name else None
    vision = {"image_size": 32, "timm_model_name": trunk, "timm_pool": pool, "timm_proj": proj}
    dim = WIDTH if proj == "none" else DIM
    return {"embed_dim": dim, "custom_text": True, "vision_cfg": vision, "text_cfg": text}


def register(monkeypatch):
    """Make the kinds known for as long as a test runs."""
    for name in TRUNKS:
        monkeypatch.setitem(timm.models._registry._model_entrypoints, name, _trunk_maker(name))
    for name in KINDS:
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, _config(name))


def build(name, image_size=SIZE, **options):
    """Return a small CLIP of a registered kind with lively random weights: every weight matters."""
    clip = load_clip(BackboneConfig(name=name, pretrained=None, image_size=image_size), seed=1, **options)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in clip.parameters():
            deviation = 0.3 if parameter.dim() < 2 else parameter[0].numel() ** -0.5
            parameter.normal_(std=deviation, generator=generator)
        for module in clip.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight += 1
    return clip


def images(n=3, size=SIZE):
    """Return random images [n, 3, height, width]."""
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(4))


def captions(clip, ends=(3, 6, 9)):
    """Return token ids [n, text_length] as the backbone's tokeniser would make them, of so many words."""
    tokens = torch.full((len(ends), clip.text_length), PAD if not clip.start_token else 0)
    words = torch.randint(2, 50, tokens.shape, generator=torch.Generator().manual_seed(5))
    for row, word, end in zip(tokens, words, ends, strict=True):
        row[:end] = word[:end]
        row[end] = EOS if clip.start_token else PAD
        if clip.start_token:
            row[0] = BOS
    return tokens
