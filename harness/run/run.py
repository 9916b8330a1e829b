"""One run from config to record: read, build, audit, train, select, test, account, write, track."""

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from harness.compute.devices import agreed
from harness.config.sections import RunConfig
from harness.data.loading import Split
from harness.data.protocols.choices import write_choices
from harness.data.protocols.joint import JointMaterial, mean_metrics, open_joint
from harness.errors import Interrupted, UsageError, listed
from harness.evaluate.encoder import Encoder, evaluate
from harness.evaluate.frozen_rows import Keeper
from harness.files import Busy, file_hash, locked
from harness.listener import Listener, Listeners
from harness.method_parts.frozen import frozen_parts, kept_in_training
from harness.methods import METHODS, Method
from harness.record import (
    WEIGHTS,
    Record,
    RunFolder,
    now,
)
from harness.record.time_left import TimeLeft
from harness.run.earlier_runs import difference_from_earlier, differences
from harness.run.final_test import take_test, write_result
from harness.run.job import Job, build_method, outline, prepare
from harness.run.oracle import ORACLE, OracleWatch, optimism
from harness.run.progress import ProgressFile
from harness.run.provenance import changed_files, command_line, environment, source_files
from harness.secrets import error_facts
from harness.track.own_runs import new_key
from harness.track.publish import log_transfer
from harness.track.run_tracker import Tracker
from harness.train import cost
from harness.train.batch_content import Frozen
from harness.train.batch_source import training_batches
from harness.train.batches import joint_order
from harness.train.checkpoint import CHECKPOINT, BestWeights, State, load_weights, save_weights
from harness.train.gradient_audit import audit_gradients
from harness.train.loop import SELECTED, Training


def run(
    config: RunConfig,
    *,
    runs: str | Path | None = None,
    force: bool = False,
    device: str = "auto",
    listener: Listener | None = None,
    tags: dict[str, str] | None = None,
    study: str | None = None,
    goes_on_with: Record | None = None,
) -> Record:
    """Train and test one method on one dataset, or return the finished identical run.

    An interrupted or failed run resumes from its checkpoint. Errors are recorded and raised again.

    Args:
        runs: folder of the records; else `HARNESS_RUNS`, else `./runs`.
        force: repeat a finished run; the old folder is set aside.
        device: `auto`, `cpu` or `cuda`.
        tags: extra MLflow tags.
        study: makes the run a trial of this study: it validates, never tests, and is kept in the study's folder.
        goes_on_with: the run that is to be resumed; another one is refused with what differs.
    """
    job = prepare(config, runs, device, listener or Listener(), tags or {}, study)
    if goes_on_with is not None:
        _check_same(goes_on_with, job.record)
    found = agreed(_found(job, force))
    if found is not None:
        return _warn_of_changes(found, job)
    if not job.main:
        return _work(job)
    if unlike := difference_from_earlier(job.record, job.folder.path.parent):
        job.listener.on_note(unlike)
    with locked(job.folder.path):
        if force and job.folder.is_begun():
            job.folder.set_aside()
            job.folder.path.mkdir()
        return _guarded(job)


def _check_same(old: Record, new: Record) -> None:
    if old.identity != new.identity:
        raise UsageError(
            f"{old.name} cannot be gone on with: {differences(old, new)}. "
            "Put back what it began with, or begin anew: its `harness run` makes another run."
        )


def _found(job: Job, force: bool) -> Record | None:
    """Return the finished run, cleared of what its process left where it was killed at the very end."""
    record = None if force else job.folder.read()
    if record is None or record.status != "finished":
        return None
    if job.main:
        with suppress(Busy, UsageError), locked(job.folder.path):
            discard_working_files(job.folder)
    return record


