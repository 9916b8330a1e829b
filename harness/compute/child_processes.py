"""Processes that share one command's work and end with it, however it ends."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

from harness.errors import UsageError


def process_pool(n: int) -> ProcessPoolExecutor:
    """Return a pool of `n` fresh processes that leave Ctrl-C to this one and end when it is gone, killed included."""
    return ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), _begin)


def check_not_importing() -> None:
    """Raise `UsageError` in a process of a pool that still imports the script which made the pool.

    Work that the script does when it is imported would wait here for what that script holds, which waits for this.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UsageError(
            "The processes that help a script import it first, and this one begins its work when it is imported: put "
            'what it does under `if __name__ == "__main__":`.'
        )


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
