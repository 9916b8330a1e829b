"""Views for a self-supervised loss: time and pixels against Pillow, from files and from the store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms import functional

from benchmarks.common import Claim, Outcome, claim, cpu_seconds, outcome
from harness.datasets import DATASETS
from harness.images.augment import STATISTICS
from harness.images.contrast_views import ContrastViews, ViewDraws, originals
from harness.images.draws import crop_boxes
from harness.images.store import Images, open_images
from harness.twins.writer import write_twin

SIZE, N_IMAGES, REPEATS = (224, 224), 96, 3
SURVEILLANCE, LARGE = (
    378,
    1100,
)  # heights in pixels: the mean of ICFG-PEDES, and a large picture
_ADJUST = (
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
    functional.adjust_hue,
)


def by_pillow(image: Image.Image, draws: ViewDraws, place: int, size: tuple[int, int] = SIZE) -> Tensor:
    """Return the view of one image, 0 to 1 [3, height, width], made by Pillow from the drawn parameters."""
    numbers, changes = draws.crop[place : place + 1].transpose(0, 1), draws.changes
    extent = torch.tensor([[image.height, image.width]])
    (box,) = crop_boxes(numbers, extent, 0.2, shape=size[1] / size[0]).tolist()
    top, left, height, width = box
    view = functional.resized_crop(image, top, left, height, width, list(size))
    jitter, grey, blur, flip = changes.acts[place].tolist()
    parameters = changes.parameters[place].tolist()
    for number in map(int, parameters[0][:4] if jitter else []):
        view = _ADJUST[number](view, parameters[0][4 + number])
    view = functional.to_grayscale(view, 3) if grey else view
    view = view.filter(ImageFilter.GaussianBlur(parameters[2][0])) if blur else view
    pixels: Tensor = functional.to_tensor(functional.hflip(view) if flip else view)
    return pixels


def write_people(folder: Path, height: int) -> list[Path]:
    """Write pictures of the ICFG twin, enlarged to about a height, as JPEG."""
    twin = write_twin(DATASETS.get("icfg"), folder / "twin", identities=48, workers=1)
    files = sorted(twin.rglob("*.jpg"))[:N_IMAGES]
    (folder / str(height)).mkdir()
    return list(_enlarged(files, folder / str(height), height))


def _enlarged(files: list[Path], folder: Path, height: int) -> Iterator[Path]:
    for place, file in enumerate(files):
        picture = Image.open(file)
        size = (round(picture.width * height / picture.height), height)
        picture.resize(size, Image.Resampling.BICUBIC).save(folder / f"{place}.jpg", quality=90)
        yield folder / f"{place}.jpg"


def levels(views: Tensor) -> Tensor:
    """Return normalised views in levels of 0 to 255."""
    mean, deviation = (torch.tensor(x).view(3, 1, 1) for x in STATISTICS["clip"])
    return 255 * (views * deviation + mean)


def sources(images: Images) -> dict[str, Callable[[], list[Tensor]]]:
    """Return what views can be cropped from."""
    places = range(len(images))
    return {
        "the files": lambda: originals(images, places),
        "the store": lambda: list(images.read(places)),
    }


def compare(files: list[Path], folder: Path, what: str) -> list[Claim]:
    """Measure time and difference to Pillow of each source."""
    images, views = open_images(files, SIZE, folder=folder, workers=1), ContrastViews(SIZE)
    draws = views.draw(len(files), torch.Generator().manual_seed(1))

    def pillow() -> Tensor:
        return torch.stack([by_pillow(Image.open(x).convert("RGB"), draws, i) for i, x in enumerate(files)])

    expected = 255 * pillow()
    claims = [claim(f"{what}, Pillow as released: time of a view", _milliseconds(pillow), unit="ms")]
    for name, source in sources(images).items():
        difference = levels(views.apply(source(), draws)) - expected
        spent = _milliseconds(lambda source=source: views.apply(source(), draws))  # type: ignore[misc]
        exact = name == "the files"
        claims += [
            claim(f"{what}, {name}: time of a view", spent, unit="ms"),
            claim(
                f"{what}, {name}: mean difference to Pillow's levels of 0 to 255",
                float(difference.abs().mean()),
                at_most=2 if exact else None,
            ),
            claim(
                f"{what}, {name}: PSNR", float(10 * (255**2 / difference.square().mean()).log10()), unit="dB"
            ),
        ]
    return claims


def _milliseconds(work: Callable[[], object]) -> float:
    return cpu_seconds(work, REPEATS) / N_IMAGES * 1e3


def run() -> Outcome:
    """Measure with one thread and warm files."""
    torch.set_num_threads(1)
    claims = []
    with TemporaryDirectory() as place:
        for height, what in ((SURVEILLANCE, f"{SURVEILLANCE} pixels high"), (LARGE, f"{LARGE} pixels high")):
            claims += compare(write_people(Path(place), height), Path(place) / "store", what)
    return outcome(
        "Views for a self-supervised loss, 224x224, pictures of the ICFG twin, one core",
        "python -m benchmarks contrast_views",
        claims,
        n_images=N_IMAGES,
    )
