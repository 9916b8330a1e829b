"""Ctrl-C and the system's signals as a wish that is granted after the current step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopSignals:
    """Knows whether a person or the system asked the work to stop (`asked`)."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Note Ctrl-C, SIGTERM and SIGHUP inside instead of dying of them; a second Ctrl-C stops at once.

        SIGTERM and SIGHUP stay ignored where they were, as `nohup` asks.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signs: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        old = {sign: signal.getsignal(sign) for sign in signs}
        old = {sign: how for sign, how in old.items() if sign == signal.SIGINT or how is not signal.SIG_IGN}

        def ask(sign: int, frame: FrameType | None) -> None:
            if self.asked and sign == signal.SIGINT:
                raise KeyboardInterrupt
            self.asked = True
            # The shell repeats the terminal's hang-up; the record must be written in peace.
            if sign == signal.SIGHUP:
                old[sign] = signal.SIG_IGN

        try:
            for sign in old:
                signal.signal(sign, ask)
            yield
        finally:
            for sign, handler in old.items():
                signal.signal(sign, handler)
