"""How many small deliberate changes of the code its tests notice: `python -m benchmarks.mutants`.

Each change is made alone in a temporary copy of the checkout, and the quick tests that belong to the module run there:
those laid out as the code is, of a plug-in those that all of its kind meet, then those that import the module, as far
as they are quick. A change that no test
notices is a missing assertion, or makes no difference: those are named with their reason in
`data/equivalent_mutants.json` and not counted. The sample is drawn by a seed; results go to `results/mutants.json`.
A draw may be tried in portions: `--minutes` ends one, `--resume` begins the next.
"""

import argparse
import contextlib
import json
import random
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.common import Outcome, claim, dated, outcome
from benchmarks.mutant_copy import Change, Copy, Tests
from benchmarks.mutations import mutations

ROOT = Path(__file__).parent.parent
EQUIVALENT = Path("benchmarks/data/equivalent_mutants.json")
RESULT = Path("benchmarks/results/mutants.json")
WEAKEST = [
    "harness/run/final_test.py",
    "harness/data/loading.py",
    "harness/sweep/space.py",
    "harness/queue/queue.py",
    "harness/evaluate/per_identity.py",
    "harness/train/cost.py",
    "harness/train/checkpoint.py",
    "methods/tbps_clip.py",
]
SOME = ["harness/evaluate", "harness/train", "harness/results"]
HEAVY = (
    "pytest",
    "torch",
    "mlflow",
    "optuna",
    "open_clip",
    "pydantic",
    "hypothesis",
    "scipy.stats",
    "pandas",
    "accelerate",
)
GOAL = 95.0


def files_of(root: Path, names: Sequence[str]) -> list[str]:
    """Return the modules of some names: files, folders, or dotted names.

    Raises `SystemExit` naming what is not there.
    """
    found: list[str] = []
    for name in names:
        path = name if (root / name).exists() else name.replace(".", "/")
        if not (root / path).exists():
            path += ".py"
        if not (root / path).exists():
            raise SystemExit(f"There is no module {name} in {root}: give a file, a folder or a dotted name.")
        inside = sorted((root / path).rglob("*.py")) if (root / path).is_dir() else [root / path]
        found += [
            str(one.relative_to(root)) for one in inside if one.name not in ("__init__.py", "__main__.py")
        ]
    return list(dict.fromkeys(found))


def sample(
    root: Path, files: Sequence[str], count: int, seed: int, known: set[tuple[str, ...]]
) -> list[Change]:
    """Draw changes of the modules, as evenly as their numbers allow, without those known to make no difference."""
    rng = random.Random(seed)
    drawn: list[list[Change]] = []
    for file in files:
        source = (root / file).read_bytes()
        changes = [Change(file, one, *one.lines(source)) for one in mutations(source)]
        drawn.append([one for one in rng.sample(changes, len(changes)) if one.key not in known])
    turns = [one[turn] for turn in range(max(map(len, drawn), default=0)) for one in drawn if turn < len(one)]
    chosen = turns[:count]
    return sorted(chosen, key=lambda one: (files.index(one.file), one.mutation.start))


