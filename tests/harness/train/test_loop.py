"""The training loop against plain PyTorch, and the epoch that it keeps, checkpoints and stops at."""

import signal
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from harness.clip.model import load_clip
from harness.compute.devices import accelerator
from harness.datasets import Pairs
from harness.errors import Interrupted, TrainingError
from harness.images.augment import Augment
from harness.listener import Listener
from harness.methods import METHODS, Progress
from harness.record import RunFolder
from harness.train.batch_content import Frozen, Samples
from harness.train.batches import Batches
from harness.train.checkpoint import CHECKPOINT, Checkpoint
from harness.train.loop import SELECTED, Training, Watch

IDENTITIES, OWNERS = [5, 5, 9, 1, 1, 7], [0, 1, 1, 2, 3, 4, 5]
BATCH = 3


class Notes(Listener):
    """Notes what it hears; asks to stop, as Ctrl-C does, at a step."""

    def __init__(self, stop=None):
        self.steps, self.epochs, self.resumed, self.stop = [], [], [], stop

    def on_step(self, epoch, step, n_steps):
        self.steps.append((epoch, step, n_steps))
        if (epoch, step) == self.stop:
            signal.raise_signal(signal.SIGINT)

    def on_epoch(self, epoch, row):
        self.epochs.append(row)

    def on_resume(self, history, step):
        self.resumed.append((len(history), step))


@pytest.fixture(scope="module")
def clip(world, tmp_path_factory):
    return load_clip(world.quick(tmp_path_factory.mktemp("any")).backbone)


@pytest.fixture
def make(world, clip, tmp_path):
    """Return the maker of a training of a linear probe on random embeddings of six images and seven captions."""

    def make(*overrides, batch_size=BATCH, **options):
        settings = ("train.checkpoint_seconds=1000", "method.lr=0.01", *overrides)
        config = world.quick(tmp_path, "linear_probe", "icfg", "train.epochs=3", *settings)
        torch.manual_seed(0)
        frozen = Frozen(torch.randn(6, clip.embed_dim), torch.randn(7, clip.embed_dim))
        none_read = Samples(SimpleNamespace(bad=[]), Augment(None, (8, 8)), torch.zeros(7, 4), frozen=frozen)
        batches = Batches(
            Pairs([], IDENTITIES, [], OWNERS), none_read, batch_size=batch_size, seed=config.seed
        )
        method = METHODS.get("linear_probe")(clip, config.method)
        engine = accelerator("fp32", "cpu")
        return Training(method, batches, config, engine, RunFolder(tmp_path), **options)

    return make


def weights(training):
    return {name: p.detach().clone() for name, p in training.method.trainable()}


def plain(training, groups):
    """Train as the loop should, in the plainest way: one step of the optimiser for each group of batches."""
    from harness.methods import Progress

    method, optimiser = training.method, training.method.optimiser()
    rates, history = [group["lr"] for group in optimiser.param_groups], []
    for epoch in range(1, 4):
        batches, losses = list(training.batches.epoch(epoch)), []
        steps = [batches[start : start + groups] for start in range(0, len(batches), groups)]
        for step, parts in enumerate(steps):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = method.learning_rate(rate, Progress(epoch, step, len(steps), 3))
            optimiser.zero_grad()
            for batch in parts:
                total = method(batch).total
                (total / len(parts)).backward()
                losses.append(total.item())
            optimiser.step()
        history.append((optimiser.param_groups[0]["lr"], sum(losses) / len(losses)))
    return history


@pytest.mark.parametrize(("accumulation", "n_steps"), [(1, 3), (2, 2), (4, 1)])
def test_weights_rates_and_losses_are_those_of_a_plain_loop(make, accumulation, n_steps):
    notes = Notes()
    training, other = (make(f"train.accumulation={accumulation}", listener=notes) for _ in range(2))
    state = training.run()
    history = plain(other, accumulation)
    for name, value in weights(other).items():
        torch.testing.assert_close(weights(training)[name], value)
    assert [(row["lr"], row["train/loss"]) for row in state.history] == [
        pytest.approx(row) for row in history
    ]
    assert state.history[0]["train/loss"] == pytest.approx(state.history[0]["train/sdm"])
    assert [row["epoch"] for row in state.history] == [1, 2, 3]
    assert notes.epochs == state.history
    assert notes.steps == [(epoch, step + 1, n_steps) for epoch in (1, 2, 3) for step in range(n_steps)]
    assert (state.epoch, state.step, state.best, len(training.step_seconds)) == (3, 0, {}, 3 * n_steps)


