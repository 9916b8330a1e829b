"""Processes that share one command's work and end with it, however it ends."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor


def process_pool(n: int) -> ProcessPoolExecutor:
    """Return a pool of `n` fresh processes that leave Ctrl-C to this one and end when it is gone, killed included."""
    return ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
