import gzip
import io
import json
import tarfile
import zipfile

import pytest

from harness.errors import DataError, UsageError
from harness.file_kinds import Kind, kind_of, parse_json, read_text, what_is

PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
ENTRIES = [{"id": 1, "caption": "Ein Mädchen, 女"}, {"id": 2, "caption": "b"}]
LINES = "".join(json.dumps(entry) + "\n" for entry in ENTRIES)


def archive():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("a.json", "[]")
    return made.getvalue()


def tar(mode):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as file:
        file.addfile(tarfile.TarInfo("a.json"), io.BytesIO())
    return made.getvalue()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", Kind.EMPTY),
        (b" \r\n\t", Kind.EMPTY),
        (bytes(5000), Kind.EMPTY),
        (PAGE.encode(), Kind.WEB_PAGE),
        (b"\xef\xbb\xbf \n" + PAGE.encode(), Kind.WEB_PAGE),
        (PAGE.encode("utf-16"), Kind.WEB_PAGE),
        ((b"\n<!-- saved -->\n <!-- <b> --><HTML>"), Kind.WEB_PAGE),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', Kind.WEB_PAGE),
        (b"404: Not Found", Kind.REFUSAL),
        (b"Entry not found", Kind.REFUSAL),
        (POINTER, Kind.LFS_POINTER),
        (b"/annex/objects/SHA256E-s12--00.json\n", Kind.ANNEX_POINTER),
        (gzip.compress(b"[]"), Kind.GZIP),
        (tar("w:gz"), Kind.TAR_GZIP),
        (tar("w"), Kind.TAR),
        (tar("w:bz2"), Kind.BZIP2),
        (tar("w:xz"), Kind.XZ),
        (archive(), Kind.ZIP),
        (b"7z\xbc\xaf\x27\x1c\0\4", Kind.SEVEN_ZIP),
        (b"Rar!\x1a\x07\x01\0", Kind.RAR),
        (b"\x28\xb5\x2f\xfd\0", Kind.ZSTD),
        (b"\x89PNG\r\n\x1a\n", Kind.PICTURE),
        ('[{"a": 1}]'.encode("utf-16"), Kind.UTF_16),
        ('[{"a": 1}]'.encode("utf-16-le"), Kind.UTF_16),
        ('[{"a": 1}]'.encode("utf-16-be"), Kind.UTF_16),
        ('[{"a": 1}]'.encode("utf-32"), Kind.UTF_32),
        ('[{"a": 1}]'.encode("utf-32-be"), Kind.UTF_32),
        (LINES.encode(), Kind.JSON_LINES),
        (LINES.encode().replace(b"\n", b"\r\n\r\n"), Kind.JSON_LINES),
        ("caf\xe9 au lait".encode("latin-1"), Kind.CODE_PAGE),
        ("女人".encode("gbk"), Kind.CODE_PAGE),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",  # archives hold the time
)
def test_a_file_is_known_by_its_first_bytes(head, kind, tmp_path):
    assert kind_of(head) is kind
    file = tmp_path / "file"
    file.write_bytes(head)
    assert what_is(file) is kind


@pytest.mark.parametrize(
    "head",
    [
        b"[]",
        b'{\n "a": 1\n}',
        json.dumps(ENTRIES).encode(),
        "caption: Mädchen".encode(),
        ("ä" * 4096).encode()[:4095],  # a character cut by the end of what is looked at
        b"\xef\xbb\xbf[]",
        b"\x40\0\0\0\0\0\0\0{}",  # a short safetensors header
        b"\x80\x02}q\0.",  # a pickle
        b"<b>a query",
    ],
)
def test_what_is_none_of_these_is_left_to_its_reader(head):
    assert kind_of(head) is None


def test_what_is_no_file_is_said(tmp_path):
    assert what_is(tmp_path / "none") is Kind.MISSING
    assert what_is(tmp_path) is Kind.FOLDER
    (tmp_path / "lost").symlink_to("nowhere")
    (tmp_path / "annexed").symlink_to("../.git/annex/objects/a/b/SHA256E-s12--00")
    assert what_is(tmp_path / "lost") is Kind.LOST_LINK
    assert what_is(tmp_path / "annexed") is Kind.ANNEX_POINTER


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_way_out_that_names_a_quoted_path_or_none(kind):
    said = kind.way_out("a b/c.json")
    assert said.startswith(f"It is {kind.what}: ")
    assert "{" not in said
    assert "a b/c.json" not in said.replace("'a b/c.json", "")
    # A command that ends the sentence ends before its full stop, so that it can be copied whole.
    assert said.count("`") % 2 == 0
    outside = " ".join(said.split("`")[::2])
    assert not [word for word in ("&&", " -", "jq ", "rm ", "unrar", "7z x") if word in outside]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]
)
def test_text_is_read_in_every_form_of_unicode(encoding, tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(json.dumps(ENTRIES, ensure_ascii=False).encode(encoding))
    assert parse_json(read_text(file)) == ENTRIES


def test_what_is_no_text_is_refused_with_the_way_out(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(POINTER)
    with pytest.raises(UsageError, match=r"^The preset .*a\.json cannot be read\. .*git lfs pull"):
        read_text(file, "The preset ", UsageError)
    file.write_bytes(b"[" + b" " * 5000 + "é".encode("latin-1") + b"]")
    with pytest.raises(DataError, match=r"byte 5,001.*another encoding than UTF-8.*iconv"):
        read_text(file)
    file.write_bytes(b"\x80\x02}q\0.")
    with pytest.raises(DataError, match="holds no text"):
        read_text(file)
    with pytest.raises(DataError, match="It is missing"):
        read_text(tmp_path / "none")


def test_json_lines_are_a_list(tmp_path):
    assert parse_json(LINES) == ENTRIES
    assert parse_json("\n" + LINES.replace("\n", "\r\n\n")) == ENTRIES
    assert parse_json(LINES.replace("M\\u00e4dchen", "\u2028")) == [
        {"id": 1, "caption": "Ein \u2028, 女"},
        ENTRIES[1],
    ]
    with pytest.raises(ValueError, match="line 3 of the JSON lines"):
        parse_json(LINES + '{"id": ')
    with pytest.raises(ValueError, match="Extra data"):
        parse_json("[] []")
