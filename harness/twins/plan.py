"""Who is in a twin and which pictures are taken of whom, before anything is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from harness.datasets import Domain, Shot
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
    """

    person: Person
    number: int
    split: str
    image: str
    facing: str
    seed: str
    body_seed: int


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


def plan_pictures(domain: Domain, name: str, sizes: Mapping[str, int], seed: int) -> list[Order]:
    """Return the pictures of a twin in file order: split by split, person by person."""
    taken: set[Person] = set()
    orders: list[Order] = []
    first = 0
    for split, size in sizes.items():
        random = Random(f"{name} {seed} {split}")
        for offset, person in enumerate(draw_persons(size, random, taken)):
            orders += _pictures_of(person, first + offset, split, domain, f"{name} {seed}")
        first += size
    return orders


def _pictures_of(person: Person, identity: int, split: str, domain: Domain, seed: str) -> list[Order]:
    random = Random(f"{seed} {identity}")
    body_seed = random.getrandbits(32)
    single = split == "train" and random.random() < domain.singles
    count = 1 if single else random.randint(*domain.images)
    cameras = random.sample(range(1, domain.form.cameras + 1), min(count, domain.form.cameras))
    orders = []
    for index, facing in enumerate(draw_facings(count, random)):
        shot = Shot(identity, split, index, cameras[index % len(cameras)])
        orders.append(
            Order(
                person=person,
                number=identity + domain.form.first_id,
                split=split,
                image=domain.form.name_image(shot, random),
                facing=facing,
                seed=f"{seed} {identity} {index}",
                body_seed=body_seed,
            )
        )
    return orders
