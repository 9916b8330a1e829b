"""What a run would do: found or new, what it is not, and that pictures are missing."""

import json

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.images.decoding import ImageError
from harness.run.dry_run import make_plans
from harness.run.run import run

pytestmark = pytest.mark.usefixtures("untracked")


def test_a_plan_knows_what_the_run_would_find(world, tmp_path):
    data = world.make_twins(tmp_path / "data")
    config = world.quick(data, "zero_shot")
    (plan,) = make_plans(config, tmp_path)
    assert (plan.state, plan.differs) == ("new", None)
    assert plan.train_pairs == 0
    assert "pairs:      none: the method trains nothing" in plan.lines()
    name = run(config, runs=tmp_path).name
    (plan,) = make_plans(config, tmp_path)
    assert (plan.name, plan.state, plan.differs) == (name, "finished: found", None)
    pictures = sorted(data.rglob("*.jpg"))
    pictures[0].write_bytes(pictures[1].read_bytes())
    (plan,) = make_plans(config, tmp_path)
    assert (plan.state, plan.name == name) == ("new", False)
    assert f"another run than {name}" in plan.differs
    assert plan.differs in "\n".join(plan.lines())
    for picture in pictures:
        picture.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        make_plans(config, tmp_path)


def test_each_seed_has_a_plan_with_the_name_of_its_run(untracked, world, twins, tmp_path):
    config = world.quick(twins, "linear_probe", "icfg", "train.epochs=1", "seed=3")
    record = run(config.model_copy(update={"seed": 4}), runs=tmp_path)
    new, found = make_plans(config, tmp_path, 2)
    assert (new.config["seed"], new.state) == (3, "new")
    assert (found.config["seed"], found.name, found.state) == (4, record.name, "finished: found")
    assert new.name != found.name


@pytest.mark.parametrize("there", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_plan_writes_nothing_be_the_twin_there_or_not(twins, tmp_path, monkeypatch, capsys, there):
    data = twins if there else tmp_path / "data"
    places = {"HARNESS_DATA": data, "HARNESS_CACHE": tmp_path / "cache", "HARNESS_RUNS": tmp_path / "runs"}
    for name, place in places.items():
        monkeypatch.setenv(name, str(place))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = sorted((file, file.stat().st_mtime_ns) for file in twins.rglob("*"))
    words = ["run", "-m", "linear_probe", "-d", "icfg", "--synthetic", "--seeds", "2", "--dry-run"]
    monkeypatch.setattr("sys.argv", ["harness", *words])
    assert run_safely(cli, debug=False) == 0
    assert "trainable" in capsys.readouterr().out
    assert list(tmp_path.rglob("*")) == []
    assert sorted((file, file.stat().st_mtime_ns) for file in twins.rglob("*")) == before


def test_without_data_a_plan_says_what_is_missing_and_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(
        "sys.argv", ["harness", "run", "-m", "bitfit", "-d", "icfg", "-d", "cuhk", "--dry-run"]
    )
    assert run_safely(cli, debug=False) == 2
    out, err = capsys.readouterr()
    assert "  lr: " in out, "the config is there"
    assert "run:        unknown until the data are there" in out
    assert "171,008 of" in out
    missing = [line for line in out.splitlines() if line.startswith("missing:")]
    places = [tmp_path / "data/ICFG-PEDES/ICFG-PEDES.json", tmp_path / "data/CUHK-PEDES/reid_raw.json"]
    assert len(missing) == 4
    for place, line, name in zip(places, missing[::2], ("icfg", "cuhk"), strict=True):
        assert str(place) in line
        assert "from HARNESS_DATA" in line
        assert f"`harness data info {name}`" in line
    assert err == ""
    assert list(tmp_path.iterdir()) == []


def test_a_plan_without_data_counts_what_the_published_identities_take(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["harness", "run", "-m", "irra", "-d", "cuhk", "--dry-run", "--json"])
    assert run_safely(cli, debug=False) == 2
    plan = json.loads(capsys.readouterr().out)
    assert plan["parameters"]["trainable"] == 194_535_419
    assert plan["name"] is None
    assert len(plan["missing"]) == 2
