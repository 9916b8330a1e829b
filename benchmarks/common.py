"""What a benchmark is: a script with `run() -> Outcome`; how claims are judged, CPU time and memory are taken.

To add one, write `benchmarks/NAME.py` with a function `run` that returns `outcome(...)`; `python -m
benchmarks` finds it by its file. Both sides of a ratio are measured within that one run.
"""

import json
import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypedDict


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do something in a fresh process, so that memory and kept state are its own; it and its arguments are pickled."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


class NotMeasured(Exception):
    """A benchmark has nothing to measure on this machine; the message says what is missing."""


class Claim(TypedDict):
    """One measured figure; `holds` is None when it could not be measured or when nothing is promised."""

    name: str
    value: float | None
    bound: str
    unit: str
    holds: bool | None


class Outcome(TypedDict):
    """What a benchmark returns; `facts` holds whatever else explains the figures."""

    title: str
    command: str
    claims: list[Claim]
    facts: dict[str, Any]


def claim(
    name: str,
    value: float | None,
    *,
    unit: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
) -> Claim:
    """Judge a figure against its bound.

    >>> claim("speed", 17.2, at_least=15, unit="x")["holds"]
    True
    >>> claim("not measured", None, at_least=15)["holds"] is None
    True
    """
    promised = [
        f"{sign} {bound:g}" for sign, bound in ((">=", at_least), ("<=", at_most)) if bound is not None
    ]
    holds = None
    if value is not None and promised:
        holds = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    return Claim(name=name, value=value, bound=" and ".join(promised), unit=unit, holds=holds)


def outcome(title: str, command: str, claims: list[Claim], **facts: Any) -> Outcome:
    """Put the parts of a result together; `facts` must be what JSON can hold."""
    return Outcome(title=title, command=command, claims=claims, facts=facts)


def cpu_seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Return the least CPU time of `work` over some repeats, in seconds of this process, all threads."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def wall_seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Return the least wall time of `work` over some repeats, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def memory_above_mb(work: Callable[[], Any]) -> float | None:
    """Return how far `work` raises this process's memory above what it holds before, in MB (10^6 bytes).

    None where the system cannot reset the peak that it keeps (other than Linux).
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    before = _status_kib("VmRSS")
    work()
    return (_status_kib("VmHWM") - before) * 1024 / 1e6


def _status_kib(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def peak_memory_mb() -> float:
    """Return the most memory this process has held so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if platform.system() == "Darwin" else peak * 1024 / 1e6


def free_memory_gb() -> float:
    """Return the memory that is to be had without swapping, in GB (10^9 bytes); 0 where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0.0
    available = next((line for line in lines if line.startswith("MemAvailable")), "x 0")
    return int(available.split()[1]) * 1024 / 1e9


def machine() -> dict[str, Any]:
    """Describe what the figures were measured on."""
    import torch

    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    facts = {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    return facts | ({"accelerator": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def measure(name: str) -> dict[str, Any]:
    """Run one benchmark and return its result with date and machine."""
    return dated(import_module(f"benchmarks.{name}").run())


def dated(result: Outcome) -> dict[str, Any]:
    """Return a result of this moment with date and machine."""
    return {**result, "date": date.today().isoformat(), "machine": machine()}


def with_earlier(
    file: Path,
    result: dict[str, Any],
    judged: Callable[[str, Any], Sequence[Claim]],
    *,
    key: str = "methods",
) -> dict[str, Any]:
    """Return a result by method, or by another key, with what an earlier one found of those not measured this time.

    Args:
        file: the earlier result, if there is one.
        result: of this time, its methods in `facts["methods"]`.
        judged: the claims about one method, of its name and what was found.
        key: of the facts, what takes the place of methods.
    """
    before = json.loads(file.read_text())["facts"][key] if file.is_file() else {}
    found = {**before, **result["facts"][key]}
    claims = [row for item in found.items() for row in judged(*item)]
    return {**result, "claims": claims, "facts": {**result["facts"], key: found}}
