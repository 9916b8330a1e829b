"""Where a result comes from: versions, machine, git state, and the source files that made it."""

import hashlib
import platform
import shlex
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.secrets import without_secrets

PACKAGES = ("torch", "torchvision", "open_clip_torch", "mlflow", "optuna", "accelerate", "numpy", "pillow")
_HERE = Path(__file__).resolve().parents[1]


def environment(device: str) -> dict[str, Any]:
    """Return versions, platform, device and git state, as they are now."""
    import torch

    name = torch.cuda.get_device_name() if device.startswith("cuda") else _processor()
    return {
        "harness": installed("person-retrieval-harness"),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": device,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "host": socket.gethostname(),
        "packages": {package: installed(package) for package in PACKAGES},
        "git": _git_state(),
    }


def command_line() -> str:
    """Return the command that started this process, as a shell takes it, without the passwords of addresses."""
    program, *words = sys.argv or [""]
    path = Path(program)
    name = path.parent.name if path.name == "__main__.py" else path.name
    return shlex.join([name, *map(without_secrets, words)])


def _processor() -> str:
    """Return the processor's model, so that times of different ones can be distinguished."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def installed(package: str) -> str | None:
    """Return a package's installed version, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_state() -> dict[str, Any] | None:
    """Return commit and whether files differ from it; None outside a checkout of the harness."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def source_files(*plugins: Any) -> dict[str, str]:
    """Return the hash of each engine file and of the plug-ins' own files, so that a change can be named."""
    files = [*_HERE.rglob("*.py"), *(Path(sys.modules[cls.__module__].__file__ or "") for cls in plugins)]
    return {
        _name(file): hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for file in sorted(set(files))
        if file.is_file()
    }


def changed_files(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return the files that were added, removed or edited between two source listings."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _name(file: Path) -> str:
    base = _HERE if file.is_relative_to(_HERE) else _HERE.parent
    return f"harness/{file.relative_to(_HERE)}" if base == _HERE else f"{file.parent.name}/{file.name}"


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_HERE, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