def _warn_of_changes(found: Record, job: Job) -> Record:
    """Say that a finished run is shown instead of repeated, and which sources changed since."""
    job.listener.on_note(
        f"found the finished run {found.name} of {found.finished}: shown, not repeated (--force repeats)."
    )
    for file in job.folder.lost_tests():
        test = f"harness evaluate {found.name} --dataset {Path(file).stem}"
        job.listener.on_note(f"warning: {file} of that run is missing: `{test}` makes it anew.")
    changed = changed_files(found.sources, source_files(METHODS.get(job.config.method.name), *job.datasets))
    if changed:
        job.listener.on_note(f"warning: since that run these sources changed: {listed(changed, 5)}.")
    return found


def _guarded(job: Job) -> Record:
    """Do the work, write the record whatever happens, and log it in MLflow."""
    record, folder = job.record, job.folder
    begun = folder.read()
    record.key = (begun.key if begun else "") or new_key()
    record.started, record.command = now(), command_line()
    record.environment = environment(str(job.engine.device))
    record.sources = source_files(METHODS.get(job.config.method.name), *job.datasets)
    trained = METHODS.get(job.config.method.name).trained
    progress = ProgressFile(
        folder, TimeLeft(job.config.train.epochs if trained else 0, job.config.eval.every)
    )
    folder.write(record)
    job.listener.on_start(record.name, record)
    tracker = Tracker(record, folder, job.root)
    job.listener = Listeners(tracker, progress, job.listener)
    try:
        _work(job)
        record.status = "finished"
    except (Interrupted, KeyboardInterrupt):
        record.status = "interrupted"
        raise
    except Exception as error:
        record.status = str(getattr(error, "run_status", "failed"))  # type: ignore[assignment]
        record.error = error_facts(error)
        raise
    finally:
        record.finished, record.seconds = now(), progress.seconds
        if record.status != "finished":
            record.progress = progress.done
        progress.end(record)
        folder.write(record)
        if record.status == "finished":
            discard_working_files(folder)
        record.tracking = tracker.finish(record)
        folder.write(record)
        if record.status == "finished" and record.further:
            for result in folder.results():
                log_transfer(record, folder, result)
    return record


def _work(job: Job) -> Record:
    """Run all steps on this process."""
    config, record, engine = job.config, job.record, job.engine
    with engine.main_process_first():
        material = open_joint(job.reading, config.dataset, config.backbone, job.clip.tokenize, job.listener)
    record.data = material.describe(trained=METHODS.get(config.method.name).trained)
    record.data |= {"notes": notes} if (notes := job.reading.lines("notes")) else {}
    if job.main:
        write_choices(job.reading, record, job.folder)
    method = build_method(config, job.clip).to(engine.device)
    encoder = Encoder(method, config, engine)
    record.accounting["parameters"] = cost.count_parameters(method).as_dict()
    with cost.PeakMemory(engine.device) as train_memory:
        state = _train(job, method, encoder, material) if method.trained else State()
    _choose(job, method, state)
    if record.study is None:
        _keep_weights(job, method)
        _test(job, encoder, material, state)
    record.accounting["train_peak_bytes"] = train_memory.bytes
    return record


def _train(job: Job, method: Method, encoder: Encoder, material: JointMaterial) -> State:
    config = job.config
    job.listener.on_stage("checking that every trained parameter gets a gradient")
    train = config.train
    frozen = _keep_frozen(job, method, encoder, material)
    feed = partial(
        training_batches,
        config,
        material.train,
        method,
        augment=encoder.pixels,
        device=job.engine.device,
        frozen=frozen,
        order=joint_order(config, material.sizes),
    )
    batches = feed(train.compared, parts=train.accumulation, listener=job.listener)
    audit_gradients(method, next(feed(2).epoch(1)))
    watch = (
        OracleWatch(encoder, material.own.test, method, job.folder) if config.eval.test_each_epoch else None
    )
    training = Training(
        method,
        batches,
        config,
        job.engine,
        job.folder,
        validate=partial(_validate, encoder, material.vals) if material.vals else None,
        watch=watch,
        listener=job.listener,
        pictures=job.record.pictures,
    )
    job.listener.on_stage("training")
    state = training.run()
    keeping = job.record.accounting.get("keep_seconds", 0.0)
    summary = cost.step_summary(training.step_seconds, training.step_peak_bytes, state, keeping)
    job.record.accounting |= summary
    return state


