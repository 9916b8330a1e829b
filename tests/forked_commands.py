"""Runs the command line in forks of one process, which has imported what they need: most of what a short command takes.

`python forked_commands.py` is asked by one JSON object a line. Each has `arguments` of `harness` and `log`, may have
variables of its `environment`, and may say where SIGKILL comes: `write`, before that change of the file system, or
`after`, in so many seconds. The answer is one object: exit `code`, `writes`, and `seconds`.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

LIBRARIES = (
    "torch",
    "open_clip",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "sklearn.metrics",
    "harness.run.run",
    "harness.cli.actions.run",
)
CHANGES = ("fsync", "replace", "rename", "unlink", "mkdir", "open")


class ForkedCommands:
    """A process that runs commands in forks of itself; what they print is in the file that a call names.

    Args:
        folder: in which the commands are called.
        environment: their variables.
    """

    def __init__(self, folder, environment):
        root = Path(__file__).resolve().parent.parent
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment | {"PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )

    def call(self, *words, log, **how):
        """Call a command; return what became of it."""
        self.begin(*words, log=log, **how)
        return self.end()

    def begin(self, *words, log, **how):
        """Call a command without waiting for it."""
        self.process.stdin.write(json.dumps({"arguments": words, "log": str(log), **how}) + "\n")
        self.process.stdin.flush()

    def end(self):
        """Wait for the command that was begun; return what became of it."""
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def die():
    """End this process as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def count_writes(last):
    """Count the changes of the file system that Python makes, and die before one of them; return the count's list.

    What was written outlives a process that is killed, so that nothing waits for the disk.
    """
    made = []

    def counted(name):
        real = getattr(os, name)

        def call(*arguments, **options):
            reads = name == "open" and not (len(arguments) > 1 and arguments[1] & (os.O_CREAT | os.O_WRONLY))
            if not reads:
                made.append(name)
                if len(made) == last:
                    die()
            return None if name == "fsync" else real(*arguments, **options)

        return call

    for name in CHANGES:
        setattr(os, name, counted(name))
    return made


def run(asked, answer):
    """Be the process: run the command, and write how many changes it made."""
    code = 3
    try:
        os.setsid()
        with open(asked["log"], "ab") as log:
            for number in (1, 2):
                os.dup2(log.fileno(), number)
        made = count_writes(asked.get("write"))
        if "after" in asked:
            timer = threading.Timer(asked["after"], die)
            timer.daemon = True
            timer.start()
        os.environ |= asked.get("environment", {})
        sys.argv = ["harness", *asked["arguments"]]
        try:
            import_module("harness.cli.main").main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        os.write(answer, str(len(made)).encode())
    finally:
        os._exit(code)


def serve():
    """Answer what is asked until there is no more."""
    for name in LIBRARIES:
        import_module(name)
    for line in sys.stdin:
        begun = time.monotonic()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            run(json.loads(line), write)
        os.close(write)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read) as said:
            writes = int(said.read() or 0)
        code = os.waitstatus_to_exitcode(status)
        answer = {"code": code, "writes": writes, "seconds": time.monotonic() - begun}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
