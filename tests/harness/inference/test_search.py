"""Search by description: each image is encoded once, the order is the similarity's, nothing hostile gets through."""

import json
import os
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import harness.inference.gallery as gallery_module
from harness.cli.main import cli
from harness.errors import DataError, UsageError
from harness.inference.gallery import Gallery, cache_file, find_images, open_gallery
from harness.inference.model import Trained
from harness.inference.search import read_queries, search
from harness.record import all_runs
from harness.run.run import run

HOSTILE = '<img src=x onerror=alert(1)>"\x1b[31m.jpg'


@pytest.fixture(scope="module")
def trained(world, twins, tmp_path_factory):
    """A quick run, as a model."""
    root = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch, world.untracked():
        patch.setenv("HARNESS_CACHE", str(root / "cache"))
        run(world.quick(twins), runs=root)
    return Trained(all_runs(root)[0])


@pytest.fixture
def photos(twins, tmp_path):
    """Six images of a twin in nested folders, with endings in both cases, beside a file that is no image."""
    found = sorted((twins / "synthetic").rglob("*.jpg"))[:6]
    assert len(found) == 6
    places = ["a.jpg", "b.JPG", "deep/c.jpeg", "deep/er/d.jpg", "e.jpg", "f.jpg"]
    for file, place in zip(found, places, strict=True):
        target = tmp_path / "photos" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def opened(trained, folder):
    return open_gallery(trained, find_images(folder), folder)


def test_images_are_found_below_a_folder_whatever_the_case_of_their_ending(photos):
    assert [file.name for file in find_images(photos)] == [
        "a.jpg",
        "b.JPG",
        "c.jpeg",
        "d.jpg",
        "e.jpg",
        "f.jpg",
    ]


def replace_with_size_and_time_kept(file):
    content, before = file.read_bytes(), file.stat()
    other = file.with_name("other.part")
    other.write_bytes(content)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


def test_only_changed_and_new_files_are_encoded_again(trained, photos):
    assert opened(trained, photos).encoded == 6
    assert opened(trained, photos).encoded == 0
    os.utime(photos / "a.jpg", ns=(1, 1))
    assert opened(trained, photos).encoded == 1
    before = (photos / "a.jpg").stat()
    replace_with_size_and_time_kept(photos / "a.jpg")
    assert (photos / "a.jpg").stat().st_mtime_ns == before.st_mtime_ns
    assert opened(trained, photos).encoded == 1
    shutil.copy(photos / "f.jpg", photos / "g.png")
    found = opened(trained, photos)
    assert (found.encoded, len(found.files)) == (1, 7)
    (photos / "g.png").unlink()
    found = opened(trained, photos)
    assert (found.encoded, len(found.files)) == (0, 6)


def test_what_is_remembered_is_what_encoding_gives(trained, photos):
    opened(trained, photos)
    again = opened(trained, photos)
    assert again.encoded == 0
    torch.testing.assert_close(again.embeddings, trained.encode_image(again.files), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("g/a.jpg", "g"),
        ("g/d/a.jpg", "g"),
        ("/g/a.jpg", "/g"),
        ("/a.jpg", "/"),
        ("g/../a.jpg", "g"),
        ("h/a.jpg", "g"),
    ],
)
def test_an_image_is_known_by_its_path_below_the_gallery(file, folder):
    """However it is found: a gallery that moved by name alone keeps what it knows."""
    expected = sha256(os.fsencode(f"{os.path.relpath(file, folder)}\0")).digest()
    assert gallery_module._key(Path(file), Path(folder)) == expected


def test_other_weights_and_another_folder_share_nothing(trained, photos, monkeypatch):
    first = cache_file(trained, photos)
    assert cache_file(trained, photos.parent) != first
    monkeypatch.setattr(trained, "weights_identity", lambda: "other")
    assert cache_file(trained, photos) != first


def test_a_broken_cache_is_made_anew(trained, photos):
    opened(trained, photos)
    cache_file(trained, photos).write_bytes(b"nonsense")
    assert opened(trained, photos).encoded == 6
    assert opened(trained, photos).encoded == 0


