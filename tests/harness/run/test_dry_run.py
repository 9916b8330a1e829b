"""What a run would do: found or new, what it is not, and that pictures are missing."""

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
