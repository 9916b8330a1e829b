"""A function ranks the first images of each caption again: it is asked with files of the split, checked and timed."""

import numpy as np
import pytest
import torch

from harness.config.sections import DatasetConfig
from harness.data.reading import read_dataset
from harness.datasets import pairs
from harness.errors import UsageError
from harness.listener import Listener
from harness.scoring.rerank import rerank
from harness.scoring.score import Given, score
from harness.scoring.second_stage import read_second_stage
from harness.scoring.told import told

pytestmark = pytest.mark.usefixtures("untracked")


@pytest.fixture
def dataset(twins):
    return DatasetConfig(name="cuhk", synthetic=True, root=str(twins))


@pytest.fixture
def split(dataset):
    return pairs(read_dataset(dataset, Listener(), ["test"]).samples, ["test"])


def first_stage(tmp_path, split):
    draws = torch.Generator().manual_seed(1)
    scores = torch.randn(len(split.captions), len(split.images), generator=draws)
    identities = torch.tensor(split.identities)
    scores += identities[torch.tensor(split.owners)][:, None] == identities
    np.save(tmp_path / "s.npy", scores.numpy())
    return scores


def test_a_judge_that_knows_the_image_puts_it_first_wherever_it_was_among_k(tmp_path, twins, dataset, split):
    scores = first_stage(tmp_path, split)
    owner = dict(zip(split.captions, (split.images[at] for at in split.owners), strict=True))
    asked = []

    def judge(caption, files):
        assert all(file.is_file() for file in files)
        asked.append(caption)
        return [float(str(file).endswith(owner[caption])) for file in files]

    place = {"synthetic": True, "data_root": str(twins)}
    seconds = rerank(judge, tmp_path / "s.npy", "cuhk", k=4, out=tmp_path / "r.npz", **place)
    assert asked == split.captions
    stage = read_second_stage(tmp_path / "r.npz", *scores.shape)
    assert torch.equal(torch.from_numpy(stage.items), scores.topk(4, dim=1).indices)
    assert stage.seconds == pytest.approx(seconds)
    given = Given(similarity=tmp_path / "s.npy", rerank=tmp_path / "r.npz")
    record = score(given, dataset, told(method="a"), runs=tmp_path / "runs")
    kept = (stage.items == np.array(split.owners)[:, None]).any(axis=1)
    assert record.metrics["test/cuhk/t2i/R1"] >= 100 * kept.mean() > 0
    assert record.tags["harness.reranked"].startswith("the first 4, ")
    assert record.config["eval"]["rerank_seconds"] == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("answer", "options", "said"),
    [
        ([1.0], {}, r"should return 2 finite numbers for '.*', but returned \(1,\), of which 1 are"),
        ([1.0, float("nan")], {}, "of which 1 are finite"),
        ([1.0, 2.0], {"k": 0}, "k is 0: expected 1 to"),
        ([1.0, 2.0], {"out": "r.csv"}, "should end with"),
    ],
)
def test_what_is_no_answer_is_one_line_and_nothing_is_written(tmp_path, twins, split, answer, options, said):
    first_stage(tmp_path, split)
    known = {"k": 2, "out": tmp_path / "r.npz", "synthetic": True, "data_root": str(twins)} | options
    with pytest.raises(UsageError, match=said):
        rerank(lambda caption, files: answer, tmp_path / "s.npy", "cuhk", **known)
    assert not (tmp_path / "r.npz").exists()
