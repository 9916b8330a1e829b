"""What only looks, and what is misspelt, imports nothing heavy: one process calls all such commands in turn."""

import json
import os
import subprocess
import sys

from harness.cli.main import COMMANDS
from harness.presets.resolve import resolve
from harness.record import Record, RunFolder

HEAVY = (
    *("torch", "torchvision", "open_clip", "timm", "accelerate", "mlflow", "optuna", "sqlalchemy", "alembic"),
    *("pandas", "scipy", "sklearn", "matplotlib", "seaborn", "nbformat"),
)
RUN = "cskt-icfg-abcdef012345"
LOOKING = {
    0: (
        "methods list",
        "methods list --json",
        "data list",
        "data info icfg",
        "suite list",
        "suite list --json",
        "suite show main_results",
        "suite show tbps_clip_losses --synthetic",
        "sweep list",
        "runs list",
        f"runs show {RUN}",
        f"runs show {RUN} --json",
        "report",
        "report --json",
        "completion bash",
        "--version",
    ),
    2: (
        "methods info cskd",
        "data info icgf",
        "data verify icgf",
        "suite show main_result",
        "suite plan main_result",
        "suite run main_result",
        "runs show nothing",
        "runs resume nothing",
        "report leaderbord",
        "run -m cskd -d icfg",
        "run -m cskt -d icgf",
        "run -m cskt -d icfg --report leaderbord",
        "sweep -m cskd -d icfg",
        "evaluate nothing -d cuhk",
        f"evaluate {RUN} -d cuhc",
        "probe compression nothing",
        "search words --run nothing",
        "compare nothing nobody",
        "import irrra file.pth -d icfg",
        "schema preset -m cskd",
        "nothing",
    ),
}
CODE = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from harness.cli.main import cli
from harness.cli.options import run_safely

heavy, wrong = set(json.loads(sys.argv[1])), []
for line, code in json.loads(sys.argv[2]):
    sys.argv[1:], said, written = line.split(), io.StringIO(), io.StringIO()
    with redirect_stderr(said), redirect_stdout(written):
        got = run_safely(cli, debug=False)
    found = sorted(heavy & set(sys.modules))
    if got != code or found:
        wrong.append([line, got, found, said.getvalue()])
    heavy -= set(found)
print(json.dumps(wrong))
"""


def test_looking_and_mistakes_import_nothing_heavy(tmp_path):
    config = resolve("cskt", "icfg", overrides=["method.lr=0.5", "train.epochs=3"])
    record = Record(
        identity="abcdef012345" * 5,
        config=config.model_dump(mode="json"),
        versions={},
        fingerprint="",
        backbone={},
        synthetic=False,
        status="failed",
    )
    RunFolder(tmp_path / RUN).write(record)
    helped = [(" ".join([name, "--help"]), 0) for name in COMMANDS]
    lines = [(line, code) for code, lines in LOOKING.items() for line in lines]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(HEAVY), json.dumps([("--help", 0), *helped, *lines])],
        env={**os.environ, "HARNESS_RUNS": str(tmp_path), "HARNESS_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []
