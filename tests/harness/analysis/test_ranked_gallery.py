"""Which queries a gallery shows, and the drawing of it: nothing overlaps, no text is a formula, shapes are kept."""

import numpy as np
import pytest

from harness.analysis.pictures import Pictures
from harness.analysis.ranked_drawing import (
    LINE,
    SIZE,
    TEXT_WIDTH,
    TILE_HEIGHT,
    TILE_WIDTH,
    draw_gallery,
    wrapped,
)
from harness.analysis.ranked_gallery import Entry, entries, flip_entries, flips
from harness.errors import DataError
from harness.evaluate.top_items import choose
from harness.pages.theme import WIDTH, save_figure, use_theme

HOSTILE = [
    "<script>alert(1)</script> & <b>a man</b>",
    "a $x_1$ shirt and $\\frac{1}{0}$ trousers that cost $5 or $6",
    "\x1b[31mred\x1b[0m \x07bell \u202eturned\u202c and a\nnew\tline",
    " ".join(f"word{n}" for n in range(100)),
    "W" * 5000,
    "一个穿红色外套的男人" * 30,
    "",
]


class Fakes(Pictures):
    """Pictures that are made up: images of every shape, one that cannot be read, and hostile captions."""

    def __init__(self, missing=None):
        self.missing, self.opened = missing, []

    def caption(self, place):
        return HOSTILE[place % len(HOSTILE)]

    def thumbnail(self, place):
        self.opened.append(place)
        if self.missing or place == 3:
            return None
        shape = [(200, 70, 3), (60, 150, 3), (9, 9, 3)][place % 3]
        return np.full(shape, place * 20 % 255, dtype=np.uint8)


def results(rank, identity=None, n_images=12):
    """Return per-query results of given ranks, with an order of the gallery that has the right images there."""
    rank = np.asarray(rank)
    identity = np.arange(len(rank)) if identity is None else np.asarray(identity)
    owners = np.arange(n_images) % (identity.max() + 1)
    top = np.array([np.roll(np.arange(n_images), place)[:10] for place in range(len(rank))], dtype=np.int32)
    found = {"t2i/identity": identity, "t2i/rank": rank, "t2i/AP": 1 / rank, "t2i/top": top}
    return found | {"t2i/n_right": np.full(len(rank), 2), "i2t/identity": owners}


def naive_choice(queries, n):
    """Follow the definition: one of each kind in turn, each time the next whose person is not shown yet."""
    order = sorted(
        range(len(queries["t2i/rank"])), key=lambda q: (queries["t2i/rank"][q], -queries["t2i/AP"][q], q)
    )
    middle = len(order) // 2
    walks = {
        "best": order,
        "worst": order[::-1],
        "median": [order[i] for i in sorted(range(len(order)), key=lambda i: (abs(i - middle), i))],
    }
    chosen, seen = {"best": [], "median": [], "worst": []}, set()
    for _ in range(n):
        for name, walk in walks.items():
            for query in walk:
                if queries["t2i/identity"][query] not in seen:
                    seen.add(queries["t2i/identity"][query])
                    chosen[name].append(query)
                    break
    return chosen


@pytest.mark.parametrize("n", [1, 3, 50])
def test_best_median_and_worst_are_by_rank_then_precision_one_a_person(n):
    rng = np.random.default_rng(0)
    queries = results(rng.integers(1, 6, 60), rng.integers(0, 25, 60))
    queries["t2i/AP"] = rng.integers(1, 4, 60) / 4
    chosen = choose(queries, n)
    assert chosen == naive_choice(queries, n)
    shown = [queries["t2i/identity"][query] for some in chosen.values() for query in some]
    assert len(shown) == len(set(shown)) == min(3 * n, len(set(queries["t2i/identity"])))


def test_few_persons_are_shared_out_among_the_kinds():
    assert choose(results([1, 9], [4, 5]), 3) == {"best": [0], "median": [], "worst": [1]}
    assert choose(results([1]), 3) == {"best": [0], "median": [], "worst": []}


def test_flips_are_sorted_by_how_far_the_other_is_off_one_a_person_and_all_counted():
    identity = [1, 1, 2, 3, 4, 5]
    a, b = results([1, 1, 1, 1, 9, 1], identity), results([5, 8, 2, 1, 1, 30], identity)
    found = flips(a, b, 2)
    assert found.only_a == [5, 1]
    assert found.only_b == [4]
    assert (found.n_only_a, found.n_only_b) == (4, 1)
    assert flips(b, a, 2) == (found.only_b, found.only_a, 1, 4)
    assert flips(a, a, 2) == ([], [], 0, 0)


def test_results_of_other_queries_are_refused():
    with pytest.raises(DataError, match="different queries"):
        flips(results([1, 2]), results([1, 2, 3]), 1)


def test_rows_say_what_came_first_and_where_the_right_ones_are():
    queries = results([1, 2, 40], n_images=30)
    first, second = entries(queries, {"best": [0], "worst": [2]})
    assert first.heading == "best · caption 0 · identity 0"
    assert first.places == tuple(range(10))
    assert first.right == tuple(place % 3 == 0 for place in range(10))
    assert first.found == "right at 1, 4, 7, 10; 2 right in all; first at 1"
    assert second.places == (28, 29, *range(8))
    none = Entry("x", 1, (5, 6), (False, False), 1234, 3)
    assert none.found == "none of 2 right; 3 right in all; first at 1,234"


