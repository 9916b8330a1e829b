"""A small suite, and a stand-in for its runs that notes what was asked and breaks where told."""

import json
from pathlib import Path

from harness.config.values import content_hash
from harness.record import Record, RunFolder, now

TABLE = """
title: A table
datasets: [icfg, cuhk]
seeds: 2
evaluate: others
rows:
  - method: linear_probe
  - name: probe itc
    method: linear_probe
    set: {method.loss: itc}
"""


def finished(config, tags):
    """Return the record of a finished run of a config."""
    return Record(
        identity=content_hash(config),
        status="finished",
        config=config.model_dump(mode="json"),
        versions={"method": 1},
        fingerprint="data",
        backbone={"name": "tiny"},
        synthetic=True,
        seconds=10.0,
        started=now(),
        finished=now(),
        metrics={f"test/{config.dataset.name}/t2i/R1": 50.0},
        tags=tags,
    )


class Runs:
    """Stands in for a run: notes what was asked, breaks where told, and leaves a record behind."""

    def __init__(self, breaks=None):
        self.breaks, self.calls, self.tests = breaks or {}, [], []

    def __call__(self, config, *, runs, device, listener, tags):
        self.calls.append(config)
        if error := self.breaks.get(len(self.calls)):
            raise error
        record = finished(config, tags)
        folder = RunFolder(Path(runs) / record.name)
        known = folder.read()
        if known is not None:
            return known
        folder.write(record)
        return record

    def evaluate(self, run, datasets, *, data_root, runs, device, listener):
        self.tests.append((run, tuple(datasets)))
        for dataset in datasets:
            file = Path(runs) / run / "transfer" / f"{dataset}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps({"dataset": dataset, "metrics": {}, "intervals": {}}))