def test_embedding_parts_one_by_one_changes_nothing(make):
    whole, parts = make(), make("train.part_size=2")
    assert (whole.cache, parts.cache.part_size) == (None, 2)
    assert whole.run().history[-1]["train/loss"] == pytest.approx(
        parts.run().history[-1]["train/loss"], rel=1e-5
    )
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], value, rtol=1e-4, atol=1e-5)


def scores(*values):
    """Return a validation that gives these (R@1, mAP) in turn, and notes how often it was asked."""
    left = list(values)
    return lambda: dict(zip(("t2i/R1", "t2i/mAP"), left.pop(0), strict=True)) | {"t2i/R5": 99.0}


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([(1, 1), (2, 1), (3, 1)], 3),
        ([(3, 1), (2, 9), (1, 9)], 1),
        ([(2, 1), (2, 2), (2, 1)], 2),
        ([(2, 2), (2, 2), (2, 2)], 1),
    ],
)
def test_the_best_epoch_has_the_highest_score_then_the_highest_map_then_came_first(
    make, tmp_path, values, best
):
    after = []

    class Seen(Watch):
        def __call__(self, epoch, before):
            after.append(weights(training))
            return {"seen": [*before.get("seen", []), epoch]}

    training = make(validate=scores(*values), watch=Seen())
    state = training.run()
    assert state.best["epoch"] == best
    assert (state.best["t2i/R1"], state.best["t2i/mAP"]) == values[best - 1]
    kept = load_file(tmp_path / f"{SELECTED}-{best}.safetensors")
    assert kept.keys() == after[best - 1].keys()
    assert all(torch.equal(kept[name], value) for name, value in after[best - 1].items())
    assert [row["val/t2i/R5"] for row in state.history] == [99.0] * 3
    assert state.watch == {"seen": [1, 2, 3]}


def test_validation_comes_every_so_many_epochs_and_after_the_last(make):
    state = make("eval.every=2", validate=scores((1, 1), (2, 2))).run()
    assert [row["epoch"] for row in state.history if "val/t2i/R1" in row] == [2, 3]


@pytest.mark.parametrize(("patience", "epochs"), [(0, 3), (1, 2), (2, 3)])
def test_patience_counts_the_validations_since_the_best(make, patience, epochs):
    state = make(f"train.patience={patience}", validate=scores((3, 1), (2, 1), (1, 1))).run()
    assert state.epoch == epochs


@pytest.mark.parametrize("at", [(1, 1), (2, 3), (3, 2)])
def test_a_stop_at_any_step_goes_on_to_the_same_weights(make, tmp_path, at):
    whole = make()
    history = whole.run().history
    handler = signal.getsignal(signal.SIGINT)
    (tmp_path / CHECKPOINT).unlink()
    with pytest.raises(Interrupted, match=rf"epoch {at[0]} .*step {at[1]}"):
        make(listener=Notes(stop=at)).run()
    assert signal.getsignal(signal.SIGINT) is handler
    notes = Notes()
    rest = make(listener=notes)
    found = rest.run().history
    assert notes.resumed == [(at[0] - 1, at[1])]
    assert notes.steps[0] == ((at[0], at[1] + 1, 3) if at[1] < 3 else (at[0] + 1, 1, 3))
    assert [row["train/loss"] for row in found] == [row["train/loss"] for row in history]
    assert all(torch.equal(weights(rest)[name], value) for name, value in weights(whole).items())


def test_a_stop_in_the_last_validation_is_heeded_and_nothing_trains_twice(make, tmp_path):
    whole = make()
    whole.run()
    (tmp_path / CHECKPOINT).unlink()
    validate = scores((1, 1), (2, 2), (3, 3))

    def stopped():
        found = validate()
        if found["t2i/R1"] == 3:
            signal.raise_signal(signal.SIGTERM)
        return found

    with pytest.raises(Interrupted, match="after epoch 3"):
        make(validate=stopped).run()
    rest = make(listener=(notes := Notes()))
    rest.run()
    assert (notes.steps, notes.resumed) == ([], [(3, 0)])
    assert all(torch.equal(weights(rest)[name], value) for name, value in weights(whole).items())


