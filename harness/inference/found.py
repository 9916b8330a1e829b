"""What a search found, as values and JSON."""

from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.inference.gallery import Gallery, Hit
from harness.inference.relevance import Relevance
from harness.inference.relevance_look import as_dict
from harness.record import Record


@dataclass(frozen=True)
class Search:
    """What was found.

    Attributes:
        record: the run that searched.
        place: the folder that holds the gallery.
        test_split: whether the gallery is the test split of the run's own dataset.
        gallery: its images.
        queries: the descriptions as they were given.
        rankings: the most similar images for each.
        seconds: time that each query took, apart from starting and encoding the gallery.
        page: the page that was written.
        maps: for each query, what carries the match of the first of its images; None of one that cannot be read.
    """

    record: Record
    place: Path
    test_split: bool
    gallery: Gallery
    queries: list[str]
    rankings: list[list[Hit]]
    seconds: list[float]
    page: Path
    maps: list[list[Relevance | None]] = field(default_factory=list)

    def maps_of(self, query: int) -> list[Relevance | None]:
        """Return the maps of a query's images by their place, as many as there are."""
        return self.maps[query] if self.maps else []

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "run": self.record.name,
            "synthetic": self.record.synthetic,
            "gallery": str(self.place),
            "test_split": self.test_split,
            "images": len(self.gallery.files),
            "encoded_now": self.gallery.encoded,
            "skipped": [{"path": str(path), "reason": reason} for path, reason in self.gallery.bad],
            "page": str(self.page),
            "queries": [
                {
                    "query": query,
                    "seconds": seconds,
                    "results": [
                        {"rank": hit.rank, "similarity": hit.similarity, "path": str(hit.path)}
                        | ({"relevance": as_dict(found)} if found else {})
                        for hit, found in zip_longest(hits, self.maps_of(number))
                    ],
                }
                for number, (query, seconds, hits) in enumerate(
                    zip(self.queries, self.seconds, self.rankings, strict=True)
                )
            ],
        }
