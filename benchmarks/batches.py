"""Training batches from the image store against decoding and augmenting one file after the other."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from benchmarks.common import Outcome, claim, cpu_seconds, outcome, wall_seconds
from harness.config.augment import AugmentConfig
from harness.datasets import Pairs
from harness.images.augment import STATISTICS, Augment
from harness.images.store import open_images
from harness.train.batch_content import Samples
from harness.train.batches import Batches

SIZE, N_IMAGES, BATCH_SIZE, REPEATS = (384, 128), 512, 64, 5


def baseline(files: list[Path], order: Tensor) -> Iterator[Tensor]:
    """Yield batches as the published codes make them: every image decoded and transformed on its own."""
    mean, deviation = STATISTICS["clip"]
    transform = transforms.Compose(
        [
            transforms.Resize(SIZE),
            transforms.RandomHorizontalFlip(0.5),
            transforms.Pad(10),
            transforms.RandomCrop(SIZE),
            transforms.ToTensor(),
            transforms.Normalize(mean, deviation),
            transforms.RandomErasing(scale=(0.02, 0.4), value=mean),
        ]
    )
    for places in torch.split(order, BATCH_SIZE):
        yield torch.stack([transform(Image.open(files[i]).convert("RGB")) for i in places.tolist()])


def run() -> Outcome:
    """Measure both with one thread and warm files."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        files = draw_files(Path(folder) / "files")
        images = open_images(files, SIZE, folder=Path(folder) / "store")
        owners = list(range(N_IMAGES))
        pairs = Pairs(images=[], identities=owners, captions=[], owners=owners)
        tokens = torch.arange(N_IMAGES)[:, None].repeat(1, 77)
        samples = Samples(images, Augment(AugmentConfig(), SIZE), tokens)
        return compare(files, Batches(pairs, samples, batch_size=BATCH_SIZE, seed=1))


def compare(files: list[Path], batches: Batches) -> Outcome:
    """Time whole epochs of both sides and judge the ratios."""

    def ours() -> float:
        return mean_pixel(batch.images for batch in batches.epoch(1) if batch.images is not None)

    def theirs() -> float:
        return mean_pixel(baseline(files, torch.randperm(N_IMAGES)))

    cpu, wall = rates(cpu_seconds, ours, theirs), rates(wall_seconds, ours, theirs)
    claims = [
        claim("images per second of CPU time against file by file", cpu[0] / cpu[1], unit="x", at_least=6),
        claim("images per second of wall time against file by file", wall[0] / wall[1], unit="x", at_least=6),
        claim("training images per second of CPU time, one core", cpu[0], unit="1/s"),
        claim("the same file by file", cpu[1], unit="1/s"),
    ]
    return outcome(
        "Training batches, 384x128, flip, pad-crop, normalise, erase, float32",
        "python -m benchmarks batches",
        claims,
        n_images=N_IMAGES,
        batch_size=BATCH_SIZE,
        mean_file_bytes=sum(file.stat().st_size for file in files) / len(files),
        mean_pixel=ours(),
        mean_pixel_file_by_file=theirs(),
    )


def mean_pixel(batches: Iterator[Tensor]) -> float:
    """Return the mean of a sample of normalised pixels: both sides must show the same world."""
    return float(np.mean([float(images[:, :, ::16, ::16].mean()) for images in batches]))


def rates(clock: Callable[..., float], *sides: Callable[[], object]) -> list[float]:
    """Return the images per second of each side, best of some repeats."""
    return [N_IMAGES / clock(side, REPEATS) for side in sides]


def draw_files(folder: Path) -> list[Path]:
    """Write JPEG files of the sizes of ICFG-PEDES (378x142 on average), smooth with some grain."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    return [draw_file(folder / f"{place}.jpg", generator) for place in range(N_IMAGES)]


def draw_file(path: Path, generator: np.random.Generator) -> Path:
    """Write one picture: coarse noise, enlarged, with fine noise on top."""
    height = int(np.clip(generator.normal(378, 60), 150, 700))
    width = int(height * np.clip(generator.normal(142 / 378, 0.04), 0.25, 0.6))
    coarse = generator.integers(0, 256, (24, 9, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    grain = generator.normal(0, 6, (height, width, 1))
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(path, quality=85)
    return path