def test_flips_are_drawn_in_pairs_with_the_caption_once():
    rows = flip_entries(results([1, 2]), results([2, 1]), [0], ("first", "second"))
    assert [row.heading for row in rows] == ["first · caption 0 · identity 0", "second · same caption"]
    assert [row.first_rank for row in rows] == [1, 2]
    assert [row.repeats for row in rows] == [False, True]


def test_older_results_say_what_they_lack_and_the_mend():
    old = {key: values for key, values in results([1, 2]).items() if key != "t2i/top"}
    assert choose(old, 1)["best"] == [0]
    with pytest.raises(DataError, match=r"no t2i/top.*--force"):
        entries(old, {"best": [0]})


def hostile_figure(pictures):
    queries = results(np.arange(1, len(HOSTILE) + 1))
    title = "$x_1$ <script> " + "title " * 60
    return draw_gallery(entries(queries, {"$any_1$": range(len(HOSTILE))}), pictures, title)


@pytest.mark.parametrize(
    "missing", [None, "Not on this machine: `harness data info x` says where they belong."]
)
def test_hostile_captions_are_drawn_as_they_are_and_nothing_overlaps(missing):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    use_theme()
    figure = hostile_figure(Fakes(missing))
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    texts = [text for text in axes.texts if text.get_text()]
    assert not any(text.get_parse_math() for text in texts)
    written = " ".join(text.get_text() for text in texts)
    assert "<script>alert(1)</script>" in written
    assert "$x_1$" in written
    assert not any(sign in written for sign in "\x1b\x07\u202e\n\t" if sign != "\n")
    assert (missing or "") in written.replace("\n", " ")
    boxes = [text.get_window_extent(renderer) for text in texts]
    tiles = [patch.get_window_extent(renderer) for patch in axes.patches]
    whole = figure.bbox
    for number, box in enumerate(boxes):
        assert box.x0 >= whole.x0 - 1
        assert box.x1 <= whole.x1 + 1
        assert box.y0 >= whole.y0 - 1
        for other in boxes[number + 1 :]:
            deep = min(box.y1, other.y1) - max(box.y0, other.y0)
            wide = min(box.x1, other.x1) - max(box.x0, other.x0)
            assert deep < 0.35 * LINE * figure.dpi or wide <= 0, "two texts overlap"
        inside = texts[number].get_text().startswith("image\n")
        assert inside or not any(box.overlaps(tile) for tile in tiles), texts[number].get_text()


def test_pictures_keep_their_shape_inside_frames_that_say_right_and_wrong():
    figure = draw_gallery(entries(results([1, 2]), {"best": [0]}), Fakes())
    (axes,) = figure.axes
    assert len(axes.images) == 9
    for image in axes.images:
        left, right, low, high = image.get_extent()
        tall, wide = image.get_array().shape[:2]
        assert (right - left) / (low - high) == pytest.approx(wide / tall)
        assert right - left < TILE_WIDTH
        assert low - high < TILE_HEIGHT
    frames = [
        patch for patch in axes.patches if patch.get_linestyle() != "solid" or patch.get_linewidth() > 2
    ]
    marks = [text.get_text() for text in axes.texts if text.get_text()[-1:] in ("✓", "✗")]
    assert marks == [f"{rank} {'✓' if rank % 2 else '✗'}" for rank in range(1, 11)]
    assert [frame.get_linestyle() == "solid" for frame in frames] == [rank % 2 == 1 for rank in range(1, 11)]
    assert "image\n3\ncannot\nbe read" in [text.get_text() for text in axes.texts]


def test_only_what_is_drawn_is_opened():
    pictures = Fakes()
    draw_gallery(entries(results([1, 2]), {"best": [1]}), pictures)
    assert pictures.opened == [11, *range(9)]


def test_a_small_gallery_and_no_entry_at_all_are_drawn_too(tmp_path):
    use_theme()
    save_figure(draw_gallery(entries(results([1, 2], n_images=4), {"best": [0]}), Fakes()), tmp_path / "few")
    save_figure(draw_gallery([], Fakes(), "nothing"), tmp_path / "none")
    assert {file.name for file in tmp_path.iterdir()} == {"few.png", "few.svg", "none.png", "none.svg"}


def test_the_same_rows_give_the_same_file(tmp_path):
    use_theme()
    rows = entries(results([1, 2, 3], n_images=4), {"$any_1$": [0, 1]})
    for name in "ab":
        save_figure(draw_gallery(rows, Fakes(), "<script>"), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "<script>" not in (tmp_path / "a.svg").read_text()


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize("text", HOSTILE)
def test_wrapped_lines_fit_and_lose_no_word(text):
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    from harness.pages.escaping import visible

    font = FontProperties(family="DejaVu Sans", size=SIZE)
    lines = wrapped(text, TEXT_WIDTH, SIZE, most=200)
    for line in lines:
        assert text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] <= 72 * TEXT_WIDTH
    assert "".join(lines).replace(" ", "") == "".join(visible(text).split())
    short = wrapped(text, TEXT_WIDTH, SIZE, most=2)
    assert len(short) <= 2
    assert short == lines or short[-1].endswith("…")
    assert TEXT_WIDTH + 10 * TILE_WIDTH < WIDTH
