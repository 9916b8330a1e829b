"""Gradient caching: memory and time of 320 pairs embedded 32 at a time, beside plain steps of 320 and of 32."""

from benchmarks.common import Outcome, apart, claim, cpu_seconds, outcome

COMMAND = "python -m benchmarks gradient_cache"
LARGE, SMALL = 320, 32
CAPTION = (
    "a young woman with long dark hair wears a red coat, blue jeans and white shoes and carries a brown bag"
)


def one_step(n: int, part_size: int) -> tuple[int, float]:
    """Return the bytes that a step of `n` pairs takes beyond model and batch, and its processor seconds."""
    import torch

    from harness.clip.model import load_clip
    from harness.method_parts.batch import Batch
    from harness.methods import METHODS
    from harness.presets.resolve import resolve
    from harness.train.cost import PeakMemory, resident_high_water
    from harness.train.gradient_cache import GradientCache

    torch.set_num_threads(1)
    config = resolve("tbps_clip", "icfg", synthetic=True, presets=["simplified"])
    clip = load_clip(config.backbone)
    method = METHODS.get("tbps_clip")(clip, config.method).train()
    batch = Batch(
        torch.randn(n, 3, *clip.image_size), clip.cut(clip.tokenize([CAPTION] * n)), torch.arange(n) // 2
    )
    cache = GradientCache(method, method, part_size)

    def step() -> None:
        if part_size:
            cache.step(batch, lambda total: total.backward())
        else:
            method(batch).total.backward()

    for parameter in method.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with PeakMemory("cpu") as nothing:
        pass
    with PeakMemory("cpu") as memory:
        step()
    assert resident_high_water() >= memory.bytes
    return memory.bytes - nothing.bytes, cpu_seconds(step)


def run() -> Outcome:
    """Measure the three ways on the tiny CLIP, Simplified TBPS-CLIP, one thread."""
    whole, small, cached = (apart(one_step, *sizes) for sizes in ((LARGE, 0), (SMALL, 0), (LARGE, SMALL)))
    claims = [
        claim(
            f"memory of {LARGE} pairs, {SMALL} at a time, over that of {SMALL}",
            cached[0] / small[0],
            unit="x",
            at_most=2,
        ),
        claim(f"memory of {LARGE} pairs at once over that of {SMALL}", whole[0] / small[0], unit="x"),
        claim(
            f"time of {LARGE} pairs, {SMALL} at a time, over all at once",
            cached[1] / whole[1],
            unit="x",
            at_most=2,
        ),
    ]
    facts = {
        name: {"bytes": found[0], "seconds": found[1]}
        for name, found in (("whole", whole), ("small", small), ("cached", cached))
    }
    return outcome("Gradient caching", COMMAND, claims, **facts)
