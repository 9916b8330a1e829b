"""What `harness import` does with its options: resolve, import, show."""

from typing import Any

from harness.cli.actions.run import overrides_given, show_record
from harness.cli.progress import watching
from harness.presets.resolve import check_agreement
from harness.run.import_checkpoint import import_checkpoint, released_config


def execute(options: dict[str, Any], quiet: bool) -> None:
    """Import what the options say and show the run."""
    root = [f"dataset.root={options['data_root']}"] if options["data_root"] else []
    given = overrides_given(options)
    check_agreement([*given, *((f"--data-root {options['data_root']}", text) for text in root)])
    config = released_config(
        options["method"],
        options["dataset"],
        presets=options["presets"],
        overrides=[*options["overrides"], *root],
    )
    with watching(quiet or options["as_json"]) as listener:
        record = import_checkpoint(
            config,
            options["file"],
            runs=options["runs"],
            test=options["test"],
            device=options["device"],
            force=options["force"],
            listener=listener,
        )
    show_record(record, options["as_json"], options["runs"])