def test_an_interrupted_start_keeps_what_it_encoded(trained, photos, monkeypatch):
    monkeypatch.setattr(gallery_module, "BATCH", 2)
    calls = []
    encode = trained.encode_pixels

    def interrupted(pixels):
        calls.append(len(pixels))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(pixels)

    monkeypatch.setattr(trained, "encode_pixels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened(trained, photos)
    monkeypatch.setattr(trained, "encode_pixels", encode)
    assert opened(trained, photos).encoded == 2


def test_the_order_is_the_similarity(trained, photos):
    found = opened(trained, photos)
    query = trained.encode_text(["a man in a red coat"])
    (hits,) = found.rank(query, top=100)
    naive = {file: float(query[0] @ row) for file, row in zip(found.files, found.embeddings, strict=True)}
    assert [hit.path for hit in hits] == sorted(found.files, key=naive.get, reverse=True)
    assert [hit.rank for hit in hits] == list(range(1, 7))
    assert [hit.similarity for hit in hits] == pytest.approx([naive[hit.path] for hit in hits], abs=1e-6)
    assert len(found.rank(query, top=2)[0]) == 2


def test_each_query_has_its_own_order_and_ties_but_for_the_last_bits_go_by_path():
    files = [Path(name) for name in "abc"]
    rows = torch.tensor([[0.5, 1.0], [1.0, 0.0], [0.5 + 6e-8, 1.0 - 6e-8]])
    found = Gallery(files, rows).rank(torch.eye(2))
    assert [[hit.path.name for hit in hits] for hits in found] == [["b", "a", "c"], ["a", "c", "b"]]


def sorted_whole(similarity, top):
    """Sort by similarity as it is shown, NaN first, then by place."""
    keys = [(-torch.inf if value != value else -value, place) for place, value in enumerate(similarity)]
    return [place for _, place in sorted(keys)][:top]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("n_image", [1, 9, 40, 700])
@pytest.mark.parametrize("reordered", [False, True])
def test_a_large_gallery_is_ranked_as_a_sort_of_all_of_it(n_image, dtype, reordered, monkeypatch):
    """Whole numbers make ties, also between pieces and at the last place; some rows are no numbers."""
    monkeypatch.setattr(gallery_module, "_PIECE", 64)
    monkeypatch.setattr(gallery_module, "_QUERIES", 3)
    torch.manual_seed(n_image)
    rows = torch.randint(-2, 3, (n_image + 5, 8)).to(dtype)
    rows[torch.rand(len(rows)) < 0.01] = torch.nan
    places = torch.randperm(len(rows))[:n_image] if reordered else None
    gallery = Gallery(
        [Path(f"{n:04}") for n in range(n_image)], rows if reordered else rows[:n_image], rows=places
    )
    queries = torch.randint(-2, 3, (7, 8)).float()
    whole = queries @ (rows[places] if reordered else rows[:n_image]).float().T
    for hits, similarity in zip(gallery.rank(queries, 10), whole.tolist(), strict=True):
        assert [int(hit.path.name) for hit in hits] == sorted_whole(similarity, 10)
        expected = [similarity[int(hit.path.name)] for hit in hits]
        assert [hit.similarity for hit in hits] == pytest.approx(expected, nan_ok=True)


def test_removed_images_are_not_found_and_nothing_is_written(trained, photos):
    opened(trained, photos)
    before = cache_file(trained, photos).stat()
    (photos / "a.jpg").unlink()
    found = opened(trained, photos)
    assert (len(found.files), cache_file(trained, photos).stat().st_mtime_ns) == (5, before.st_mtime_ns)
    [hits] = found.rank(trained.encode_text(["a man"]), top=9)
    alone = trained.similarity(["a man"], found.files)[0]
    assert sorted(hit.path for hit in hits) == found.files
    for hit in hits:
        assert hit.similarity == pytest.approx(float(alone[found.files.index(hit.path)]), abs=1e-5)


def test_a_trained_run_searches_a_folder_in_python(trained, photos):
    hits = trained.search("a man in a red coat", photos, top=3)
    assert [hit.rank for hit in hits] == [1, 2, 3]


def test_broken_images_are_named_and_left_out(trained, photos):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    (photos / "empty.png").write_bytes(b"")
    found = opened(trained, photos)
    assert len(found.files) == 6
    assert [path.name for path, _ in found.bad] == ["broken.jpg", "empty.png"]
    assert opened(trained, photos).encoded == 0


def test_no_folder_no_images_and_only_broken_ones_are_one_message_each(trained, tmp_path):
    with pytest.raises(DataError, match="no folder"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no images"):
        find_images(tmp_path)
    (tmp_path / "x.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="None of the 1 images"):
        opened(trained, tmp_path)


def test_a_page_that_cannot_be_written_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be written to .*give another --out"):
        search("not even a run", ["red"], out=tmp_path / "file" / "page.html", runs=tmp_path)


def test_the_page_shows_hostile_names_and_queries_as_text_and_holds_everything_itself(
    trained, photos, tmp_path
):
    shutil.copy(photos / "a.jpg", photos / HOSTILE)
    (photos / b"\xff\xfe.jpg".decode(errors="surrogateescape")).write_bytes((photos / "b.JPG").read_bytes())
    (photos / "<b>broken.jpg").write_bytes(b"x")
    query = "<script>alert(1)</script> & a coat"
    found = search(str(trained.folder.path), [query], gallery=photos, top=20, out=tmp_path / "page.html")
    text = found.page.read_text(encoding="utf-8")
    assert "Content-Security-Policy" in text
    assert "SYNTHETIC TWIN" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;img src=x" in text
    assert "&lt;b&gt;broken.jpg" in text
    assert not re.search(r"<script|<b>|\x1b|onerror=[^&]*>(?!.*&gt;)", text.replace("&lt;", "‹"))
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', text)
    assert len(sources) == 8
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert text.count('class="hit"') == 8


def command(trained, *arguments):
    places = ["--runs", str(trained.folder.path.parent)]
    return CliRunner().invoke(cli, ["search", *arguments, *places], obj={"quiet": True, "debug": False})


def test_the_command_prints_the_ranking_and_json_holds_all_of_it(trained, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (photos / "\x1b[31mbroken.jpg").write_bytes(b"x")
    name = trained.record.name[:-4]
    done = command(trained, "a red coat", "--run", name, "--gallery", str(photos), "--top", "3")
    assert done.exit_code == 0, done.output
    assert "SYNTHETIC TWIN" in done.output
    assert "unreadable, left out: 1" in done.output
    assert "\x1b" not in done.output
    assert (tmp_path / re.search(r"page: (\S+)", done.output)[1]).is_file()
    done = command(trained, "a red coat", "a hat on a man", "--run", name, "--gallery", str(photos), "--json")
    found = json.loads(done.stdout)
    assert [entry["query"] for entry in found["queries"]] == ["a red coat", "a hat on a man"]
    assert [row["rank"] for row in found["queries"][0]["results"]] == [1, 2, 3, 4, 5, 6]
    assert (found["images"], found["encoded_now"], len(found["skipped"])) == (6, 0, 1)
    assert found["synthetic"] is True


def test_without_a_gallery_the_runs_own_test_split_is_searched(trained, tmp_path):
    found = search(str(trained.folder.path), ["a red coat"], out=tmp_path / "page.html")
    assert found.test_split
    assert len(found.gallery.files) == trained.record.data["test_images"]
    assert "own test split" in found.page.read_text()


def test_queries_come_from_arguments_and_lines_of_a_file(tmp_path):
    file = tmp_path / "queries.txt"
    file.write_text("a red coat\n\n  a blue hat \n")
    assert read_queries(["one thing"], file) == ["one thing", "a red coat", "a blue hat"]
    with pytest.raises(UsageError, match="Nothing to search for"):
        read_queries(["  "])
    with pytest.raises(UsageError, match='"a woman in red"'):
        read_queries(["a", "woman", "in", "red"])


def test_an_unknown_run_is_a_usage_error_with_the_nearest_name(trained, photos):
    done = command(trained, "a red coat", "--run", trained.record.name[:-1] + "~", "--gallery", str(photos))
    assert isinstance(done.exception, UsageError)
    assert "Did you mean" in str(done.exception)


def test_serve_shows_the_page_until_it_is_interrupted(trained, photos, monkeypatch):
    from harness.inference.server import Server

    def interrupted(self):
        assert self.desk.first == "a red coat"
        assert self.desk.search("a red coat", 3)["runs"][0]["hits"][0]["rank"] == 1
        assert self.desk.relevance("a red coat", 0, 1)["summary"]
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupted)
    words = ["search", "--serve", "--run", str(trained.folder.path), "--gallery", str(photos), "a red coat"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert re.search(r"page: http://127\.0\.0\.1:\d+/[\w-]{32}/\n", done.output)
    assert done.output.endswith("Stopped.\n")
