"""A stand-in for the runs of a sweep: what it scores, what was asked of it, and at which call it breaks."""

import math

from harness.config.fields import Range
from harness.config.values import content_hash
from harness.record import Record, RunFolder, trials_folder
from harness.sweep.space import Axis

RATE = Axis(key="method.lr", over=Range(low=1e-5, high=1e-1, log=True))
WARMUP = Axis(key="method.warmup_epochs", over=Range(low=0, high=10), integer=True)
N_EPOCHS = 3


class Killed(BaseException):
    """Stands for a process that is no more."""


class Runs:
    """Stands in for a run: its score on validation, what was asked of it, and at which call it breaks."""

    def __init__(self, score=None, breaks=None, fingerprint="data"):
        self.score = score or (lambda config: -abs(math.log10(config.method.lr) + 3))
        self.breaks, self.fingerprint = breaks or {}, fingerprint
        self.calls, self.studies = [], []

    def __call__(self, config, *, runs, device, listener, tags, study=None):
        self.calls.append(config)
        self.studies.append(study)
        error = self.breaks.get(len(self.calls), None)
        record = self.record(config, tags, study)
        folder = RunFolder((trials_folder(runs, study) if study else runs) / record.name)
        old = folder.read()
        if old is not None and old.status == "finished":
            return old
        listener.on_start(record.name, record)
        folder.file("checkpoint.safetensors").parent.mkdir(parents=True, exist_ok=True)
        for epoch in range(1, N_EPOCHS + 1):
            listener.on_epoch(epoch, {"epoch": epoch, "val/t2i/R1": self.reached(config, epoch)})
            if error is not None:
                raise error
        record.status = "finished"
        folder.write(record)
        return record

    def reached(self, config, epoch):
        return self.score(config)

    def record(self, config, tags, study):
        selection = {"epoch": N_EPOCHS, "val/t2i/R1": self.score(config), "val/t2i/mAP": 1.0}
        return Record(
            identity=content_hash([config, bool(study)]),
            config=config.model_dump(mode="json"),
            versions={"method": 1},
            fingerprint=self.fingerprint,
            backbone={"name": "tiny"},
            synthetic=True,
            selection=selection,
            tags=tags,
            study=study,
        )

    @property
    def rates(self):
        return [config.method.lr for config in self.calls]


class Falling(Runs):
    """Gets worse with each epoch, and with each trial."""

    def __init__(self):
        super().__init__(score=lambda config: 100.0 - 10 * len(self.calls))

    def reached(self, config, epoch):
        return self.score(config) - 2 * (epoch - 1)


def with_costs(runs, trainable):
    """Let a stand-in's records tell what a run costs."""
    plain = runs.record

    def record(config, tags, study):
        made = plain(config, tags, study)
        made.accounting = {
            "parameters": {"trainable": trainable(config)},
            "train_peak_bytes": 2e9,
            "step_seconds": 0.5,
        }
        return made

    runs.record = record
    return runs
