"""What a file is, by one look at its first bytes, and the way out where it is not what it should be.

What is downloaded is often something else than it is named: a web page, a pointer of Git LFS, an archive.
"""

import codecs
import errno
import os
import re
import stat
import zlib
from enum import Enum
from json import JSONDecodeError
from pathlib import Path
from shlex import quote
from typing import Any

from harness.errors import DataError, HarnessError
from harness.strict_json import read_json_text

_HEAD = 4096
# No text that is read whole is longer, in bytes.
_MOST_TEXT = 2**30
_AGAIN = "download the file itself, and look at its size before you use it"
_REPOSITORY = "in the repository that it belongs to, or " + _AGAIN
_LAST_SPACE = re.compile(r"^(?:\s|<!--.*?-->)+", re.DOTALL)
_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body|script|meta|title|\?xml|error)\b", re.IGNORECASE)
_SVG = re.compile(r"(?:<\?xml[^>]*>\s*)?(?:<!doctype\s+svg[^>]*>\s*)?<svg\b", re.IGNORECASE)
_REFUSAL = re.compile(r"(?:\d{3}:? )?(?:not found|forbidden|access denied)|entry not found|invalid username")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class Kind(Enum):
    """A kind of file: what it is, and how to come to the file that was meant (`{file}`, `{folder}`: where it lies)."""

    MISSING = ("missing", "check the path {file}")
    LOST_LINK = ("a link to a file that is not there", "make the link {file} anew, or put the file there")
    LOOP = ("a link that leads to itself", "make the link {file} anew, or put the file there")
    PIPE = ("a named pipe, which would be waited for", "put the file itself there: `rm {file}`")
    SOCKET = ("a socket, not a file", "put the file itself there: `rm {file}`")
    DEVICE = ("a device, not a file", "give the path of a file")
    FOLDER = ("a folder, not a file", "give the path of the file in it, or put the file in its place")
    EMPTY = ("an empty file (of nothing, blanks or zeros)", "the download or copy broke off: get it again")
    WEB_PAGE = ("a web page, not the file itself", "open it to see what the server asks for, then " + _AGAIN)
    REFUSAL = ("the refusal of a server, not the file itself", "check address and access, then " + _AGAIN)
    LFS_POINTER = ("a Git LFS pointer, not the file itself", "run `git lfs pull` " + _REPOSITORY)
    ANNEX_POINTER = ("a git-annex pointer, not the file itself", "run `git annex get {file}` " + _REPOSITORY)
    GZIP = ("a gzip file", "unpack it: `mv {file} {file}.gz && gunzip {file}.gz`")
    TAR_GZIP = ("a gzipped tar archive", "unpack it: `tar -xzf {file} -C {folder}`")
    BZIP2 = ("a bzip2 file", "unpack it: `mv {file} {file}.bz2 && bunzip2 {file}.bz2`")
    XZ = ("an xz file", "unpack it: `mv {file} {file}.xz && unxz {file}.xz`")
    ZSTD = ("a zstd file", "unpack it: `mv {file} {file}.zst && unzstd {file}.zst`")
    ZIP = ("a zip archive", "unpack it: `mv {file} {file}.zip && unzip {file}.zip -d {folder}`")
    TAR = ("a tar archive", "unpack it: `tar -xf {file} -C {folder}`")
    SEVEN_ZIP = ("a 7z archive", "unpack it: `7z x {file} -o{folder}`")
    RAR = ("a rar archive", "unpack it: `unrar x {file} {folder}`")
    PDF = ("a PDF document", _AGAIN)
    POSTSCRIPT = ("a PostScript program (EPS)", "convert it to PNG where you trust it")
    SVG = ("an SVG drawing", "convert it to PNG")
    PICTURE = ("a picture", "check the path {file}")
    UTF_16 = ("text in UTF-16", "convert it: `iconv -f UTF-16 -t UTF-8 {file} > {file}.utf8`")
    UTF_32 = ("text in UTF-32", "convert it: `iconv -f UTF-32 -t UTF-8 {file} > {file}.utf8`")
    JSON_LINES = ("JSON lines, one object a line", "join the lines: `jq -s . {file} > {file}.list`")
    CODE_PAGE = (
        "text in another encoding than UTF-8",
        "convert it (WINDOWS-1252 stands for the encoding that it was saved in): "
        "`iconv -f WINDOWS-1252 -t UTF-8 {file} > {file}.utf8`",
    )

    @property
    def what(self) -> str:
        """What a file of this kind is, in words that follow "It is"."""
        return str(self.value[0])

    def way_out(self, path: str | Path) -> str:
        """Return in one sentence what the file is and how to come to the one that was meant."""
        file, folder = quote(os.fspath(path)), quote(os.path.dirname(path) or ".")
        mend = str(self.value[1]).format(file=file, folder=folder)
        return f"It is {self.what}: {mend}."


_SIGNATURES = (
    (b"version https://git-lfs", Kind.LFS_POINTER),
    (b"/annex/objects/", Kind.ANNEX_POINTER),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"BZh", Kind.BZIP2),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Kind.RAR),
    (b"%PDF-", Kind.PDF),
    (b"%!PS", Kind.POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", Kind.POSTSCRIPT),
    (b"\xff\xd8\xff", Kind.PICTURE),
    (b"\x89PNG\r\n", Kind.PICTURE),
    (b"GIF8", Kind.PICTURE),
)
_PLACES = {stat.S_IFDIR: Kind.FOLDER, stat.S_IFIFO: Kind.PIPE, stat.S_IFSOCK: Kind.SOCKET}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Kinds that `read_text` reads as they are.
_READ = (None, Kind.UTF_16, Kind.UTF_32, Kind.JSON_LINES)


