"""The pictures of README and gallery: small, and made of the right parts of a figure."""

from pathlib import Path

from PIL import Image

from docs.generate.pictures import PICTURES, bands, on_white, small, stacked

ROOT = Path(__file__).resolve().parents[2]


def test_the_pictures_take_little():
    assert sum(file.stat().st_size for file in PICTURES.iterdir()) < 200_000


def test_a_figure_is_cut_at_the_lines_that_cross_it_and_put_together_again():
    figure = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    for row in (10, 20):
        figure.paste((200, 200, 200, 255), (1, row, 39, row + 2))
    figure.paste((255, 0, 0, 255), (5, 24, 9, 28))  # crosses nothing
    parts = bands(on_white(figure))
    assert [part.height for part in parts] == [10, 10, 10]
    both = stacked([parts[0], parts[2]])
    assert both.size == (40, 20)
    assert both.getpixel((6, 15)) == (255, 0, 0)
    assert both.getpixel((6, 5)) == (255, 255, 255)


def test_a_picture_is_made_smaller_and_never_larger():
    wide = Image.new("RGB", (40, 20), "white")
    assert small(wide, 20, 8).size == (20, 10)
    assert small(wide, 80, 8).size == (40, 20)