def test_a_loss_beyond_the_bound_stops_with_its_step(make):
    with pytest.raises(TrainingError, match="epoch 1, step 1"):
        make("train.max_loss=1e-6").run()


def test_no_epochs_train_nothing(make):
    training = make("train.epochs=0")
    before = weights(training)
    assert training.run().history == []
    assert all(torch.equal(weights(training)[name], value) for name, value in before.items())


def test_a_checkpoint_is_due_at_a_cheap_epoch_end_else_after_its_time(monkeypatch, tmp_path):
    now = [100.0]
    monkeypatch.setattr("harness.train.checkpoint.time.monotonic", lambda: now[0])
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", every_seconds=600)
    checkpoint._cost = 1.0
    times = ((49.0, False, False), (51.0, True, False), (599.0, True, False), (600.0, True, True))
    for passed, at_end, within in times:
        now[0] = 100.0 + passed
        assert (checkpoint.due(True), checkpoint.due(False)) == (at_end, within), passed


def test_a_process_that_does_not_write_finds_a_checkpoint_due_no_more_often(make):
    training = make()
    training.checkpoint._written -= 2000
    assert training.checkpoint.due(False)
    training.engine = SimpleNamespace(is_main_process=False)
    training._save()
    assert not training.checkpoint.due(False)


@pytest.mark.parametrize(("patience", "step"), [(1, 1), (2, 2), (25, 3)])
def test_of_several_processes_one_that_is_asked_stops_all_at_a_step_where_they_ask_one_another(
    make, patience, step
):
    training = make()
    training.losses.patience = patience
    engine, asked = training.engine, []
    training.engine = type(
        "Two",
        (),
        {
            "num_processes": 2,
            "__getattr__": lambda self, name: getattr(engine, name),
            # The other process was asked to stop, this one was not.
            "reduce": lambda self, tensor, reduction: asked.append((tensor.item(), reduction)) or tensor + 1,
        },
    )()
    with pytest.raises(Interrupted, match=rf"epoch 1 .*step {step}$"):
        training.run()
    assert asked == [(0.0, "sum")]


def test_what_each_of_several_processes_draws_is_told_by_the_step_alone(make):
    """A checkpoint holds the generator of one process, from which the others could not go on as they were."""

    def drawn(rank, steps):
        training = make()
        engine = training.engine
        training.engine = SimpleNamespace(num_processes=2, process_index=rank, scaler=engine.scaler)
        found = []
        for step in steps:
            training._prepare_step(Progress(1, step, 3, 3))
            found.append(torch.rand(3).tolist())
        return found

    first, second = drawn(0, range(3)), drawn(1, range(3))
    assert len({tuple(row) for row in first + second}) == 6
    assert drawn(1, [2]) == second[2:]
    training = make()
    torch.manual_seed(5)
    going_on = torch.rand(3)
    torch.manual_seed(5)
    training._prepare_step(Progress(1, 0, 3, 3))
    assert torch.equal(torch.rand(3), going_on), "one process goes on from its checkpoint"


@pytest.mark.parametrize("setting", ["train.fused=always", "train.tf32=true", "train.prefetch=false"])
def test_what_makes_steps_cheaper_changes_no_weight(make, setting):
    plain, other = make(), make(setting)
    assert other.run().history[-1]["train/loss"] == pytest.approx(
        plain.run().history[-1]["train/loss"], rel=1e-5
    )
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(other)[name], value, rtol=1e-4, atol=1e-6)


def test_validation_is_in_true_float32_where_steps_are_not(make):
    seen = []

    def validate():
        seen.append(torch.backends.cuda.matmul.allow_tf32)
        return {"t2i/R1": 1.0, "t2i/mAP": 1.0}

    training = make("train.tf32=true", validate=validate)
    training.listener.on_step = lambda *_: seen.append(torch.backends.cuda.matmul.allow_tf32)
    training.run()
    assert seen == [*[True] * 3, False] * 3


def test_a_fused_optimiser_resumes_to_the_same_weights(make, tmp_path):
    whole = make("train.fused=always")
    whole.run()
    assert all(group["fused"] for group in whole.optimiser.param_groups)
    (tmp_path / CHECKPOINT).unlink()
    with pytest.raises(Interrupted):
        make("train.fused=always", listener=Notes(stop=(2, 2))).run()
    rest = make("train.fused=always")
    rest.run()
    assert all(torch.equal(weights(rest)[name], value) for name, value in weights(whole).items())
