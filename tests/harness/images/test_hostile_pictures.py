"""A campaign of odd and of hostile pictures: each is decoded by the one rule, or refused in one line and at once."""

import io
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.verify.image_files import check_files
from harness.images.decoding import ImageError, Mark, decode_marked, decode_whole, no_picture, thumbnail
from harness.images.store import open_images

SECONDS = 3.0  # a second at rest
SIZE = (40, 20)
PIXELS = np.random.default_rng(14).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def as_pillow(content):
    """Return what Pillow's own conversion to RGB makes of a file, [3, height, width]."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def odd():
    """Yield name, content and expected pixels of what is no plain picture, but one nevertheless.

    Alpha is dropped: a pixel has the colour that is written in it. 16 bits are scaled to 8 by their high byte, and
    neither clipped nor rounded. EXIF turns nothing, and of an animation the first picture counts.
    """
    rgb = Image.fromarray(PIXELS)
    frames = [Image.fromarray(np.roll(PIXELS, place, axis=0)) for place in (0, 5, 9)]
    more = {"save_all": True, "append_images": frames[1:]}
    grey = PIXELS[..., 0]
    wide = np.random.default_rng(3).integers(0, 2**16, SIZE, dtype=np.uint16)
    palette = rgb.quantize(16)
    for form, options in (("JPEG", {"quality": 95}), ("TIFF", {})):
        content = encoded(rgb.convert("CMYK"), form, **options)
        yield f"CMYK {form}", content, as_pillow(content)
    yield "16-bit PNG", encoded(Image.fromarray(wide), "PNG"), np.stack([(wide >> 8).astype(np.uint8)] * 3)
    yield "16-bit TIFF", encoded(Image.fromarray(wide), "TIFF"), np.stack([(wide >> 8).astype(np.uint8)] * 3)
    clear = encoded(palette, "PNG", transparency=bytes(range(0, 256, 16)))
    yield "palette with transparency", clear, np.asarray(palette.convert("RGB")).transpose(2, 0, 1)
    both = Image.merge("LA", (Image.fromarray(grey), Image.fromarray(PIXELS[..., 1])))
    yield "greyscale with alpha", encoded(both, "PNG"), np.stack([grey] * 3)
    content = encoded(rgb, "JPEG", exif=turned())
    yield "JPEG turned by EXIF", content, as_pillow(content)
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        content = encoded(frames[0], form, **more)
        yield f"animated {form}", content, as_pillow(content)
    for mode in ("1", "L", "P", "YCbCr", "LAB", "F", "I"):
        image = rgb.convert("L").convert(mode) if mode in "FI" else rgb.convert(mode)
        content = encoded(image, "TIFF")
        yield f"TIFF of mode {mode}", content, None if mode in "FI" else as_pillow(content)


def declared(width, height):
    """Return a JPEG whose head says a size, with no data behind it."""
    whole = encoded(Image.fromarray(PIXELS), "JPEG")
    head = bytearray(whole[: whole.index(b"\xff\xda")])
    at = head.index(b"\xff\xc0") + 5
    head[at : at + 4] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(head)


def bound(file):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(file))


JPEG = encoded(Image.fromarray(PIXELS), "JPEG", quality=95)
NONE = {
    "a PDF": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n%%EOF\n",
    "an SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "nothing": b"",
    "a JPEG of its first bytes": JPEG[:30],
    "a JPEG of its head": JPEG[: JPEG.index(b"\xff\xda") + 14],
    "2^26 and a pixel declared": declared(2**13 + 1, 2**13),
    "65,535 squared declared": declared(65_535, 65_535),
    "no pixel declared": declared(0, 0),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a socket": bound,
    "a device": lambda file: file.symlink_to("/dev/null"),
    "an endless device": lambda file: file.symlink_to("/dev/zero"),
    "a link to itself": lambda file: file.symlink_to(file.name),
    "a link to nowhere": lambda file: file.symlink_to("nowhere"),
}
ODD = {name: (content, expected) for name, content, expected in odd()}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch, tmp_path):
    """No program is started, and nothing is waited for."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.chdir(tmp_path)

    def late(*_):
        pytest.fail("never came back")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 20 * SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def make(folder, name):
    file = folder / "x.jpg"
    content = NONE[name]
    file.write_bytes(content) if isinstance(content, bytes) else content(file)
    return file


@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_has_the_pixels_of_the_rule(tmp_path, name):
    content, expected = ODD[name]
    file = tmp_path / "x.jpg"
    file.write_bytes(content)
    pixels = decode_whole(file)
    assert pixels.shape == (3, *SIZE)
    if expected is not None:
        np.testing.assert_array_equal(pixels, expected)
    stored = open_images([file], SIZE)
    np.testing.assert_array_equal(stored.read([0])[0].numpy(), decode_marked(file, SIZE)[0])
    assert no_picture(file) is None


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_picture_is_one_line_by_every_door(tmp_path, name):
    file = make(tmp_path, name)
    for door in (decode_whole, lambda path: decode_marked(path, SIZE)):
        with pytest.raises(ImageError) as refused:
            door(file)
        said = str(refused.value)
        assert len(said.splitlines()) == 1
        assert len(said) < 500
    assert thumbnail(file, (8, 8)) is None
    stored = open_images([file], SIZE, on_bad_image="skip")
    assert stored.marks == bytes([Mark.UNREADABLE])
    with pytest.raises(ImageError, match=r"1 of 1 images cannot be read"):
        open_images([file], SIZE)
    found = check_files([str(file)], "decode", 1)
    assert [*found.missing, *found.unreadable] == [str(file)]


def test_the_counts_of_the_campaign(tmp_path, record_property):
    """A folder of all of them: of each kind it is known beforehand what becomes of it."""
    files = []
    for number, name in enumerate((*ODD, *NONE)):
        folder = tmp_path / str(number)
        folder.mkdir()
        if name in ODD:
            (folder / "x.jpg").write_bytes(ODD[name][0])
            files.append(folder / "x.jpg")
        else:
            files.append(make(folder, name))
    stored = open_images(files, SIZE, on_bad_image="skip")
    found = Counter("refused" if place in stored.bad else "decoded" for place in range(len(files)))
    record_property("counts", dict(found))
    sys.stdout.write(f"{len(files)} pictures: {dict(found)}\n")
    assert found == {"decoded": len(ODD), "refused": len(NONE)}
