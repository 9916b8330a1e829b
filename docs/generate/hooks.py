"""What MkDocs calls while it builds the site: the reference is generated, so that it cannot be out of date."""

from collections.abc import Callable

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.generate.command_line import command_line
from docs.generate.plugins import datasets, methods, suites_and_reports
from docs.generate.settings import settings

REFERENCE: dict[str, Callable[[], str]] = {
    "command-line": command_line,
    "settings": settings,
    "methods": methods,
    "datasets": datasets,
    "suites-and-reports": suites_and_reports,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each part of the reference."""
    for name, make in REFERENCE.items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files
