"""Stand-ins for Slurm's programs on PATH, which note how they were called and answer as told."""

import shlex
from pathlib import Path


class FakeSlurm:
    """A folder of programs; those that were not told to answer are not there.

    Args:
        folder: where they lie; belongs on PATH.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def answers(self, program: str, text: str = "", code: int = 0, said: str = "") -> None:
        """Let a program print a text and end with a code, having said something on standard error."""
        file = self.folder / program
        called = shlex.quote(str(self.folder / f"{program}.called"))
        given = shlex.quote(str(self.folder / f"{program}.given"))
        file.write_text(
            f'#!/bin/sh\necho "$*" >> {called}\ncat > {given}\nenv > {given}.env\n'
            f"printf %s {shlex.quote(text)}\nprintf %s {shlex.quote(said)} >&2\nexit {code}\n"
        )
        file.chmod(0o755)

    def calls(self, program: str) -> list[str]:
        """Return the arguments of each call of a program."""
        file = self.folder / f"{program}.called"
        return file.read_text().splitlines() if file.exists() else []

    def given(self, program: str) -> str:
        """Return what a program read in its last call."""
        return (self.folder / f"{program}.given").read_text()

    def environment(self, program: str) -> dict[str, str]:
        """Return the environment of a program's last call."""
        lines = (self.folder / f"{program}.given.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)
