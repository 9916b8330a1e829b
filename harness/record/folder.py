"""A run's folder: its files, written atomically and checked when they are read, and how a run is found."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.config.sections import BackboneConfig
from harness.errors import DataError
from harness.file_kinds import Kind, what_is
from harness.files import CHECKSUM, file_hash, is_free, load_arrays, read_json, write_arrays, write_json
from harness.record.record import (
    BACKBONE,
    HISTORY,
    KEPT,
    LEFT,
    PROGRESS,
    QUERIES,
    RECORD,
    TRANSFER,
    VALUES,
    WEIGHTS,
    Record,
    queries_elsewhere,
    result_elsewhere,
)
from harness.secrets import cleared

# Where a result on another dataset notes the SHA-256 of its per-query results.
QUERIES_SHA256 = "queries_sha256"
WHOLE, DAMAGED, GONE, UNKNOWN = "whole", "damaged", "missing", "unknown: made before checksums were noted"
_WAY_OUT = "repeat the run with --force, which sets the folder aside, or remove the folder"
_REPEAT = "Put a copy of it back, or repeat the run with --force, which sets the folder aside"
_TEST_AGAIN = "`harness evaluate` with --force makes it anew"
log = logging.getLogger(__name__)
# Hears of a file that is left out, and why in one line.
Tell = Callable[[Path, str], object]


def warn(file: Path, why: str) -> None:
    """Say in one line that something is left out."""
    log.warning("left out: %s", why)


class BrokenRecord(DataError):
    """The record of a run is damaged, or is none."""


class RunFolder:
    """The folder of one run and the files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        """Return the path of a file in the folder."""
        return self.path / name

    def read(self) -> Record | None:
        """Return the record, or None when there is none yet; that of a run whose process is gone is `interrupted`.

        Raises `BrokenRecord` for one that is damaged or no record.
        """
        if not self.is_begun():
            return None
        record = self._read()
        if record.status == "running":
            noted = self._progress()
            record.seconds = float(noted.pop("seconds", 0.0))
            record.progress = {name: int(value) for name, value in noted.items()}
            if self._is_abandoned(record):
                record.status, record.finished = "interrupted", self._last_sign()
                record.progress.pop(LEFT, None)
        return record

    def is_begun(self) -> bool:
        """Whether the folder has a record, be it one that cannot be read."""
        return os.path.lexists(self.file(RECORD))

    def _read(self) -> Record:
        file = self.file(RECORD)
        try:
            record = Record.model_validate(read_json(file, of=dict))
            _ = record.name
        except DataError as error:
            raise BrokenRecord(f"{str(error).rpartition(': ')[0]}: {_WAY_OUT}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "all of it"
            raise BrokenRecord(f"{file} is no run's record ({where}: {first['msg']}): {_WAY_OUT}") from error
        except (KeyError, TypeError) as error:
            raise BrokenRecord(f"{file} is no run's record (its config lacks {error}): {_WAY_OUT}") from error
        return record

    def glance(self, tell: Tell = warn) -> Record | None:
        """Return the record where there is one that can be read; `tell` hears one line of one that cannot."""
        try:
            return self.read()
        except BrokenRecord as error:
            tell(self.file(RECORD), str(error))
            return None

    def _last_sign(self) -> str:
        """Return when a run that has not ended was last seen alive."""
        files = [file for name in (RECORD, PROGRESS) if (file := self.file(name)).is_file()]
        return datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC).isoformat(
            timespec="seconds"
        )

    def _progress(self) -> dict[str, float]:
        """Return how far a run that has not ended came, and in how many seconds."""
        file = self.file(PROGRESS)
        with suppress(DataError, ValueError, TypeError):
            return {name: float(value) for name, value in read_json(file, of=dict).items()}
        return {}

    def _is_abandoned(self, record: Record) -> bool:
        """Whether nobody works on a run that has not ended; of another machine's run that is not known."""
        return record.environment.get("host") == socket.gethostname() and is_free(self.path)

    def write(self, record: Record) -> None:
        """Write the record atomically; it loses what an error, a command or an address repeats of secrets."""
        for name in ("error", "command", "tracking"):
            setattr(record, name, cleared(getattr(record, name)))
        write_json(self.file(RECORD), record.model_dump(mode="json"))

    def backbone(self, config: BackboneConfig) -> BackboneConfig:
        """Return a run's backbone with the run's own activation, and its weights where it was imported with them."""
        own, record = self.file(BACKBONE), self.read()
        known = {} if record is None else {"quick_gelu": record.backbone.get("quick_gelu")}
        return config.model_copy(
            update=known | ({"weights": str(self.whole(BACKBONE))} if own.is_file() else {})
        )

    def history(self) -> list[dict[str, float]]:
        """Return the metrics of each finished epoch."""
        if not self.file(HISTORY).is_file():
            return []
        return list(read_json(self.whole(HISTORY), of=list))

    def write_queries(self, arrays: dict[str, Any], name: str = QUERIES) -> None:
        """Write per-query results as a compressed, pickle-free NumPy archive."""
        write_arrays(self.file(name), arrays)

    def queries(self, name: str = QUERIES) -> dict[str, Any]:
        """Return the per-query results by name; raise `DataError` for a file that is damaged."""
        return load_arrays(self.whole(name))

    def note(self, record: Record, *names: str) -> None:
        """Note the checksums of files in a record that is to be written."""
        record.files |= {name: file_hash(self.file(name)) for name in names}

    def whole(self, name: str) -> Path:
        """Return the path of a file; raise `DataError` where it is not as it was written."""
        file, sha256 = self.file(name), self._checksums().get(name)
        if sha256 is not None and (state := _state(file, sha256)) != WHOLE:
            if (kind := what_is(file)) in (Kind.LFS_POINTER, Kind.ANNEX_POINTER):
                raise DataError(f"{file} holds nothing of the run. {kind.way_out(file)}")
            why = ": its checksum is that of other content" * (state == DAMAGED)
            raise DataError(f"{file} is {state}{why}. {_again(name)}.")
        return file

    def weights(self) -> Path:
        """Return the path of what the run trained; raise `DataError` where it is damaged, or not here.

        A bundle has no weights, so a run that came in one has none.
        """
        if not self.file(WEIGHTS).is_file():
            raise DataError(f"{self.path.name} has no weights here, so there is nothing to load. {_REPEAT}.")
        return self.whole(WEIGHTS)

    def _checksums(self) -> dict[str, str]:
        """Return the SHA-256 that the record, and each result elsewhere, notes of files; what is broken notes none."""
        found: dict[str, str] = {}
        with suppress(DataError):
            record = self.read()
            found |= record.checksums if record is not None and record.status != "running" else {}
        for result in self.results(tell=lambda file, why: None):
            if sha256 := result.get(QUERIES_SHA256):
                found[queries_elsewhere(result["dataset"])] = str(sha256)
        return found

    def results(self, tell: Tell = warn) -> Iterator[dict[str, Any]]:
        """Yield the results on other datasets; `tell` hears one line of each that cannot be read."""
        for file in self._result_files():
            try:
                result = read_json(file, of=dict)
                if not (isinstance(result["metrics"], dict) and isinstance(result["intervals"], dict)):
                    raise TypeError("metrics")
                if result["dataset"] != file.stem:
                    raise KeyError("dataset")
            except DataError as error:
                tell(file, f"{str(error).rpartition(': ')[0]}: {_TEST_AGAIN}.")
            except (KeyError, TypeError) as error:
                tell(file, f"{file} is no result (it lacks its {error.args[0]}): {_TEST_AGAIN}.")
            else:
                yield result

    def lost_tests(self) -> list[str]:
        """Return the files that are not there of the tests on a joint training's further datasets."""
        record = None
        with suppress(DataError):
            record = self.read()
        if record is None or record.status != "finished":
            return []
        return [name for part in record.further if not self.file(name := result_elsewhere(part)).is_file()]

    def _result_files(self) -> list[Path]:
        return sorted(self.file(TRANSFER).glob("*.json"))

    def faults(self) -> list[str]:
        """Return one line of each file that is damaged or missing."""
        found = [(name, state) for name, state in self.states().items() if state in (DAMAGED, GONE)]
        return [f"{self.file(name)} is {state}. {_again(name)}." for name, state in found]

    def states(self) -> dict[str, str]:
        """Return of each file that is kept whether it is `whole`, `damaged`, `missing`, or not known to be whole."""
        noted = self._checksums()
        found = {name: _state(self.file(name), sha256) for name, sha256 in noted.items()}
        names = [*KEPT, *(queries_elsewhere(file.stem) for file in self._result_files())]
        found |= {name: UNKNOWN for name in names if name not in noted and self.file(name).is_file()}
        found |= dict.fromkeys(self.lost_tests(), GONE)
        for file in (*map(self.file, VALUES), *self._result_files()):
            if file.exists():
                found[str(file.relative_to(self.path))] = _json_state(file)
        return found

    def set_aside(self) -> None:
        """Rename the folder to `name~n`, so that a repeated run loses nothing."""
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}~{number}")).exists():
            number += 1
        self.path.rename(aside)


def _again(name: str) -> str:
    return _TEST_AGAIN if name.startswith(TRANSFER) else _REPEAT


def _state(file: Path, sha256: str) -> str:
    if not file.is_file():
        return GONE
    return WHOLE if file_hash(file) == sha256 else DAMAGED


def _json_state(file: Path) -> str:
    try:
        read_json(file, of=dict)
        return WHOLE if CHECKSUM in file.read_text(encoding="utf-8") else UNKNOWN
    except DataError:
        return DAMAGED
