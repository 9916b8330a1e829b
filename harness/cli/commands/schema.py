"""`harness schema`: JSON schemas of all YAML files that the harness reads, by which editors check them."""

import click

from harness.cli.names import PlugIn
from harness.cli.options import Choice, option


@click.command()
@click.argument("kind", type=Choice(["suite", "preset", "config", "slurm", "expected", "board", "all"]))
@option(
    "--method", "-m", type=PlugIn("methods"), help="Only the settings of this method (preset and config)."
)
@option("--out", type=click.Path(file_okay=False), help="Folder to write to (default: standard output).")
def schema(kind: str, method: str | None, out: str | None) -> None:
    """Write the JSON schema of a KIND of file, with the help texts as descriptions; `all` writes those of every kind.

    \b
    harness schema suite --out schemas
    harness schema preset --method cskt --out schemas
    harness schema slurm --out schemas

    An editor with a YAML language server then checks and completes a file that begins with the printed line.
    Methods, datasets and reports of your own are in it.
    """
    from harness.cli.listings.schemas import write_schemas

    write_schemas(kind, method and method.replace("-", "_"), out)
