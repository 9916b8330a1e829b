"""Listing and help import no heavy package: how many bare interpreter starts they cost."""

import resource
import statistics
import subprocess
import sys

from benchmarks.common import Outcome, claim, outcome

REPEATS = 7
BARE = [sys.executable, "-c", "pass"]
COMMANDS = {
    "harness --help": ["--help"],
    "harness methods list": ["methods", "list"],
    "harness data list": ["data", "list"],
}


def run() -> Outcome:
    """Compare the CPU time of each command with that of a bare interpreter."""
    bare = seconds(BARE)
    claims = []
    for name, arguments in COMMANDS.items():
        ratio = seconds([sys.executable, "-m", "harness", *arguments]) / bare
        claims.append(claim(f"{name}, in bare interpreter starts", ratio, unit="x", at_most=8))
    return outcome("Start of the command line", "python -m benchmarks startup", claims, bare_ms=1000 * bare)


def seconds(command: list[str]) -> float:
    """Return the median CPU time of a command in seconds, after one start to warm the files."""
    times = []
    for _ in range(REPEATS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times[1:])
