"""A Slurm cluster of one node of the tests' own, from the system's packages, started and stopped by them."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = "HARNESS_REQUIRE_SLURM"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")
PATIENCE = 30
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/bin"])
# The node has one core for Slurm, whatever it has, so that one job runs at a time. A requeued job starts after
# `cred_expire` seconds, of which 5 are the fewest.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/accounting.txt
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """Munge, the controller and one node, whose files lie in a folder of their own.

    Attributes:
        config: what Slurm's programs find the cluster by, as `SLURM_CONF`.
        accounting: Slurm's own lines, one for each time that a job ended.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.host = folder, socket.gethostname().partition(".")[0]
        self.config, self.accounting = folder / "slurm.conf", folder / "accounting.txt"

    def start(self) -> None:
        """Start all three; raise `RuntimeError` with what they say where the node does not become idle."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        named = {"host": self.host, "ports": _free_ports(2), "user": getpass.getuser(), "folder": self.folder}
        self.config.write_text(CONFIG.format(**named))
        files = {
            "socket": "munge.sock",
            "key-file": "key",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
        }
        self._do("munged", *(f"--{name}={self.folder / file}" for name, file in files.items()),
                 f"--seed-file={self.folder / 'munged.seed'}")  # fmt: skip
        self._do("slurmctld", "-f", str(self.config))
        self._do("slurmd", "-f", str(self.config))
        end = time.monotonic() + PATIENCE
        while self.ask("sinfo", "--noheader", "--format=%t") != "idle":
            if time.monotonic() > end:
                raise RuntimeError(f"the node of Slurm did not become idle: {self._last_words()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Cancel what runs, and end the programs that were started."""
        if (self.folder / "slurmd.pid").is_file():
            subprocess.run(
                [_program("scancel"), f"--user={getpass.getuser()}"], env=self._env, timeout=PATIENCE
            )
            end = time.monotonic() + PATIENCE
            while self.ask("squeue", "--noheader") and time.monotonic() < end:
                time.sleep(0.2)
        for name in ("slurmd", "slurmctld", "munged"):
            file = self.folder / f"{name}.pid"
            process = int(file.read_text()) if file.is_file() else None
            if process is not None:
                os.kill(process, signal.SIGTERM)
                while Path(f"/proc/{process}").exists():
                    time.sleep(0.05)

    def ask(self, program: str, *arguments: str) -> str:
        """Return what one of Slurm's programs prints."""
        done = subprocess.run(
            [_program(program), *arguments], env=self._env, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.stdout.strip()

    @property
    def _env(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.config)}

    def _do(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [_program(program), *arguments],
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}: {self._last_words()}")

    def _last_words(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "; ".join(f"{log.name}: {(log.read_text().splitlines() or ['nothing'])[-1]}" for log in logs)


def _program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    assert found is not None, name
    return found


def _free_ports(n: int) -> list[int]:
    taken = [socket.socket() for _ in range(n)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def missing() -> str | None:
    """Return why no cluster can be started here."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if lacking:
        return f"Slurm's {', '.join(lacking)} not found: apt-get install slurmctld slurmd slurm-client munge"
    return None


@contextmanager
def serving() -> Iterator[Cluster]:
    """Yield a running cluster; without one skip with the reason, or fail where `HARNESS_REQUIRE_SLURM=1`."""
    reason = missing()
    folder = Path(tempfile.mkdtemp(prefix="harness-slurm-"))
    folder.chmod(0o711)  # Munge wants its socket to be within reach of all
    cluster = Cluster(folder)
    try:
        try:
            if reason is None:
                cluster.start()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            reason = f"Slurm is installed, but did not start as {getpass.getuser()}: {error}"
        if reason is not None:
            if os.environ.get(REQUIRED) == "1":
                pytest.fail(f"{REQUIRED}=1, but {reason}")
            pytest.skip(reason)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":  # whether one can be started here: `.ci/run` requires it then
    try:
        with serving():
            pass
    except pytest.skip.Exception as error:
        raise SystemExit(str(error)) from None
