"""Who is in a twin and which pictures are taken of whom, before anything is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from harness.datasets import Counts, Domain, Shot
from harness.errors import UsageError
from harness.twins.drawing.people import Person, draw_persons
from harness.twins.drawing.views import draw_facings

_FEWEST = 2


@dataclass(frozen=True)
class Order:
    """One picture to be taken: everything a worker needs besides the domain.

    Attributes:
        number: identity as the annotation file has it.
        image: path below the image folder.
        seed: text that seeds the picture's circumstances and captions.
        body_seed: source of what all pictures of the person share.
        n_caption: captions to write; None for as many as the domain's speech draws.
        source: which of the domain's looks it has.
    """

    person: Person
    number: int
    split: str
    image: str
    facing: str
    seed: str
    body_seed: int
    n_caption: int | None = None
    source: str = ""


def share_of(real: Mapping[str, Counts], share: float) -> dict[str, Counts]:
    """Return a share of the published counts of each split, but two identities and one image of each at least."""
    found = {}
    for split, counts in real.items():
        identities, images, captions = (round(share * count) for count in counts)
        identities = max(_FEWEST, identities)
        images = max(identities, images)
        found[split] = Counts(identities, images, max(images, captions))
    return found


def split_sizes(domain: Domain, real: Mapping[str, int], identities: int | None) -> dict[str, int]:
    """Return how many identities each split gets: the small default, or `identities` in the real proportions."""
    if identities is None:
        return {split: domain.small[split] for split in real}
    if identities < _FEWEST * len(real):
        fewest = _FEWEST * len(real)
        raise UsageError(
            f"{identities} identities are too few for the splits {', '.join(real)}: ask for {fewest} or more."
        )
    total, left = sum(real.values()), identities
    sizes = {}
    for split in sorted(real, key=lambda name: real[name]):
        sizes[split] = max(_FEWEST, round(identities * real[split] / total))
    largest = max(real, key=lambda name: real[name])
    sizes[largest] = left - sum(size for split, size in sizes.items() if split != largest)
    return {split: sizes[split] for split in real}


def plan_pictures(
    domain: Domain, name: str, sizes: Mapping[str, int], seed: int, exact: Mapping[str, Counts] | None = None
) -> list[Order]:
    """Return the pictures of a twin in file order: split by split, person by person.

    Identities of each split are `sizes`; with `exact` counts, images and captions are as many as those say, dealt
    evenly, else as many as the domain draws.
    """
    taken: set[Person] = set()
    orders: list[Order] = []
    first = 0
    for split, size in sizes.items():
        random = Random(f"{name} {seed} {split}")
        n_images = _dealt(exact[split].images, size) if exact else [None] * size
        own: list[Order] = []
        for offset, person in enumerate(draw_persons(size, random, taken)):
            running = len(orders) + len(own)
            own += _pictures_of(
                person, first + offset, split, domain, f"{name} {seed}", n_images[offset], running
            )
        if exact:
            n_captions = _dealt(exact[split].captions, len(own))
            own = [replace(order, n_caption=n) for order, n in zip(own, n_captions, strict=True)]
        orders += own
        first += size
    return orders


def _dealt(total: int, n: int) -> list[int]:
    """Deal a total to n as evenly as whole numbers can be."""
    return [total * (place + 1) // n - total * place // n for place in range(n)]


def _pictures_of(
    person: Person, identity: int, split: str, domain: Domain, seed: str, n_image: int | None, running: int
) -> list[Order]:
    random = Random(f"{seed} {identity}")
    body_seed = random.getrandbits(32)
    single = split == "train" and random.random() < domain.singles
    count = n_image or (1 if single else random.randint(*domain.images))
    cameras = random.sample(range(1, domain.form.cameras + 1), min(count, domain.form.cameras))
    sources = list(domain.looks)
    orders = []
    for index, facing in enumerate(draw_facings(count, random)):
        shot = Shot(identity, split, index, cameras[index % len(cameras)], running + index)
        orders.append(
            Order(
                person=person,
                number=identity + domain.form.first_id,
                split=split,
                image=domain.form.name_image(shot, random),
                facing=facing,
                seed=f"{seed} {identity} {index}",
                body_seed=body_seed,
                source=sources[identity % len(sources)],
            )
        )
    return orders
