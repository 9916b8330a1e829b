"""Print JSON schemas, or write them to a folder."""

from pathlib import Path

import click

from harness.cli.options import plain
from harness.errors import UsageError
from harness.files import write_text


def write_schemas(kind: str, method: str | None, out: str | None) -> None:
    """Print a schema, or write its file and say how a YAML file names it; `all` writes those that ship."""
    from harness.suites.suite_schema import file_name, schema_of, shipped_schemas, text_of

    if kind != "all":
        schemas = {file_name(kind, method): schema_of(kind, method)}
    elif method is None and out is not None:
        schemas = shipped_schemas()
    else:
        raise UsageError(
            "`harness schema all` writes the schemas of all kinds and methods: give it --out DIR alone."
        )
    if out is None:
        click.echo(text_of(*schemas.values()), nl=False)
        return
    for name, schema in schemas.items():
        write_text(Path(out) / name, text_of(schema))
    click.echo(
        plain(f"wrote {', '.join(schemas)} to {out}; a YAML file names the schema in its first line:"),
        err=True,
    )
    click.echo(plain(f"# yaml-language-server: $schema={Path(out) / next(iter(schemas))}"))
