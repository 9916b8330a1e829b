"""Studies as MLflow holds them, without a search: trials, a summary, and what is published of them."""

from harness.analysis.studies.tracked_study import TrackedStudy
from harness.config.fields import Choice, Range
from harness.evaluate.intervals import METHOD
from harness.sweep.settings import COSTS, Search
from harness.sweep.space import Axis
from harness.sweep.summary import Summary
from harness.sweep.trial import Trial, best_of, front_of
from harness.track.run_row import PARENT
from harness.track.tags import SEARCH

R1, MEMORY = "val/t2i/R1", "peak_memory"
RATE = Axis(key="method.lr", over=Range(low=1e-5, high=1e-1, log=True))
LENGTH = Axis(key="method.prompt_length", over=Range(low=1, high=8), integer=True)
INIT = Axis(key="method.init", over=Choice(values=("zero", "released")))
AXES = (RATE, LENGTH, INIT)
TAGS = {
    "harness.method": "cskt",
    "harness.dataset": "icfg",
    "harness.synthetic": "true",
    "harness.seed": "1",
    "harness.objective": R1,
    "harness.sampler": "tpe",
    "harness.pruner": "median",
}
METRICS = {"test/icfg/t2i/R1": {"mean": 12.0, "low": 9.0, "high": 15.0}}
TESTED = {"metrics": METRICS, "interval_method": METHOD}
ERROR = {"type": "TrainingError", "message": "the loss is nan\nsecond line", "traceback": "Traceback ..."}


def trial(number, value=None, state="finished", **more):
    params = {
        "method.lr": 10 ** (-1 - number % 4),
        "method.prompt_length": 1 + number % 8,
        "method.init": "zero",
    }
    ran = {"finished": 5, "pruned": 3, "failed": 1}[state]
    known = {"value": value, "values": () if value is None else (value,), "seconds": 60.0, "epochs": ran}
    facts = {"number": number, "state": state, "params": params, "planned": 5, "runs": (f"run-{number}",)}
    return Trial(**{**facts, **known, "error": ERROR if state == "failed" else None, **more})


def summary(name, trials, fake, objectives=(R1,), **more):
    best = best_of(trials)
    search = Search(objectives=objectives, pruner="none")
    tests = []
    for seed, value in ((1001, 18.0), (1002, 20.0)):
        record, _ = fake.record("cskt", "icfg", 30, seed=seed, identity=f"{seed:012d}")
        record.selection = {R1: value}
        tests.append(record)
    known = {
        "study": name,
        "objectives": objectives,
        "synthetic": True,
        "space": [str(axis) for axis in AXES],
        "sampler": "tpe",
        "pruner": "median",
        "seeds": 1,
        "budget": len(trials),
        "trials": trials,
        "counts": {"finished": len(trials)},
        "best": best,
        "front": front_of(trials, search.directions),
        "importance": {"method.lr": 0.7, "method.prompt_length": 0.2, "method.init": 0.1},
        "command": "harness run --method cskt --preset 'my best.yaml'",
        "tests": tests if best else [],
        "test": TESTED if best else None,
    }
    return Summary(**{**known, **more})


def open_study(store, name, axes=AXES, **tags):
    params = {axis.key: f"search: {axis}" for axis in axes} | {"train.epochs": 5}
    marks = {"harness.kind": "study", "harness.study": name, **TAGS, **tags}
    return store.open(name, marks, params)


def send_study(store, name, trials, fake, axes=AXES, tags=None, **more):
    """Publish a study that came to its end."""
    run_id = open_study(store, name, axes, **(tags or {}))
    found = summary(name, trials, fake, **more)
    store.client.log_dict(run_id, found.model_dump(mode="json"), "study.json")
    store.client.log_text(run_id, "method:\n  lr: 0.01\n", "best.yaml")
    store.client.set_tag(run_id, "harness.status", "finished")
    store.client.set_terminated(run_id, "FINISHED")
    return run_id


def send_trial(store, study, number, parent=None, status="finished", value=None, **params):
    """Publish the run of one trial, as a sweep under way has it."""
    marks = {"harness.kind": "trial", "harness.study": study, "harness.trial": str(number)}
    marks |= {"harness.status": status} | ({PARENT: parent} if parent else {})
    marks |= {"harness.error": "TrainingError: it broke"} if status == "failed" else {}
    run_id = store.open(f"trial-{number}", marks, {"method.lr": 0.01, "method.init": "zero", **params})
    if value is not None:
        store.log(run_id, [{"epoch": 1, R1: value - 2}, {"epoch": 2, R1: value}])
        if parent and status == "finished":
            store.log(parent, [{"epoch": number, f"trial/{R1}": value + 1}])
    if status != "running":
        store.client.set_terminated(
            run_id, {"finished": "FINISHED", "failed": "FAILED"}.get(status, "KILLED")
        )


TRIALS = [
    trial(0, 20.0),
    trial(1, 30.0, feasible=False),
    trial(2, 8.0, state="pruned"),
    trial(3, state="failed"),
    trial(4, 25.0, params={"method.lr": 0.099, "method.prompt_length": 4, "method.init": "zero"}),
    trial(5, 22.0),
]


BAD = "=1+1 <script>alert(1)</script> \\input{x} $\\frac$ \x1b[31m|`"


def send_hostile(store, fake):
    """Publish a study whose every text is hostile."""
    axes = (Axis(key=f"method.{BAD}", over=Choice(values=(BAD, "b"))), RATE)
    error = {"type": BAD, "message": BAD, "traceback": BAD}
    trials = [
        trial(0, 20.0, params={f"method.{BAD}": BAD, "method.lr": 0.1}),
        trial(1, 10.0, params={f"method.{BAD}": "b", "method.lr": float("nan")}),
        trial(2, state="failed", error=error),
    ]
    parent = open_study(store, BAD, axes=(RATE,), **{"harness.method": BAD, "harness.dataset": BAD})
    spec = {"axes": [axis.model_dump(mode="json") for axis in axes], "search": {"trials": 3}}
    store.client.log_dict(parent, spec, SEARCH)
    found = summary(BAD, trials, fake, importance={f"method.{BAD}": 1.0}, command=BAD)
    store.client.log_dict(parent, found.model_dump(mode="json"), "study.json")
    store.client.log_text(parent, BAD, "best.yaml")
    store.client.set_terminated(parent, "FINISHED")


def tracked(trials, objectives=(R1,), **more):
    """Return a study with these trials as `read_study` returns one, without a store."""
    best = best_of(trials)
    known = {
        "name": "first",
        "status": "finished",
        "method": "cskt",
        "dataset": "icfg",
        "synthetic": True,
        "sampler": "tpe",
        "pruner": "median",
        "seeds": 1,
        "axes": list(AXES),
        "best_number": None if best is None else best.number,
        "minimised": tuple(name for name in objectives if name in COSTS),
    }
    return TrackedStudy(objectives=objectives, trials=list(trials), **{**known, **more})
