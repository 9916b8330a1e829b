"""`harness score`: lists, a run that lists and pages show as scored, and a split that makes none."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.actions.score import execute
from harness.cli.main import cli
from harness.config.sections import DatasetConfig
from harness.errors import UsageError
from harness.listener import Listener
from harness.scoring.score import lists

pytestmark = pytest.mark.usefixtures("untracked")
OPTIONS = (
    "template",
    "out",
    "data",
    "images",
    "columns",
    "shares",
    "similarity",
    "embeddings",
    "rerank",
    "order",
    "k1",
    "k2",
    "weight",
)


def right_first(own):
    """Scores that put each caption's own image first."""
    right = [[owner == image for image in own["images"]] for _, owner in own["captions"]]
    return np.array(right, dtype=np.float32)


def call(*words):
    done = CliRunner().invoke(cli, ["score", *map(str, words)], obj={"quiet": True})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_the_command_writes_lists_shows_validation_and_makes_a_run_that_lists_take(tmp_path, twins):
    place = ("--synthetic", "--data-root", twins)
    said = json.loads(call("--template", "cuhk", *place, "--out", tmp_path / "order.json", "--json"))
    own = json.loads((tmp_path / "order.json").read_text())
    scores = right_first(own)
    assert (said["captions"], said["images"]) == scores.shape
    np.save(tmp_path / "s.npy", scores)
    told_of = (
        "-m",
        "IRRA",
        "--rule",
        "oracle",
        "--image-size",
        "384x128",
        "--paper",
        "https://arxiv.org/abs/2303.12501",
    )
    words = ("-d", "cuhk", "--similarity", tmp_path / "s.npy", *place, "--runs", tmp_path / "runs")
    record = json.loads(call(*words, *told_of, "--order", tmp_path / "order.json", "--json"))
    assert record["tags"]["harness.scored"].startswith("s.npy (sha256 ")
    assert record["selection"] == {"rule": "oracle"}
    listed = (
        CliRunner()
        .invoke(cli, ["runs", "list", "--runs", str(tmp_path / "runs")], obj={"quiet": True})
        .stdout
    )
    assert "oracle, scored" in listed
    shown = CliRunner().invoke(
        cli, ["runs", "show", "IRRA", "--runs", str(tmp_path / "runs")], obj={"quiet": True}
    )
    text = " ".join(shown.stdout.split())
    assert "not trained here" in text
    assert "told: paper https://arxiv.org/abs/2303.12501 · image size 384×128" in text
    assert "not told: trained on, training pairs, re-ranked, unlabelled test data used, backbone" in text
    assert "epoch" not in text.split("scored from")[0]
    assert "unknown)" not in text
    with pytest.raises(UsageError, match="Missing option '--method'"):
        call(*words)
    with pytest.raises(UsageError, match="--out is where --template"):
        call(*words, "--out", "x.json")


@pytest.mark.parametrize(
    ("words", "named"),
    [(("-d", "icfg"), "--dataset"), (("--similarity", "s.npy", "-m", "x"), "--similarity, --method")],
)
def test_what_a_template_does_not_read_is_refused(words, named):
    with pytest.raises(UsageError, match=f"--template writes lists and ends: leave {named} out"):
        call("--template", "cuhk", "--synthetic", *words)


def test_validation_is_shown_and_makes_no_run(tmp_path, twins):
    own = lists(DatasetConfig(name="cuhk", synthetic=True, root=str(twins)), "val", Listener())
    np.save(tmp_path / "v.npy", right_first(own))
    words = ("-d", "cuhk", "--similarity", tmp_path / "v.npy", "--split", "val", "--runs", tmp_path / "runs")
    said = json.loads(call(*words, "--synthetic", "--data-root", twins, "--json"))
    assert said["metrics"]["val/cuhk/t2i/R1"] == 100
    assert not (tmp_path / "runs").exists()


def test_nothing_to_score_and_no_dataset_are_said():
    options = dict.fromkeys(OPTIONS) | {"key": None, "transposed": False, "distance": False, "dataset": None}
    with pytest.raises(UsageError, match="either --similarity FILE or --embeddings FILE"):
        execute(options, quiet=True)
    with pytest.raises(UsageError, match="No dataset is named"):
        execute(options | {"similarity": "s.npy"}, quiet=True)


def test_neighbours_are_asked_for_by_a_word_and_shown_as_a_flag(tmp_path, twins):
    own = lists(DatasetConfig(name="cuhk", synthetic=True, root=str(twins)), "test", Listener())
    draws = np.random.default_rng(1)
    sizes = {"text": len(own["captions"]), "image": len(own["images"])}
    np.savez(tmp_path / "e.npz", **{name: draws.normal(size=(n, 8)) for name, n in sizes.items()})
    files = ("-d", "cuhk", "--embeddings", tmp_path / "e.npz", "-m", "mine", "--runs", tmp_path / "runs")
    words = (*files, "--synthetic", "--data-root", twins, "--json")
    record = json.loads(call(*words, "--rerank", "k-reciprocal", "--k1", "4", "--k2", "2", "--lambda", "0.5"))
    assert record["config"]["eval"]["reranked_by"] == "k-reciprocal neighbours, k1=4, k2=2, lambda=0.5"
    shown = CliRunner().invoke(
        cli, ["runs", "show", "mine", "--runs", str(tmp_path / "runs")], obj={"quiet": True}
    )
    assert "k-reciprocal neighbours, k1=4, k2=2, lambda=0.5" in " ".join(shown.stdout.split())
    with pytest.raises(UsageError, match="--lambda is about neighbours: give it with --rerank k_reciprocal"):
        call(*words, "--lambda", "0.5")
    with pytest.raises(UsageError, match="do not fit"):
        call(*words, "--rerank", "k_reciprocal", "--k1", "2", "--k2", "4")
