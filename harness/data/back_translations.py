"""Back translations of captions: made once by a command of the user's own, kept beside the dataset, read with it.

`back_translations.json` in a dataset's folder is one object, from captions as the annotation has them to their
translations. It is read where the annotation has no `captions_bt` of its own.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.datasets import Sample
from harness.errors import DataError, Interrupted, UsageError
from harness.file_kinds import read_text
from harness.files import locked, write_text
from harness.places import writable
from harness.strict_json import read_json_text

FILE = "back_translations.json"
_BATCH = 1000
_SHOWN = 300

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Translated:
    """What a call of `translate` did: distinct captions asked for, known before, translated, and of those unchanged."""

    file: str
    captions: int
    known: int
    made: int
    unchanged: int
    empty: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def read_translations(file: Path) -> dict[str, str]:
    """Return a file's translations by caption; none where there is no file. Raises `DataError` when it is faulty."""
    if not os.path.lexists(file):
        return {}
    fix = "Remove it, and make it again with: harness data back-translate."
    text = read_text(file)
    try:
        value = read_json_text(text)
    except ValueError as error:
        raise DataError(f"{file} is not valid JSON: {error}. {fix}") from error
    if not isinstance(value, dict) or not all(map(_whole, (*value, *value.values()))):
        raise DataError(f"{file} should hold one object, from captions to their translations. {fix}")
    return value


def with_translations(samples: Sequence[Sample], translations: dict[str, str]) -> list[Sample]:
    """Return the samples with `captions_bt`, "" where a caption has none; as they are when any has its own."""
    if not translations or any(sample.captions_bt for sample in samples):
        return list(samples)
    return [replace(sample, captions_bt=_of(sample, translations)) for sample in samples]


def have_their_own(samples: Iterable[Sample], translations: dict[str, str]) -> bool:
    """Whether the samples' back translations come from the annotation, not from the file."""
    return any(sample.captions_bt not in ((), _of(sample, translations)) for sample in samples)


def translate(
    captions: Iterable[str],
    commands: Sequence[str],
    file: Path,
    *,
    batch: int = _BATCH,
    progress: Progress | None = None,
) -> Translated:
    """Translate the captions that a file lacks, and write it after each batch.

    Args:
        captions: captions as the annotation has them; each different one is translated once.
        commands: command lines that read captions, one a line, and write as many lines; each reads what the one
            before it wrote. They are started without a shell, for each batch.
        file: where the translations are kept, and were before.
        batch: captions for each start of the commands; an interruption loses one batch at most.
        progress: called with the captions done and their total.

    Raises `UsageError` when a command cannot be started, fails or writes another number of lines; `Interrupted`.
    """
    split = [_split(command) for command in commands]
    wanted = list(dict.fromkeys(caption for caption in captions if caption.strip()))
    writable(file.parent)
    with locked(file.parent):
        found = read_translations(file)
        missing = [caption for caption in wanted if caption not in found]
        try:
            for start in range(0, len(missing), batch):
                part = missing[start : start + batch]
                found |= dict(zip(part, _through(split, part), strict=True))
                write_text(file, json.dumps(found, indent=0, ensure_ascii=False) + "\n")
                if progress:
                    progress(start + len(part), len(missing))
        except KeyboardInterrupt:
            left = sum(caption not in found for caption in missing)
            kept = f"{len(missing) - left:,} of {len(missing):,} captions are translated and kept in {file}"
            raise Interrupted(kept) from None
    made = [(caption, found[caption]) for caption in missing]
    return Translated(
        file=str(file),
        captions=len(wanted),
        known=len(wanted) - len(missing),
        made=len(made),
        unchanged=sum(_line(caption) == text for caption, text in made),
        empty=sum(not text for _, text in made),
    )


def _of(sample: Sample, translations: dict[str, str]) -> tuple[str, ...]:
    found = tuple(translations.get(caption, "") for caption in sample.captions)
    return found if any(found) else ()


def _through(commands: Sequence[Sequence[str]], captions: Sequence[str]) -> list[str]:
    lines = [_line(caption) for caption in captions]
    for command in commands:
        lines = _ran(command, lines)
    return lines


def _ran(command: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Return what a command makes of lines, one for each."""
    called = shlex.join(command)
    text = "".join(f"{line}\n" for line in lines)
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"The command `{called}` cannot be started: {reason}. Check --command.") from error
    said = done.stderr.decode(errors="replace").strip()[-_SHOWN:]
    reply = f" It said: {said}" if said else ""
    if done.returncode:
        raise UsageError(f"The command `{called}` failed with exit code {done.returncode}.{reply}")
    try:
        made = [_line(line) for line in done.stdout.decode().removesuffix("\n").split("\n")]
    except UnicodeDecodeError as error:
        raise UsageError(f"The command `{called}` writes no UTF-8 (byte {error.start}).{reply}") from error
    made = made if done.stdout else []
    if len(made) != len(lines):
        raise UsageError(
            f"The command `{called}` was given {len(lines):,} lines but wrote {len(made):,}. It must write one "
            f"line for each, in the same order.{reply}"
        )
    return made


def _split(command: str) -> list[str]:
    try:
        parts = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"The command {command!r} cannot be split into words: {error}.") from error
    if not parts:
        raise UsageError(
            "The command is empty. Give one that translates lines, as --command 'python mine.py'."
        )
    return parts


def _line(text: str) -> str:
    """Return a text as one line: white space of any kind as single spaces."""
    return " ".join(text.split())


def _whole(value: Any) -> bool:
    """Whether a value is text without half characters (lone surrogates)."""
    return isinstance(value, str) and value.encode(errors="replace").decode() == value
