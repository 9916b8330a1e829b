import io
import os
import socket
import struct
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import DataError
from harness.images.decoding import (
    ImageError,
    Mark,
    decode,
    decode_marked,
    decode_whole,
    extent_of,
    thumbnail,
)
from harness.images.file_hashes import MISSING, content_hashes


def picture(height, width, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def reference(image, size, how=Image.Resampling.BILINEAR):
    return np.asarray(image.convert("RGB").resize(size[::-1], how)).transpose(2, 0, 1)


@pytest.mark.parametrize("extent", [(13, 34), (374, 800), (1, 1), (96, 32)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_pixels_are_those_of_the_antialiased_resize_of_pillow(tmp_path, extent, interpolation):
    image = Image.fromarray(picture(*extent))
    image.save(tmp_path / "a.PNG")
    how = Image.Resampling[interpolation.upper()]
    pixels = decode(tmp_path / "a.PNG", (96, 32), interpolation)
    assert pixels.shape == (3, 96, 32)
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, reference(image, (96, 32), how))


def test_greyscale_and_one_bit_images_get_three_equal_channels(tmp_path):
    for mode in ("L", "1"):
        Image.fromarray(picture(40, 20, 1)).convert(mode).save(tmp_path / "a.png")
        pixels = decode(tmp_path / "a.png", (40, 20))
        assert (pixels[0] == pixels[1]).all()
        assert (pixels[0] == pixels[2]).all()
        assert pixels.std() > 20


def test_palette_images_show_their_colours_with_and_without_transparency(tmp_path):
    image = Image.fromarray(picture(40, 20)).quantize(16)
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "clear.png", transparency=bytes(range(16)))
    expected = reference(image, (40, 20))
    np.testing.assert_array_equal(decode(tmp_path / "plain.png", (40, 20)), expected)
    np.testing.assert_array_equal(decode(tmp_path / "clear.png", (40, 20)), expected)


def test_transparency_is_dropped(tmp_path):
    rgba = picture(40, 20, 4)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", (40, 20)), rgba[..., :3].transpose(2, 0, 1))


def test_the_high_byte_of_16_bit_images_counts(tmp_path):
    wide = np.random.default_rng(0).integers(0, 2**16, (40, 20), dtype=np.uint16)
    Image.fromarray(wide).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", (40, 20))[1], wide >> 8)


def test_16_bit_images_whose_values_fit_8_bits_are_not_turned_black(tmp_path):
    narrow = np.random.default_rng(0).integers(0, 256, (40, 20), dtype=np.uint16)
    Image.fromarray(narrow).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", (40, 20))[1], narrow)


def wide_png(values):
    """Return a PNG file with 16 bits a channel, which Pillow cannot write, of values [height, width, 3 or 4]."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("most", "shift"), [(256, 0), (2**16, 8)])
def test_colour_images_of_16_bits_show_their_low_bytes_where_there_are_no_high_ones(
    tmp_path, channels, most, shift
):
    values = np.random.default_rng(0).integers(0, most, (40, 20, channels))
    (tmp_path / "a.png").write_bytes(wide_png(values))
    expected = (values[..., :3] >> shift).transpose(2, 0, 1)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", (40, 20)), expected)


def test_cmyk_jpegs_become_rgb(tmp_path):
    Image.fromarray(picture(40, 20)).convert("CMYK").save(tmp_path / "a.jpg")
    assert decode(tmp_path / "a.jpg", (40, 20)).shape == (3, 40, 20)


def test_the_upper_part_of_a_cut_jpeg_is_kept(tmp_path):
    image = Image.fromarray(picture(12, 4)).resize((40, 120), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    (tmp_path / "whole.jpg").write_bytes(buffer.getvalue())
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) * 2 // 3])
    whole, cut = decode(tmp_path / "whole.jpg", (120, 40)), decode(tmp_path / "cut.jpg", (120, 40))
    np.testing.assert_array_equal(cut[:, :40], whole[:, :40])
    assert not np.array_equal(cut[:, -16:], whole[:, -16:])


def encoded(form, size=(384, 128), **options):
    buffer = io.BytesIO()
    image = Image.fromarray(picture(12, 4)).resize(size[::-1], Image.Resampling.BICUBIC)
    image.save(buffer, form, **options)
    return buffer.getvalue()


def marks_of(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    return decode_marked(tmp_path / "a.jpg", (96, 32))[1]


FORMS = [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("BMP", {}), ("TIFF", {})]


@pytest.mark.parametrize(("form", "options"), FORMS)
@pytest.mark.parametrize("size", [(384, 128), (96, 32)])
def test_a_whole_file_is_not_marked_and_a_cut_one_is(tmp_path, form, options, size):
    content = encoded(form, size, **options)
    assert marks_of(tmp_path, content) == Mark(0)
    assert marks_of(tmp_path, content[:-30]) == Mark.CUT


def test_a_jpeg_whose_end_was_never_written_is_cut(tmp_path):
    content = encoded("JPEG")
    assert marks_of(tmp_path, content[:-600] + bytes(600)) == Mark.CUT
    assert marks_of(tmp_path, content + b"and something behind it") == Mark(0)


@pytest.mark.parametrize("n", [1, 200, 256, 5000])
def test_zeros_behind_a_whole_jpeg_are_no_cut(tmp_path, n):
    assert marks_of(tmp_path, encoded("JPEG") + bytes(n)) == Mark(0)
    image = Image.new("RGB", (100, 300), "white")
    image.paste("red", (40, 100, 55, 160))
    image.save(tmp_path / "b.jpg")
    assert marks_of(tmp_path, (tmp_path / "b.jpg").read_bytes() + bytes(n)) == Mark(0)


@pytest.mark.parametrize("size", [(384, 128), (96, 32)])
@pytest.mark.parametrize("behind", [b"", b"123456", b"\xff\xd9", bytes(5000)], ids=len)
def test_a_jpeg_of_headers_alone_is_unreadable(tmp_path, size, behind):
    content = encoded("JPEG", size)
    head = content[: content.index(b"\xff\xda") + 14]
    with pytest.raises(ImageError, match="ends before its picture begins"):
        marks_of(tmp_path, head + behind)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_file_of_which_nearly_nothing_is_there_is_unreadable(tmp_path, form):
    content = encoded(form)
    with pytest.raises(ImageError, match="ends before its picture begins"):
        marks_of(tmp_path, content[: len(content) // 40 + 100])


@pytest.mark.parametrize(
    ("form", "options"), [*FORMS, ("JPEG", {"optimize": True}), ("JPEG", {"progressive": True})]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_of_one_single_colour_is_marked_and_whole(tmp_path, form, options, mode):
    buffer = io.BytesIO()
    Image.new(mode, (128, 384), 9).save(buffer, form, **options)
    assert marks_of(tmp_path, buffer.getvalue()) == Mark.SINGLE_COLOUR


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_what_exif_turns_is_marked_and_what_it_leaves_is_not(tmp_path, form):
    for orientation, expected in ((1, Mark(0)), (6, Mark.TURNED), (3, Mark.TURNED), (0, Mark(0))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert marks_of(tmp_path, encoded(form, exif=exif)) == expected
    assert marks_of(tmp_path, encoded("JPEG", exif=b"Exif\0\0no exif at all")) == Mark(0)


def test_exif_rotation_is_ignored(tmp_path):
    image = Image.fromarray(picture(40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", (40, 20)), reference(image, (40, 20)))


@pytest.mark.parametrize(
    "content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n" + b"\x00" * 30, b"\xff\xd8\xff"]
)
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"bad\.jpg cannot be read"):
        decode(tmp_path / "bad.jpg", (8, 8))


def test_a_missing_file_and_a_folder_are_data_errors(tmp_path):
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            decode(path, (8, 8))


def test_a_decompression_bomb_is_refused_before_it_unfolds(tmp_path):
    Image.new("1", (9_000, 8_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ImageError, match="9000x8000"):
        decode(tmp_path / "bomb.png", (8, 8))


def pipe(file):
    os.mkfifo(file)


def endless(file):
    file.symlink_to("/dev/zero")


def loop(file):
    file.symlink_to(file.name)


def listening(file):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.fspath(file))


def sparse(file):
    Image.new("RGB", (60, 160), "red").save(file, "JPEG")
    os.truncate(file, 10 * 2**30)


def large(file):
    Image.new("1", (2**13, 2**13)).save(file, "PNG")


def postscript(file):
    file.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(ran) (w) file closefile\n"
    )


def drawing(file):
    file.write_text('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')


def icon(file):
    Image.new("RGB", (16, 16)).save(file, "ICO")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (pipe, "it is a named pipe"),
        (endless, "it is a device"),
        (loop, "it is a link that leads to itself"),
        (listening, "it is a socket"),
        (Path.mkdir, "it is a folder"),
        (sparse, "10,737,418,240 bytes"),
        (large, "8192x8192 pixels"),
        (postscript, "it is a PostScript program"),
        (drawing, "it is an SVG drawing"),
        (icon, "it is no picture of the kinds that are read"),
    ],
)
def test_what_is_no_picture_is_refused_at_once_by_every_door(tmp_path, monkeypatch, make, reason):
    """None is waited for, started or read to its end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", None)
    file = tmp_path / "a.jpg"
    make(file)
    start = time.monotonic()
    with pytest.raises(ImageError, match=reason):
        decode(file, (8, 8))
    with pytest.raises(ImageError, match=reason):
        decode_whole(file)
    assert thumbnail(file, (8, 8)) is None
    assert extent_of(file) is None
    hashes = content_hashes([file], tmp_path / "index")
    by_its_content = make in (large, postscript, drawing, icon)
    assert (hashes == [MISSING]) != by_its_content
    assert time.monotonic() - start < 10
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_what_person_datasets_hold_is_read_under_any_name(tmp_path, kind):
    picture = Image.new("RGB", (60, 160), (200, 40, 40))
    picture.save(tmp_path / "a.jpg", kind)
    assert decode(tmp_path / "a.jpg", (16, 6))[0].mean() > 150
    assert extent_of(tmp_path / "a.jpg") == (160, 60)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_picture_is_taken(tmp_path, kind):
    frames = [Image.new("RGB", (20, 40), colour) for colour in ("red", "blue", "blue")]
    frames[0].save(tmp_path / "a.gif", kind, save_all=True, append_images=frames[1:])
    red, _, blue = decode(tmp_path / "a.gif", (4, 2)).mean(axis=(1, 2))
    assert red > 150 > 50 > blue


def test_the_longest_strip_is_read_in_a_moment(tmp_path):
    Image.new("RGB", (60_000, 1), "red").save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", (96, 32)).shape == (3, 96, 32)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it is missing"),
        (b"", "it is an empty file"),
        (b"<!DOCTYPE html><html></html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "it is a Git LFS pointer"),
        (b"\xff\xd8\xffgarbage", "it is no picture of the kinds that are read"),
    ],
)
def test_what_is_no_image_says_what_it_is(tmp_path, content, reason):
    file = tmp_path / "a.jpg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ImageError, match=f"cannot be read as an image: {reason}") as found:
        decode(file, (8, 8))
    assert found.value.reason.startswith(reason)
