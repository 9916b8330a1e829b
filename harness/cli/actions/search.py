"""Print the rankings of a search."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json
from harness.errors import many
from harness.inference.page import shown
from harness.pages.escaping import visible

if TYPE_CHECKING:
    from harness.inference.found import Search
    from harness.listener import Listener

_NAMED = 5


def serve_page(
    names: Sequence[str],
    first: str,
    port: int | None,
    listener: "Listener",
    options: Mapping[str, Any],
) -> None:
    """Serve a page to search with until Ctrl-C."""
    from harness.inference.desk import open_desk
    from harness.inference.server import serving

    kept = {name: options[name] for name in ("gallery", "runs", "data_root", "device")}
    desk = open_desk(names, first=visible(first), listener=listener, **kept)
    with serving(desk, port) as server:
        click.echo(f"page: {server.address}")
        click.echo("On this machine only, with this address only. Ctrl-C stops it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.")


def show_search(found: "Search", as_json: bool) -> None:
    """Print a table for each query, the images left out, and where the page is."""
    if as_json:
        print_json(found.as_dict())
        return
    for query, hits in zip(found.queries, found.rankings, strict=True):
        rows = [(hit.rank, f"{hit.similarity:.3f}", shown(hit.path, found.place)) for hit in hits]
        table(f"“{query}”", ("rank", "similarity", "image"), rows, text=("image",))
    bad = found.gallery.bad
    for path, _ in bad[:_NAMED]:
        click.echo(plain(f"cannot be read: {shown(path, found.place)}"), err=True)
    if bad:
        more = f" ({len(bad) - _NAMED} of them not named here)" if len(bad) > _NAMED else ""
        click.echo(f"unreadable, left out: {len(bad)}{more}", err=True)
    twin = "SYNTHETIC TWIN · " if found.record.synthetic else ""
    slowest = 1000 * max(found.seconds)
    encoded = f"{found.gallery.encoded:,} encoded now; a query took {slowest:.0f} ms"
    paragraph("", f"{twin}{many(len(found.gallery.files), 'image')} in {found.place}, {encoded}", indent=2)
    click.echo(plain(f"page: {found.page}"))
