"""Draw rankings of images as one HTML page that runs nothing and fetches nothing."""

import base64
import io
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from harness.errors import and_more
from harness.files import write_text
from harness.images.decoding import Pixels, thumbnail
from harness.inference.gallery import Hit
from harness.inference.relevance import Relevance
from harness.inference.relevance_look import MAP_WORDS, numbers_html, summary, tinted, words_html
from harness.inference.relevance_look import STYLE as RELEVANCE_STYLE
from harness.pages.escaping import html_text
from harness.pages.html import PAGE, STYLE
from harness.pages.tables import ends_text

if TYPE_CHECKING:
    from harness.inference.found import Search

_THUMBNAIL = (432, 288)
_NAMED = 10
_OWN_STYLE = """
.twin { display: inline-block; background: #fdf0e3; border-left: 4px solid #D55E00; padding: .3rem .8rem; }
.facts { color: #5f5f5f; font-size: .9rem; }
h2.query { margin-top: 2.6rem; max-width: 60rem; overflow-wrap: anywhere; }
.ranking { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; }
.ranking { margin: .8rem 0; padding: 0; list-style: none; }
.hit { margin: 0; border: 1px solid #e2e2e2; border-radius: 6px; overflow: hidden; break-inside: avoid; }
.hit .picture { background: #f6f6f6; height: 18rem; display: flex; align-items: center; justify-content: center; }
.hit img { height: 18rem; max-width: 100%; object-fit: contain; display: block; }
.hit .gone { color: #5f5f5f; font-size: .8rem; }
.hit .line { display: flex; justify-content: space-between; padding: .45rem .6rem 0; }
.hit .line { font-variant-numeric: tabular-nums; }
.hit .rank { font-weight: 600; }
.hit .path { padding: .1rem .6rem .5rem; font-size: .72rem; color: #5f5f5f; overflow-wrap: anywhere; }
"""


def write_search_page(found: "Search") -> None:
    """Write the rankings of a search, with the images inside, to its page."""
    sections = [
        f'<h2 class="query">“{html_text(query)}”</h2>\n<ol class="ranking">\n'
        + "\n".join(
            _card(hit, found.place, carried) for hit, carried in zip_longest(hits, found.maps_of(number))
        )
        + "\n</ol>"
        for number, (query, hits) in enumerate(zip(found.queries, found.rankings, strict=True))
    ]
    first = found.queries[0] if len(found.queries) == 1 else f"{len(found.queries)} descriptions"
    body = "\n".join([*_head(found), *sections, *_skipped(found)])
    page = PAGE.format(
        title=html_text(f"Search: {first}"), style=STYLE + _OWN_STYLE + RELEVANCE_STYLE, body=body
    )
    write_text(found.page, page.encode("utf-8", "replace").decode())


def _head(found: "Search") -> list[str]:
    record, config = found.record, found.record.config
    gallery = "the run's own test split" if found.test_split else "a folder"
    lines = ["<h1>Search by description</h1>"]
    if record.synthetic:
        lines.append(
            '<p class="twin"><strong>SYNTHETIC TWIN</strong>: the run was trained on drawn people, not on '
            "photographs.</p>"
        )
    method, dataset = (html_text(str(config[part]["name"])) for part in ("method", "dataset"))
    lines.append(
        f'<p class="facts">{len(found.gallery.files):,} images of {gallery}, '
        f"<code>{html_text(str(found.place))}</code>, "
        f"ranked by <strong>{method}</strong> trained on {dataset} (run <code>{html_text(record.name)}</code>)."
        f"{_quality(found)}</p>"
    )
    lines.append(
        '<p class="facts">The number at an image is its cosine similarity to the description. It orders the images of '
        "one description; it is no probability, and a first image is shown even when nobody fits.</p>"
    )
    if found.maps:
        lines.append(f'<p class="facts">{MAP_WORDS}</p>')
    return lines


def _quality(found: "Search") -> str:
    """Say how often the run is right where that is known: on its own test split."""
    name = f"test/{found.record.config['dataset']['name']}/t2i/R1"
    if name not in found.record.metrics:
        return ""
    ends = found.record.intervals.get(name)
    text = f"{found.record.metrics[name]:.1f} %" + (f" {ends_text(ends)}" if ends else "")
    return f" On its own test split the first image is right for {text} of the captions."


def _card(hit: Hit, place: Path, carried: Relevance | None) -> str:
    picture, said = _data_uri(hit.path), f"Rank {hit.rank}: {shown(hit.path, place)}"
    inside = (
        f'<img src="{picture}" alt="{html_text(said)}">'
        if picture
        else '<span class="gone">cannot be read</span>'
    )
    return (
        f'<li class="hit"><div class="picture">{inside}</div><div class="line"><span class="rank">{hit.rank}</span>'
        f'<span title="cosine similarity">{hit.similarity:.3f}</span></div>'
        f'<div class="path">{html_text(shown(hit.path, place))}</div>{_map(hit, carried) if carried else ""}</li>'
    )


def _map(hit: Hit, carried: Relevance) -> str:
    """Return what carries a match as part of an image's card."""
    pixels = thumbnail(hit.path, _THUMBNAIL)
    said = " ".join(summary(carried))
    picture = "" if pixels is None else data_uri(tinted(pixels, carried.picture.patches))
    image = f'<img src="{picture}" alt="{html_text(f"Relevance map of rank {hit.rank}. {said}")}">'
    return (
        f'<div class="relevance">{image if picture else ""}<p class="words">{words_html(carried.caption.words)}</p>'
        f"<p>{html_text(said)}</p>{numbers_html(carried)}</div>"
    )


def _skipped(found: "Search") -> list[str]:
    bad = found.gallery.bad
    if not bad:
        return []
    names = "".join(f"<li>{html_text(shown(path, found.place))}</li>" for path, _ in bad[:_NAMED])
    more = f"<li>{and_more(len(bad), _NAMED)}</li>" if len(bad) > _NAMED else ""
    return [f'<p class="note">Unreadable and left out: {len(bad):,}</p><ul class="note">{names}{more}</ul>']


def shown(path: Path, place: Path) -> str:
    """Return a path below the gallery's folder as short as possible."""
    return str(path.relative_to(place)) if path.is_relative_to(place) else str(path)


def _data_uri(path: Path) -> str | None:
    """Return a small picture of an image file as a data URI; None when it cannot be read."""
    pixels = thumbnail(path, _THUMBNAIL)
    return None if pixels is None else data_uri(pixels)


def data_uri(pixels: Pixels) -> str:
    """Return a picture, RGB uint8 [height, width, 3], as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