def what_is(path: str | Path) -> Kind | None:
    """Return the kind of a file by its first bytes; None where it is none of these.

    A zip archive is `ZIP`, be it one of pictures or one that `torch.save` wrote: the reader knows what is right.
    Raises `OSError` where the file may not be read.
    """
    if place := what_place_is(path):
        return place
    with open(path, "rb", opener=open_file) as file:
        head = file.read(_HEAD)
    return kind_of(head)


def what_place_is(path: str | Path) -> Kind | None:
    """Return what is at a path where that is no file, without opening it; None of a file.

    Raises `OSError` where it may not be looked at.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return _lost_link(path)
    except ValueError:
        return Kind.MISSING
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return Kind.LOOP
    return None if stat.S_ISREG(mode) else _PLACES.get(stat.S_IFMT(mode), Kind.DEVICE)


def open_file(path: str, flags: int) -> int:
    """Open a file and nothing else, for `open(path, opener=open_file)`: a pipe would wait, a device never end.

    Raises `OSError` that says what is there instead.
    """
    if place := what_place_is(path):
        raise OSError(errno.EINVAL, f"it is {place.what}", path)
    # What takes the file's place at this very moment does not make it wait either.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a file that begins with these bytes, or consists of them; None where it is none of these."""
    if not head.strip(b"\0 \t\r\n"):
        return Kind.EMPTY
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"\x1f\x8b"):
        return Kind.TAR_GZIP if _is_tar(_unpacked(head)) else Kind.GZIP
    if _is_tar(head):
        return Kind.TAR
    encoding = _encoding(head)
    if encoding is None:
        return None
    text = _LAST_SPACE.sub("", _decoded(head, encoding).lstrip("\ufeff"))
    if _SVG.match(text):
        return Kind.SVG
    if _PAGE.match(text):
        return Kind.WEB_PAGE
    if len(head) < 256 and _REFUSAL.match(text.lower()):
        return Kind.REFUSAL
    if encoding.startswith("utf-16"):
        return Kind.UTF_16
    if encoding.startswith("utf-32"):
        return Kind.UTF_32
    if encoding == _UNKNOWN:
        return Kind.CODE_PAGE
    return Kind.JSON_LINES if _is_json_lines(text) else None


def read_text(
    path: str | Path, what: str = "", error: type[HarnessError] = DataError, most: int = _MOST_TEXT
) -> str:
    """Return the text of a file in UTF-8, UTF-16 or UTF-32, with a byte order mark or without.

    Args:
        path: the file.
        what: what the file is meant to be, put before its path in messages, as "The preset ".
        error: what is raised, with the way out, where it cannot be read, is of another kind than text, or too long.
        most: bytes that it may have.
    """
    try:
        kind = what_is(path)
        if kind not in _READ:
            assert kind is not None
            raise error(f"{what}{path} cannot be read. {kind.way_out(path)}")
        with open(path, "rb", opener=open_file) as file:
            if (n := os.fstat(file.fileno()).st_size) > most:
                raise error(
                    f"{what}{path} has {n:,} bytes, more than {most:,}: check that it is the right file."
                )
            data = file.read()
    except OSError as fault:
        raise error(f"{what}{path} cannot be read: {fault.strerror}. Check its permissions.") from fault
    encoding = _encoding(data[:_HEAD]) or "utf-8"
    try:
        return data.decode("utf-8" if encoding == _UNKNOWN else encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as fault:
        if _CONTROL.search(data):
            raise error(
                f"{what}{path} cannot be read. It holds no text: check that it is the right file."
            ) from fault
        where = f" (byte {fault.start:,})"
        raise error(f"{what}{path} cannot be read{where}. {Kind.CODE_PAGE.way_out(path)}") from fault


def parse_json(text: str) -> Any:
    """Return the value of a JSON text, or the list of the values where it is JSON lines; raise `ValueError`.

    Both are read strictly (`harness.strict_json`).
    """
    try:
        return read_json_text(text)
    except JSONDecodeError as fault:
        if not (fault.msg == "Extra data" and text.lstrip().startswith("{")):
            raise
    values = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values.append(read_json_text(line))
            except ValueError as fault:
                raise ValueError(f"line {number:,} of the JSON lines is broken: {fault}") from fault
    return values


_UNKNOWN = "another encoding"


def _encoding(head: bytes) -> str | None:
    """Return the encoding of a text by its mark, or by where its zeros are; None where it holds no text."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        if b"\0" in head[:4] and _reads(head, encoding):
            return encoding
    if _CONTROL.search(head):
        return None
    return "utf-8" if _reads(head, "utf-8") else _UNKNOWN


def _reads(head: bytes, encoding: str) -> bool:
    """Whether the bytes, up to a character that is cut at their end, are text that begins in ASCII."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    plain = encoding == "utf-8" or text[:2].isascii()
    return bool(text) and plain and not _CONTROL.search(text.encode("utf-8", "replace"))


def _decoded(head: bytes, encoding: str) -> str:
    return head.decode("latin-1" if encoding == _UNKNOWN else encoding, errors="ignore")


def _is_json_lines(text: str) -> bool:
    """Whether a text begins with a whole object on a line of its own, and another one on the next."""
    first, _, rest = text.partition("\n")
    if not (first.startswith("{") and rest.lstrip().startswith("{")):
        return False
    try:
        return isinstance(read_json_text(first), dict)
    except ValueError:
        return False


def _lost_link(path: str | Path) -> Kind:
    if not os.path.islink(path):
        return Kind.MISSING
    return Kind.ANNEX_POINTER if "annex/objects" in os.readlink(path) else Kind.LOST_LINK


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head)
    except zlib.error:
        return b""