def _validate(encoder: Encoder, vals: Sequence[Split]) -> dict[str, float]:
    """Return the validation metrics, of several datasets their means and those of each."""
    return mean_metrics({val.dataset: evaluate(encoder, val)[0].metrics for val in vals})


def _keep_frozen(job: Job, method: Method, encoder: Encoder, material: JointMaterial) -> Frozen:
    """Compute once what frozen parts of towers give of what is encoded in each epoch; return that of train."""
    train = job.config.train
    parts = frozen_parts(method, train)
    keeper = Keeper(train.keep_frozen, job.engine, job.listener)
    if parts:
        job.listener.on_stage("computing once what frozen towers give")
    began = time.perf_counter()
    kept = encoder.keep(
        material.train, {tower: parts[tower] for tower in kept_in_training(method, train)}, keeper
    )
    if kept:
        job.record.accounting["keep_seconds"] = time.perf_counter() - began
    for split in (*material.vals, material.own.test if job.config.eval.test_each_epoch else None):
        if split is not None and parts:
            encoder.keep(split, parts, keeper)
    return Frozen(kept.get("image"), kept.get("text"))


def _choose(job: Job, method: Method, state: State) -> None:
    """Put the weights of the chosen epoch into the method."""
    rule, record = job.config.eval.rule, job.record
    if not method.trained:
        record.selection = {"rule": "none", "epoch": 0}
        return
    chosen = {"val": state.best, "oracle": state.watch.get("best", {}), "last": {}}[rule]
    job.engine.wait_for_everyone()
    if chosen:
        kept = BestWeights(job.folder, {"val": SELECTED, "oracle": ORACLE}[rule])
        file = kept.whole(chosen)
        assert file is not None
        load_weights(method, file)
    epoch = int(chosen.get("epoch", state.epoch))
    record.selection = {"rule": rule, "epoch": epoch, "epochs": state.epoch}
    if rule == "val" and chosen:
        row = next(row for row in state.history if row["epoch"] == epoch)
        record.selection |= {name: value for name, value in row.items() if name.startswith("val/")}
    record.accounting["seconds_to_best"] = record.accounting.get("keep_seconds", 0.0) + sum(
        row["seconds"] for row in state.history if row["epoch"] <= epoch
    )


def _keep_weights(job: Job, method: Method) -> None:
    """Save the chosen weights as they were trained, and note their size and what training cost."""
    folder, record = job.folder, job.record
    if not job.main:
        return
    if method.trained:
        save_weights(method, folder.file(WEIGHTS), {"identity": record.identity, "method": method.name})
        record.accounting["checkpoint_bytes"] = folder.file(WEIGHTS).stat().st_size
        record.weights_sha256 = file_hash(folder.file(WEIGHTS))
    pair = cost.pair_flops(outline(job.config), job.config.train.compared)
    record.accounting["flops"] = cost.training_flops(method) | pair


def _test(job: Job, encoder: Encoder, material: JointMaterial, state: State) -> None:
    """Touch the test split, once, with the method as it will be used: folded; of several datasets that of each."""
    job.listener.on_stage("testing")
    metrics = take_test(job.record, job.folder, encoder, material.own.test)
    job.record.oracle = optimism(state.watch, metrics)
    for reading, one in zip(job.reading.others, material.all[1:], strict=True):
        job.listener.on_stage(f"testing on {one.test.dataset}")
        found, _ = evaluate(encoder, one.test, detail=True)
        if job.main:
            write_result(job.record, job.folder, reading, found, one.opened)


def discard_working_files(folder: RunFolder) -> None:
    """Remove what only training needs: its checkpoint, and the weights kept of the best epochs."""
    folder.file(CHECKPOINT).unlink(missing_ok=True)
    for name in (SELECTED, ORACLE):
        BestWeights(folder, name).settle({})
