"""`harness doctor`: check the installation."""

import click

from harness.cli.options import data_root_option, json_option, print_json


@click.command()
@data_root_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, data_root: str | None, as_json: bool) -> None:
    """Check versions, devices, stores, weights and data; exit code 1 when something is broken."""
    from dataclasses import asdict

    from harness.cli.actions.doctor import examine
    from harness.cli.layout import table

    findings = examine(data_root)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(finding.what, finding.state, finding.detail) for finding in findings]
        header = ("what", "state", "detail")
        table("harness doctor", header, rows, text=header)
    if any(finding.state == "broken" for finding in findings):
        ctx.exit(1)
