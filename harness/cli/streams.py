"""Output without secrets that outlives its reader: a closed pipe or terminal never ends the work.

Whatever anyone prints passes here: commands, tracebacks, and the warnings of libraries.
"""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from harness.secrets import without_secrets

_NOBODY_READS = (errno.EPIPE, errno.EIO, errno.EBADF)


class _LastingFile(io.FileIO):
    """A file descriptor that is turned to the null device when nobody reads it any more."""

    def __init__(self, descriptor: int, gone: Callable[[OSError], bool]) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._gone = gone

    def write(self, data: Any, /) -> int:
        """Write, or drop what nobody reads."""
        try:
            return super().write(data)
        except OSError as error:
            if not self._gone(error):
                raise
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        return super().write(data)


class _Discreet:
    """The face of a stream that writes no secret."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text without secrets; what is no text is refused as the stream does it."""
        self._stream.write(without_secrets(text) if isinstance(text, str) else text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one by one."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def discreet() -> Iterator[None]:
    """Keep secrets out of what anyone prints meanwhile, on standard output and error."""
    with redirect_stdout(_face(sys.stdout)), redirect_stderr(_face(sys.stderr)):
        yield


def _face(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, _Discreet) else _Discreet(stream)


def outlive_readers() -> None:
    """Let standard output and error outlive their pipe or terminal, for this process and those that it starts.

    No secret is written to them, to the very end of the process.

    A result that cannot be written for another reason, such as a full disk, is still an error; progress never is. What
    a caller put in the place of a stream stays.
    """
    if sys.stdout is sys.__stdout__:
        sys.stdout = _face(_lasting(sys.stdout, 1, lambda error: error.errno in _NOBODY_READS))
    if sys.stderr is sys.__stderr__:
        sys.stderr = _face(_lasting(sys.stderr, 2, lambda error: True))


def _lasting(stream: Any, descriptor: int, gone: Callable[[OSError], bool]) -> io.TextIOWrapper:
    if stream is None:  # The process was started without it.
        return open(os.devnull, "w", encoding="utf-8")
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_LastingFile(descriptor, gone)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=descriptor == 2 or stream.isatty(),
    )
