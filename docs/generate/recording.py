"""`make pictures`: what a terminal of 80 columns shows of a run, as text, into `docs/first-run.md`."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "first-run.md"
START, END = "<!-- recording, by `make pictures` -->", "<!-- end of the recording -->"
COLUMNS, ROWS = 80, 24
_WORK = Path(".demo")
_COMMAND = ("harness", "run", "--method", "cskt", "--dataset", "icfg", "--synthetic")
# A bar of an epoch in the middle of the training, which the end of the epoch replaces.
_WHILE = re.compile(r"^epoch 3/\d+ .*━ +1[2-9]/")
_SIGN = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+")


class Screen:
    """What a terminal shows of what was written, with all that scrolled out of it; colours are left out."""

    def __init__(self, columns: int = COLUMNS) -> None:
        self.columns = columns
        self.rows, self._row, self._column = [""], 0, 0

    def write(self, text: str) -> None:
        """Take text with the control sequences that move the cursor and clear a line."""
        for found in _SIGN.finditer(text):
            if found[2]:
                self._move(found[2], int(found[1] or 1) if found[1].isdigit() or not found[1] else 1)
            elif found[0] == "\r":
                self._column = 0
            elif found[0] == "\n":
                self._down()
            else:
                for letter in found[0]:
                    self._put(letter)

    def _put(self, letter: str) -> None:
        if self._column == self.columns:
            self._down()
            self._column = 0
        row = self.rows[self._row].ljust(self._column)
        self.rows[self._row] = row[: self._column] + letter + row[self._column + 1 :]
        self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.rows):
            self.rows.append("")

    def _move(self, kind: str, n: int) -> None:
        if kind == "A":
            self._row = max(self._row - n, 0)
        elif kind == "K":
            self.rows[self._row] = "" if n == 2 else self.rows[self._row][: self._column]

    @property
    def text(self) -> str:
        """All rows, without spaces at their ends."""
        return "\n".join(row.rstrip() for row in self.rows).strip("\n")


def written(command: tuple[str, ...], environment: dict[str, str]) -> Iterator[str]:
    """Yield what a command writes to a terminal, piece by piece; raise `RuntimeError` where it fails."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    given = {**os.environ, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=given, start_new_session=True)
    os.close(its)
    held = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while part := _part(terminal.fileno()):
            *whole, held = (held + part).split(b"\r")
            yield b"".join(line + b"\r" for line in whole).decode()
    yield held.decode()
    if process.wait():
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")


def _part(terminal: int) -> bytes:
    try:
        return os.read(terminal, 2**16)
    except OSError:  # the last process that had the terminal is gone
        return b""


def recorded(pieces: Iterator[str]) -> tuple[str, str]:
    """Return what the terminal showed at its end, and its last row in the middle of the training."""
    screen, middle = Screen(), ""
    for piece in pieces:
        screen.write(piece)
        middle = next((row.rstrip() for row in screen.rows[-2:] if _WHILE.search(row)), middle)
    return screen.text, middle


def put(page: str, screen: str, middle: str) -> str:
    """Return a page whose recording is another one."""
    blocks = [
        "While it trains, the last line is a bar:",
        f"```text\n{middle}\n```",
        "and this is what has been printed at the end:",
        f"```text\n$ {' '.join(_COMMAND)}\n{screen}\n```",
    ]
    text = "\n\n".join([START, *blocks, END])
    return re.sub(f"{re.escape(START)}.*{re.escape(END)}", lambda _: text, page, flags=re.DOTALL)


def main() -> None:
    """Run the command in a new folder of runs, and write what it shows into the page."""
    runs = _WORK / "recorded"
    shutil.rmtree(runs, ignore_errors=True)
    places = {
        "HARNESS_RUNS": str(runs),
        "HARNESS_DATA": os.environ.get("HARNESS_DATA", str(_WORK / "data")),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    screen, middle = recorded(written(_COMMAND, places))
    PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), screen, middle), encoding="utf-8")


if __name__ == "__main__":
    main()