def run(root: Path, changes: Sequence[Change], minutes: float) -> list[dict[str, Any]]:
    """Try changes until the time is up; return what became of each that was tried."""
    assert "harness" not in sys.modules, "the forks must import that of the copy"
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            import_module(name)
    until, tested, tests = time.monotonic() + 60 * minutes, [], {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(root, Path(folder))
        for change in changes:
            if time.monotonic() > until:
                break
            if change.file not in tests:
                tests[change.file] = Tests.of(copy, change.file)
                if not tests[change.file].groups:
                    print(f"no test of {change.file} passes, so its changes are left out:\n{copy.said()}")
            if not tests[change.file].groups:
                continue
            with copy.changed(change):
                noticed = tests[change.file].notice(copy)
            tested.append(change.as_dict(noticed=noticed))
            print(_line(tested[-1]), flush=True)
    return tested


def _line(one: dict[str, Any]) -> str:
    said = "noticed  " if one["noticed"] else "UNNOTICED"
    return f"{said} {one['file']}:{one['line']}: {one['before']}  ->  {one['after']}"


def judged(tested: Sequence[dict[str, Any]], command: str, equivalent: int) -> Outcome:
    """Return scores, of all and of each module: how many of 100 changes were noticed."""
    claims = [claim("changes noticed, all modules", _score(tested), unit="%", at_least=GOAL)]
    for file, n in sorted(Counter(one["file"] for one in tested).items()):
        score = _score([one for one in tested if one["file"] == file])
        claims.append(claim(f"{file} ({n} changes)", score, unit="%"))
    unnoticed = [
        {key: value for key, value in one.items() if key != "noticed"} for one in tested if not one["noticed"]
    ]
    facts = {"changes": len(tested), "listed_as_equivalent": equivalent, "unnoticed": unnoticed}
    title = f"{len(tested)} deliberate changes of the code"
    return outcome(title, command, claims, **facts, noticed=[one for one in tested if one["noticed"]])


def _score(tested: Sequence[dict[str, Any]]) -> float | None:
    return 100 * sum(one["noticed"] for one in tested) / len(tested) if tested else None


def known_equivalent(root: Path) -> set[tuple[str, ...]]:
    """Return file, line before and line after of the changes that are listed as making no difference.

    Raises `SystemExit` naming entries whose line is gone: they are to be removed.
    """
    entries = json.loads((root / EQUIVALENT).read_text()) if (root / EQUIVALENT).exists() else []
    gone = [one for one in entries if one["before"] not in _flat(root / one["file"])]
    if gone:
        lines = "; ".join(f"{one['file']}: {one['before']}" for one in gone)
        raise SystemExit(f"{EQUIVALENT.name} lists lines that are gone; remove them: {lines}")
    return {(one["file"], one["before"], one["after"]) for one in entries}


def _flat(path: Path) -> str:
    return " ".join(path.read_text().split()) if path.is_file() else ""


def again(root: Path, result: dict[str, Any]) -> list[Change]:
    """Return the changes of a saved result that no test noticed, where their lines are now."""
    wanted = {(one["file"], one["before"], one["after"]) for one in result["facts"]["unnoticed"]}
    files = sorted({file for file, _, _ in wanted})
    return [one for one in sample(root, files, 10**9, 0, set()) if one.key in wanted]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Draw changes, try them, and save the result; return 1 when fewer than the goal were noticed."""
    options = _options(arguments)
    file, known = options.out or root / RESULT, known_equivalent(root)
    saved = json.loads(file.read_text()) if options.again or options.resume else None
    command = saved["command"] if saved else _command(options)
    if options.resume and command != _command(options):
        raise SystemExit(f"{file} is of another draw, {command!r}: resume that one, or give another --out.")
    if options.again:
        changes = [one for one in again(root, saved) if one.key not in known]
    else:
        changes = sample(root, files_of(root, options.modules), options.count, options.seed, known)
    if options.resume:
        done = {_key(one) for one in _tried(saved)}
        changes = [one for one in changes if one.key not in done]
    tested = run(root, changes, options.minutes)
    left = len(changes) - len(tested)
    result = judged(merged(saved, tested, known) if saved else tested, command, len(known))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dated(result), indent=1, ensure_ascii=False) + "\n")
    first = result["claims"][0]
    print(f"{first['name']}: {first['value']} %; {left} of the draw are left; the result is in {file}")
    return int(first["holds"] is False)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument(
        "--modules", nargs="+", default=[*WEAKEST, *SOME], help="files, folders or dotted names"
    )
    parser.add_argument("--count", type=int, default=100, help="changes drawn in all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--minutes", type=float, default=60, help="no further change is tried after them")
    saved = parser.add_mutually_exclusive_group()
    saved.add_argument(
        "--again", action="store_true", help="only those that the saved result says went unnoticed"
    )
    saved.add_argument("--resume", action="store_true", help="only those that the saved result lacks")
    parser.add_argument("--out", type=Path, help="another file for the result")
    return parser.parse_args(arguments)


def _command(options: argparse.Namespace) -> str:
    """Return the command of a whole draw, however many portions it is tried in."""
    draw = ["--modules", *options.modules, "--count", str(options.count), "--seed", str(options.seed)]
    return shlex.join(["python", "-m", "benchmarks.mutants", *draw])


def _key(one: dict[str, Any]) -> tuple[str, ...]:
    return one["file"], one["before"], one["after"]


def _tried(saved: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the changes of a saved result."""
    facts = saved["facts"]
    return [{**one, "noticed": False} for one in facts["unnoticed"]] + facts["noticed"]


def merged(
    saved: dict[str, Any], tested: Sequence[dict[str, Any]], known: set[tuple[str, ...]]
) -> list[dict[str, Any]]:
    """Return a saved result's changes as they were tried last, then further ones; none listed as equivalent since."""
    new, before = {_key(one): one for one in tested}, _tried(saved)
    old = {_key(one) for one in before}
    together = [new.get(_key(one), one) for one in before] + [one for one in tested if _key(one) not in old]
    return [one for one in together if _key(one) not in known]


if __name__ == "__main__":
    sys.exit(main())
