import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness.compute.claims import claimed
from harness.errors import DataError, UsageError
from harness.images import decoding, file_hashes, store_build
from harness.images.decoding import ImageError, Mark, decode, decode_marked
from harness.images.store import disk_bytes, open_images
from harness.paths import cache_root

SIZE = (24, 8)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    return [write(folder / f"{place}.png", place) for place in range(9)]


def write(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (30 + seed, 13, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def stores():
    return sorted(path.name for path in (cache_root().path / "images").glob("*.images"))


@pytest.fixture
def decoded(monkeypatch):
    """The paths decoded so far, while threads of this process build."""
    paths = []

    def spy(path, *rest):
        paths.append(Path(path).name)
        return decode_marked(path, *rest)

    monkeypatch.setattr(store_build, "decode_marked", spy)
    return paths


@pytest.mark.parametrize("kind", ["disk", "off"])
def test_rows_are_the_decoded_files_in_the_order_asked_for(files, kind):
    opened = open_images(files, SIZE, store=kind)
    assert len(opened) == 9
    assert opened.bad == opened.bad_files == []
    places = [4, 0, 8, 4, 7]
    expected = np.stack([decode(files[place], SIZE) for place in places])
    for indices in (places, torch.tensor(places)):
        rows = opened.read(indices)
        assert rows.dtype == torch.uint8
        np.testing.assert_array_equal(rows, expected)


def test_a_given_buffer_is_written_to(files):
    opened = open_images(files, SIZE)
    out = torch.full((5, 3, *SIZE), 7, dtype=torch.uint8)
    rows = opened.read([3, 1, 2], out)
    assert rows.data_ptr() == out.data_ptr()
    assert torch.equal(rows, opened.read([3, 1, 2]))
    assert (out[3:] == 7).all()


def test_a_view_reads_the_same_store(files):
    opened = open_images(files, SIZE)
    view = opened.subset([8, 2, 5]).subset([2, 0])
    assert view.files == [files[5], files[8]]
    assert torch.equal(view.read([0, 1]), opened.read([5, 8]))


def test_a_second_start_decodes_and_reads_nothing(files, decoded, monkeypatch):
    monkeypatch.setattr(file_hashes, "_SETTLED_NS", 0)
    open_images(files, SIZE)
    assert len(decoded) == 9
    monkeypatch.setattr(file_hashes, "_sha256", lambda path: pytest.fail(f"{path} was read again"))
    open_images(files, SIZE)
    assert len(decoded) == 9


def age(files):
    for file in files:
        os.utime(file, (1_000_000_000, 1_000_000_000))


def test_a_touched_file_is_read_again_but_makes_no_new_store(files, decoded):
    age(files)
    open_images(files, SIZE)
    os.utime(files[3])
    open_images(files, SIZE)
    assert len(decoded) == 9
    assert len(stores()) == 1


def test_a_changed_file_makes_another_store_with_its_new_pixels(files):
    old = open_images(files, SIZE).read([3])
    write(files[3], 77)
    new = open_images(files, SIZE).read([3])
    assert len(stores()) == 2
    assert not torch.equal(old, new)
    np.testing.assert_array_equal(new[0], decode(files[3], SIZE))


def test_a_known_file_that_is_replaced_is_read_again(files):
    age(files)
    open_images(files, SIZE)
    write(files[3], 77)
    np.testing.assert_array_equal(open_images(files, SIZE).read([3])[0], decode(files[3], SIZE))


def test_a_file_changed_within_one_tick_of_the_clock_is_noticed(files):
    stamp = time.time_ns()
    os.utime(files[0], ns=(stamp, stamp))
    old = open_images(files, SIZE).read([0])
    length = files[0].stat().st_size
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(files[0])
    files[0].write_bytes(files[0].read_bytes().ljust(length, b"\0"))
    os.utime(files[0], ns=(stamp, stamp))
    assert not torch.equal(open_images(files, SIZE).read([0]), old)


def test_moved_files_find_their_store(files, decoded, tmp_path):
    open_images(files, SIZE)
    shutil.copytree(files[0].parent, tmp_path / "elsewhere")
    open_images([tmp_path / "elsewhere" / file.name for file in files], SIZE)
    assert len(decoded) == 9


def test_size_interpolation_and_order_each_have_a_store(files):
    open_images(files, SIZE)
    open_images(files, (8, 24))
    open_images(files, SIZE, interpolation="bicubic")
    open_images(files[::-1], SIZE)
    assert len(stores()) == 4
    assert not torch.equal(
        open_images(files, SIZE, interpolation="bicubic").read([0]), open_images(files, SIZE).read([0])
    )


def test_no_images_are_a_store_too():
    assert open_images([], SIZE).read([]).shape == (0, 3, *SIZE)


def spoil(files):
    files[2].write_bytes(b"no image")
    files[5].unlink()


@pytest.mark.parametrize("kind", ["disk", "off"])
def test_unreadable_images_are_all_named_in_one_error(files, kind):
    spoil(files)
    for _ in range(2):
        with pytest.raises(ImageError) as caught:
            open_images(files, SIZE, store=kind)
        text = str(caught.value)
        assert "2 of 9 images cannot be read" in text
        assert str(files[2]) in text
        assert str(files[5]) in text
        assert "--on-bad-image skip" in text
        assert "harness data verify" in text


def test_many_unreadable_images_are_counted_not_listed(files):
    for file in files:
        file.write_bytes(b"no image")
    with pytest.raises(ImageError, match="and 4 more"):
        open_images(files, SIZE)


@pytest.mark.parametrize("kind", ["disk", "off"])
def test_skipped_images_are_listed_and_read_as_black(files, kind):
    good = open_images(files, SIZE, store=kind).read(range(9))
    spoil(files)
    opened = open_images(files, SIZE, store=kind, on_bad_image="skip")
    assert opened.bad == [2, 5]
    assert opened.bad_files == [files[2], files[5]]
    good[[2, 5]] = 0
    assert torch.equal(opened.read(range(9)), good)
    assert opened.subset([5, 4]).bad == [0]


@pytest.mark.parametrize("kind", ["disk", "off"])
def test_what_is_odd_about_a_file_is_known_again_without_a_look_at_it(files, kind, decoded):
    image, exif = Image.open(files[0]), Image.Exif()
    exif[0x0112] = 6
    image.save(files[1], exif=exif)
    Image.new("RGB", (20, 40), "navy").save(files[3])
    image.resize((100, 300)).save(files[4], "JPEG")
    files[4].write_bytes(files[4].read_bytes()[:-500])
    spoil(files)
    for _ in range(2):
        opened = open_images(files, SIZE, store=kind, on_bad_image="skip")
        found = {mark: opened.marked(mark) for mark in Mark}
        assert found == {
            Mark.UNREADABLE: [2, 5],
            Mark.CUT: [4],
            Mark.SINGLE_COLOUR: [3],
            Mark.TURNED: [1],
        }
    assert len(decoded) == 8
    assert opened.subset([4, 0, 1]).marked(Mark.TURNED) == [2]


def test_a_mended_image_is_read_again(files):
    spoil(files)
    assert open_images(files, SIZE, on_bad_image="skip").bad == [2, 5]
    write(files[2], 2)
    write(files[5], 5)
    assert open_images(files, SIZE).bad == []


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
@pytest.mark.parametrize("kind", ["disk", "off"])
def test_what_memory_or_disk_deny_is_no_mark(files, kind, error, monkeypatch):
    plain = decoding._opened

    def denied(file):
        if str(files[3]) in repr(file):
            raise error
        return plain(file)

    with monkeypatch.context() as once:
        once.setattr(decoding, "_opened", denied)
        with pytest.raises(DataError, match=r"3\.png cannot be read as an image: .*no image store is built"):
            open_images(files, SIZE, store=kind, on_bad_image="skip")
    assert stores() == []
    assert open_images(files, SIZE, store=kind).bad == []


@pytest.mark.parametrize("kind", ["disk", "off"])
def test_a_store_that_marks_a_good_picture_bad_is_built_again_once(files, kind, decoded, monkeypatch):
    good = open_images(files, SIZE, store=kind).read(range(9))
    (store,) = (cache_root().path / "images").glob("*.images")
    with store.open("r+b") as file:
        file.seek(store.stat().st_size - 9 + 3)
        file.write(bytes([Mark.UNREADABLE]))
    for _ in range(2):
        assert torch.equal(open_images(files, SIZE, store=kind).read(range(9)), good)
    assert len(decoded) == 18


def test_the_store_in_off_mode_takes_no_room_for_pixels(files):
    open_images(files, SIZE, store="off")
    assert [path.stat().st_size for path in (cache_root().path / "images").glob("*.images")] == [9]


def test_several_processes_build_the_same_store(files, monkeypatch, tmp_path):
    alone = open_images(files, SIZE, workers=1)
    monkeypatch.setattr(store_build, "_FEW", 1)
    monkeypatch.setattr(store_build, "_CHUNK", 2)
    done = []
    opened = open_images(files, SIZE, workers=2, folder=tmp_path / "b", progress=lambda *at: done.append(at))
    assert torch.equal(opened.read(range(9)), alone.read(range(9)))
    assert done[-1] == (9, 9)
    assert [at[0] for at in done] == sorted(at[0] for at in done)
    assert (tmp_path / "b" / stores()[0]).read_bytes() == (
        cache_root().path / "images" / stores()[0]
    ).read_bytes()


def test_an_interrupted_build_leaves_nothing_and_the_next_succeeds(files, monkeypatch):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_images(files, SIZE, progress=interrupt)
    assert {path.name for path in (cache_root().path / "images").iterdir()} <= {"contents.sqlite"}
    assert len(open_images(files, SIZE)) == 9


def test_parts_of_dead_builders_are_removed_at_once_and_those_of_living_ones_never(files):
    folder = cache_root().path / "images"
    folder.mkdir(parents=True)
    dead, alive = folder / ".x.images.1.part", folder / ".y.images.part"
    dead.touch()
    with claimed(alive):
        os.utime(alive, (0, 0))
        open_images(files, SIZE)
        assert not dead.exists()
        assert alive.exists()
    assert not alive.exists()


def test_a_cut_store_is_built_again(files):
    expected = open_images(files, SIZE).read(range(9))
    path = cache_root().path / "images" / stores()[0]
    path.write_bytes(path.read_bytes()[:-100])
    assert torch.equal(open_images(files, SIZE).read(range(9)), expected)


def test_a_second_builder_waits_for_the_first(files, decoded, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def hold(done, total):
        begun.set()
        assert go_on.wait(20)

    first = threading.Thread(target=open_images, args=(files, SIZE), kwargs={"progress": hold})
    second = threading.Thread(target=open_images, args=(files, SIZE))
    first.start()
    assert begun.wait(20)
    second.start()
    second.join(0.5)
    assert second.is_alive()
    go_on.set()
    first.join(20)
    second.join(20)
    assert len(decoded) == 9


def test_builders_that_collide_all_end_with_the_same_store(files, decoded):
    rows = []
    builders = [
        threading.Thread(target=lambda: rows.append(open_images(files, SIZE).read(range(9))))
        for _ in range(4)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(20)
    assert len(rows) == 4
    assert all(torch.equal(row, rows[0]) for row in rows)
    assert len(decoded) == 9
    assert len(list((cache_root().path / "images").glob(".*.part"))) == 0


def test_what_a_killed_builder_left_is_gone_after_the_next_build_of_another_store(files, tmp_path):
    script = tmp_path / "build.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom harness.images.store_build import Plan, build\n"
        "def wait(done, total):\n    print('begun', flush=True)\n    import time\n    time.sleep(60)\n"
        "build(Plan(Path(sys.argv[1]), sys.argv[2:], (24, 8), 'bilinear', 3 * 24 * 8), 1, wait)\n"
    )
    folder = cache_root().path / "images"
    folder.mkdir(parents=True)
    command = [sys.executable, str(script), str(folder / "x.images"), *map(str, files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"begun\n"
        assert [part.name for part in folder.glob(".*.part")] == [".x.images.part"]
        killed.kill()
    assert len(list(folder.glob(".*.part"))) == 1
    open_images(files, SIZE)
    assert not list(folder.glob(".*.part"))


def test_builders_in_several_processes_agree(files, tmp_path):
    script = tmp_path / "build.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom harness.images.store_build import Plan, build\n"
        "build(Plan(Path(sys.argv[1]), sys.argv[2:], (24, 8), 'bilinear', 3 * 24 * 8), workers=1)\n"
    )
    path = tmp_path / "x.images"
    command = [sys.executable, str(script), str(path), *map(str, files)]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    open_images(files, SIZE)
    assert path.read_bytes() == (cache_root().path / "images" / stores()[0]).read_bytes()
    assert not list(tmp_path.glob(".*.part"))


def test_a_full_disk_is_said_before_anything_is_decoded(files, decoded, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(store_build.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"needs 0\.00 GB in .*HARNESS_CACHE.*--store off"):
        open_images(files, SIZE)
    assert decoded == []
    assert stores() == []


def test_a_folder_that_cannot_be_made_is_named(files, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(files[0]))
    with pytest.raises(UsageError, match=r"0\.png.*HARNESS_CACHE"):
        open_images(files, SIZE)


def test_nothing_is_seen_of_a_store_before_it_is_whole(files):
    seen = []
    open_images(files, SIZE, progress=lambda done, total: seen.append(stores()))
    assert seen == [[]]
    assert len(stores()) == 1


def test_reading_many_new_files_is_told(files, monkeypatch):
    monkeypatch.setattr(file_hashes, "_MANY", 4)
    done = []
    file_hashes.content_hashes(files, files[0].parent / "index", lambda *at: done.append(at))
    assert done == [(4, 9), (8, 9), (9, 9)]


def test_a_broken_index_costs_time_and_nothing_else(files, caplog):
    expected = open_images(files, SIZE).read(range(9))
    index = cache_root().path / "images" / "contents.sqlite"
    index.write_bytes(b"not a data base, certainly not" * 100)
    assert torch.equal(open_images(files, SIZE).read(range(9)), expected)
    assert "deleting it is safe" in caplog.text


def test_the_need_of_icfg_is_known_beforehand():
    assert disk_bytes(54_522, (384, 128)) == 54_522 * 147_456


def test_workers_import_nothing_heavy():
    code = "import sys, harness.images.store_build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's memory counters")
def test_reading_a_store_leaves_no_pages_with_the_process(tmp_path):
    file = write(tmp_path / "a.png", 1)
    opened = open_images([file] * 400, (256, 128))
    out = torch.zeros(8, 3, 256, 128, dtype=torch.uint8)
    before = resident()
    for start in range(0, 400, 8):
        opened.read(range(start, start + 8), out)
    assert resident() - before < 10_000_000 < disk_bytes(400, (256, 128)) / 3


def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
