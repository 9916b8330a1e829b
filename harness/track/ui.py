"""Show the tracked runs in MLflow's own pages: a server on this machine alone, and the addresses worth opening."""

import logging
import os
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.addresses import without_user
from harness.errors import HarnessError, UsageError
from harness.paths import runs_root
from harness.secrets import without_secrets
from harness.track.mlflow_opening import experiment_name, tracking_uri
from harness.track.mlflow_store import Store
from harness.track.ui_server import PORT, free_port, serving
from harness.track.views import View, views

Tell = Callable[[str], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tracked:
    """An experiment to look at.

    Attributes:
        uri: where it is tracked, with its password.
        experiment: its id.
        name: its name.
        views: its saved views, those of the newest runs first.
    """

    uri: str
    experiment: str
    name: str
    views: list[View]

    @property
    def is_served(self) -> bool:
        """Whether a server shows it already."""
        return self.uri.startswith(("http://", "https://"))


def show(
    runs: str | Path | None = None,
    experiment: str | None = None,
    *,
    port: int | None = None,
    browser: bool | None = None,
    tell: Tell = print,
) -> None:
    """Print the addresses of an experiment's pages and serve them until interrupted.

    Args:
        runs: folder of the records, beside which the default store is.
        experiment: name of the experiment; by default the one that runs are logged to.
        port: port of 127.0.0.1; by default the first free one from 5000 on.
        browser: whether to open the pages; by default where there is a screen.
        tell: called with each line.

    Raises `UsageError` when there is nothing to show, the port is taken, or a server does not answer.
    """
    tracked = find(runs, experiment)
    if tracked.is_served:
        _present(tracked, without_user(tracked.uri), browser, tell)
        tell("That server is used as it is; nothing was started.")
        return
    chosen = free_port(port)
    if port is None and chosen != PORT:
        tell(f"Port {PORT} is taken; this is {chosen}.")
    first = _first(addresses(tracked, ""))
    with serving(tracked.uri, runs_root(runs).path, chosen, first.removeprefix("/")) as (base, server):
        _present(tracked, base, browser, tell)
        tell("Ctrl-C stops it.")
        server.wait()
    raise HarnessError("The MLflow server stopped by itself.")


def find(runs: str | Path | None = None, experiment: str | None = None) -> Tracked:
    """Return the experiment that runs are logged to, its saved views brought up to date."""
    place = runs_root(runs)
    uri = tracking_uri(place.path)
    if uri.startswith("databricks"):
        raise UsageError("Databricks shows its own pages: open them there.")
    name = experiment_name(experiment)
    store = Store.existing(place.path, name)
    if store is None:
        raise UsageError(
            f"No tracked runs in {place} yet. Begin with: harness run --method METHOD --dataset DATASET --synthetic "
            "(`harness methods list` and `harness data list` name them)."
        )
    shown = views([run.tags for run in store.newest()])
    try:
        store.describe(dict(view.tag() for view in shown))
    except Exception as error:
        log.warning("the saved views could not be written: %s", without_secrets(error))
    return Tracked(uri, store.experiment_id, name, shown)


def addresses(tracked: Tracked, base: str) -> dict[str, str]:
    """Return the addresses of an experiment's pages, by what they show."""
    runs = f"{base.rstrip('/')}/#/experiments/{tracked.experiment}/runs?workflowType=machine_learning"
    found = {"All runs": runs}
    for view in tracked.views:
        charts = "&compareRunsMode=CHART" if view.by else ""
        found[view.title] = f"{runs}{charts}&viewStateShareKey={view.key}"
    return found


def _present(tracked: Tracked, base: str, browser: bool | None, tell: Tell) -> None:
    tell(f"MLflow: {base}   experiment {tracked.name!r}, id {tracked.experiment}")
    tell(f"Tracked in {without_secrets(tracked.uri)}")
    pages = addresses(tracked, base)
    for what, address in pages.items():
        tell(f"  {what}: {address}")
    if browser or (browser is None and _has_screen()):
        webbrowser.open(_first(pages))


def _first(pages: dict[str, str]) -> str:
    """Return the page that is opened: the newest results, else all runs."""
    return list(pages.values())[min(1, len(pages) - 1)]


def _has_screen() -> bool:
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in screens)
