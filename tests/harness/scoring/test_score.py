"""A file of scores becomes a finished run: with the figures that the authors' codes print, and like any other run."""

import json
from functools import cache

import numpy as np
import pytest
import torch

from harness.config.sections import DatasetConfig
from harness.data.reading import read_dataset
from harness.datasets import pairs
from harness.errors import DataError, UsageError
from harness.inference.model import Trained
from harness.listener import Listener
from harness.record import RunFolder
from harness.run.estimate import finished_runs
from harness.run.resume import resume_run
from harness.scoring.embedded import Embedded
from harness.scoring.k_reciprocal import KReciprocal, Neighbours
from harness.scoring.score import Given, lists, score
from harness.scoring.told import told

pytestmark = pytest.mark.usefixtures("untracked")


@pytest.fixture
def dataset(twins):
    return DatasetConfig(name="cuhk", synthetic=True, root=str(twins))


@cache
def known(root, name="cuhk", noisy=3.0):
    """The test split of the twin, and what a middling model would say of it: embeddings, and their similarity."""
    config = DatasetConfig(name=name, synthetic=True, root=root, val="none")
    split = pairs(read_dataset(config, Listener(), ["test"]).samples, ["test"])
    generator = torch.Generator().manual_seed(3)
    identities = torch.tensor(split.identities)
    centres = torch.randn(int(identities.max()) + 1, 32, generator=generator)

    def rows(of):
        noise = torch.randn(len(of), 32, generator=generator)
        return torch.nn.functional.normalize(centres[of] + noisy * noise, dim=1)

    image, text = rows(identities), rows(identities[torch.tensor(split.owners)])
    return split, text, image, text @ image.T


def by_the_authors(similarity, asked, identities):
    """What the evaluations of IRRA, RDE and TBPS-CLIP compute: the gallery sorted for each caption, then averages.

    RDE's is IRRA's, of the mean of two similarities; TBPS-CLIP's lacks mINP.
    """
    found = {name: [] for name in ("R1", "R5", "R10", "mAP", "mINP")}
    for row, identity in zip(similarity.double(), asked, strict=True):
        hits = (identities[row.argsort(descending=True)] == identity).double()
        places = hits.nonzero()[:, 0].double() + 1
        for k in (1, 5, 10):
            found[f"R{k}"].append(float(hits[:k].any()))
        found["mAP"].append(float((torch.arange(1.0, len(places) + 1).double() / places).mean()))
        found["mINP"].append(float(len(places) / places[-1]))
    return {name: 100 * float(np.mean(values)) for name, values in found.items()}


@pytest.mark.parametrize("code", ["IRRA", "RDE", "TBPS-CLIP"])
def test_a_matrix_scores_to_what_the_authors_code_prints_of_it(tmp_path, twins, dataset, code):
    split, text, image, similarity = known(str(twins))
    if code == "RDE":
        other = torch.nn.functional.normalize(text + 0.3 * text.flip(1), dim=1)
        similarity = (similarity + other @ image.T) / 2
    torch.save(similarity, tmp_path / "s.pt") if code == "TBPS-CLIP" else np.save(
        tmp_path / "s.npy", similarity.numpy()
    )
    file = tmp_path / ("s.pt" if code == "TBPS-CLIP" else "s.npy")
    record = score(Given(similarity=file), dataset, told(method=code), runs=tmp_path / "runs")
    identities = torch.tensor(split.identities)
    expected = by_the_authors(similarity, identities[torch.tensor(split.owners)], identities)
    assert 5 < expected["R1"] < 95
    for name, value in expected.items():
        assert record.metrics[f"test/cuhk/t2i/{name}"] == pytest.approx(value, abs=1e-9), name
    back = by_the_authors(similarity.T, identities, identities[torch.tensor(split.owners)])
    for name, value in back.items():
        assert record.metrics[f"test/cuhk/i2t/{name}"] == pytest.approx(value, abs=1e-9), name


def test_embeddings_transposed_distances_and_other_orders_score_alike(tmp_path, twins, dataset):
    split, text, image, similarity = known(str(twins))
    np.save(tmp_path / "s.npy", similarity.numpy())
    np.save(tmp_path / "t.npy", similarity.numpy().T)
    np.save(tmp_path / "d.npy", 1 - similarity.double().numpy())
    order = [np.random.default_rng(1).permutation(n) for n in similarity.shape]
    np.savez(tmp_path / "e.npz", text=2 * text.numpy()[order[0]], image=image.numpy()[order[1]])
    np.save(tmp_path / "o.npy", similarity.numpy()[order[0]][:, order[1]])
    own = lists(dataset, "test", Listener())
    mixed = {
        name: [own[name][i] for i in places]
        for name, places in zip(("captions", "images"), order, strict=True)
    }
    (tmp_path / "order.json").write_text(json.dumps(mixed))
    given = [
        Given(similarity=tmp_path / "s.npy"),
        Given(similarity=tmp_path / "t.npy", transposed=True),
        Given(similarity=tmp_path / "d.npy", distance=True),
        Given(similarity=tmp_path / "o.npy", order=tmp_path / "order.json"),
        Given(embeddings=tmp_path / "e.npz", order=tmp_path / "order.json"),
    ]
    records = [score(one, dataset, told(method="a"), runs=tmp_path / "runs") for one in given]
    assert len({record.name for record in records}) == 5
    for record in records[1:]:
        assert record.metrics == pytest.approx(records[0].metrics, abs=1e-9)
        assert record.intervals["test/cuhk/t2i/R1"] == pytest.approx(records[0].intervals["test/cuhk/t2i/R1"])
    queries = [RunFolder(tmp_path / "runs" / record.name).queries() for record in records]
    for one in queries[1:]:
        assert all(np.array_equal(one[key], queries[0][key]) for key in ("t2i/rank", "i2t/rank", "t2i/top"))
    sample = RunFolder(tmp_path / "runs" / records[4].name).queries("embeddings.npz")
    place, caption = sample["place"][0], sample["caption"][0]
    assert split.owners[caption] == place
    assert np.allclose(sample["image"][0], image[place], atol=1e-3)
    assert np.allclose(sample["text"][0], text[caption], atol=1e-3)


def test_mistakes_are_one_line_and_nothing_is_written(tmp_path, twins, dataset):
    *_, similarity = known(str(twins))
    *_, square = known(str(twins), "icfg", 1.3)
    wrong = {
        "transposed": (
            similarity.T,
            {},
            "is transposed: expected .* captions x images, found .*: save its transpose",
        ),
        "right": (similarity, {"transposed": True}, "leave out --transposed"),
        "small": (similarity[:-1], {}, "has the shape"),
        "distance": (-square, {}, "give --distance"),
        "order": (square.roll(len(square) // 2, 0), {}, "another order than the harness's"),
        "nan": (similarity.where(similarity > -0.2, torch.nan), {}, "expected finite scores, found nan"),
    }
    for name, (values, options, said) in wrong.items():
        np.save(tmp_path / f"{name}.npy", values.numpy())
        of = dataset.model_copy(update={"name": "icfg"}) if len(values) == len(square) else dataset
        with pytest.raises(DataError, match=said) as raised:
            score(
                Given(similarity=tmp_path / f"{name}.npy", **options),
                of,
                told(method="a"),
                runs=tmp_path / "r",
            )
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "r").exists()
    with pytest.raises(UsageError, match="is no file"):
        score(Given(similarity=tmp_path / "none.npy"), dataset, told(method="a"))
    with pytest.raises(UsageError, match="either --similarity FILE or --embeddings FILE"):
        score(Given(), dataset, told(method="a"))
    with pytest.raises(UsageError, match="--key is about --similarity"):
        score(Given(embeddings=tmp_path / "nan.npy", key="x"), dataset, told(method="a"))


def test_half_precision_scores_say_what_their_ties_do(tmp_path, twins, dataset):
    *_, similarity = known(str(twins))
    np.save(tmp_path / "h.npy", (similarity / 64 + 1).half().numpy())
    record = score(Given(similarity=tmp_path / "h.npy"), dataset, told(method="a"), runs=tmp_path / "runs")
    assert any(
        "scores are float16" in note and "Ties count against the model" in note for note in record.notes
    )


def test_a_run_that_is_there_is_shown_and_its_likes_are_no_models(tmp_path, twins, dataset):
    *_, similarity = known(str(twins))
    np.save(tmp_path / "s.npy", similarity.numpy())
    given, runs = Given(similarity=tmp_path / "s.npy"), tmp_path / "runs"
    first = score(given, dataset, told(method="cskt", parameters=5), runs=runs)
    again = score(given, dataset, told(method="cskt", parameters=5), runs=runs)
    assert (again.key, first.accounting) == (first.key, {"parameters": {"total": 5}})
    assert score(given, dataset, told(method="cskt", parameters=5), runs=runs, force=True).key != first.key
    assert (runs / f"{first.name}~1").is_dir()
    with pytest.raises(UsageError, match=r"was scored from s\.npy .*: there is no model to load"):
        Trained(RunFolder(runs / first.name))
    with pytest.raises(UsageError, match="there is no training to go on with"):
        resume_run(first.name, runs)
    assert finished_runs(runs) == []


def test_a_second_stage_makes_a_run_of_its_own_that_says_how_many(tmp_path, twins, dataset):
    split, *_, similarity = known(str(twins))
    np.save(tmp_path / "s.npy", similarity.numpy())
    items = similarity.argsort(dim=1, descending=True)[:, :5]
    identities = torch.tensor(split.identities)
    right = identities[items] == identities[torch.tensor(split.owners)][:, None]
    np.savez(tmp_path / "r.npz", items=items.numpy(), scores=right.float().numpy())
    one, two = (
        score(
            Given(similarity=tmp_path / "s.npy", rerank=again),
            dataset,
            told(method="a"),
            runs=tmp_path / "runs",
        )
        for again in (None, tmp_path / "r.npz")
    )
    key = "test/cuhk/t2i/R1"
    assert two.metrics[key] == pytest.approx(one.metrics["test/cuhk/t2i/R5"])
    assert two.metrics["test/cuhk/i2t/R1"] == one.metrics["test/cuhk/i2t/R1"]
    assert (one.tags["harness.reranked"], two.tags["harness.reranked"]) == ("not told", "the first 5")
    assert any("the first 5 images of each caption ranked again" in note for note in two.notes)
    assert one.name != two.name


def test_neighbours_rank_again_are_flagged_and_make_a_run_of_their_own(tmp_path, twins, dataset):
    split, text, image, _ = known(str(twins))
    file = tmp_path / "e.npz"
    np.savez(file, text=text.numpy(), image=image.numpy())
    before = score(Given(embeddings=file), dataset, told(method="mine"), runs=tmp_path / "runs")
    neighbours = Neighbours(k1=5, k2=3)
    given = Given(embeddings=file, neighbours=neighbours)
    after = score(given, dataset, told(method="mine"), runs=tmp_path / "runs")
    first = Embedded(text, image)
    again = np.concatenate([block for _, block in KReciprocal(first, neighbours).blocks(0)])
    identities = torch.tensor(split.identities)
    expected = by_the_authors(torch.from_numpy(again), identities[torch.tensor(split.owners)], identities)
    for name, value in expected.items():
        assert after.metrics[f"test/cuhk/t2i/{name}"] == pytest.approx(value, abs=1e-9), name
    assert after.metrics["test/cuhk/i2t/mAP"] == before.metrics["test/cuhk/i2t/mAP"]
    assert after.name != before.name
    assert after.config["eval"]["unlabelled_test"] == "yes"
    assert after.tags["harness.reranked"] == "k-reciprocal neighbours, k1=5, k2=3, lambda=0.3"
    assert after.tags["harness.unlabelled_test"] == "yes"
    assert (
        "ranked again by k-reciprocal neighbours, k1=5, k2=3, lambda=0.3, found in the test split"
        in after.notes[0]
    )
    assert "reranked_by" not in before.config["eval"]
    other = Given(embeddings=file, neighbours=Neighbours(k1=5, k2=2))
    assert score(other, dataset, told(method="mine"), runs=tmp_path / "runs").name != after.name


@pytest.mark.parametrize(
    ("given", "more", "why"),
    [
        ({"similarity": "s.npy"}, {}, "compares images: give --embeddings, not --similarity"),
        (
            {"embeddings": "e.npz"},
            {"unlabelled_test": "no"},
            "--unlabelled-test no is told, but k_reciprocal ranks all",
        ),
        ({"embeddings": "e.npz"}, {"reranked": 0}, "--reranked 0 is told, but k_reciprocal ranks all"),
    ],
)
def test_neighbours_that_cannot_be_or_are_denied_are_one_line(tmp_path, twins, dataset, given, more, why):
    _, text, image, similarity = known(str(twins))
    np.savez(tmp_path / "e.npz", text=text.numpy(), image=image.numpy())
    np.save(tmp_path / "s.npy", similarity.numpy())
    files = {name: tmp_path / file for name, file in given.items()}
    with pytest.raises(UsageError, match=why):
        score(
            Given(**files, neighbours=Neighbours()),
            dataset,
            told(method="mine", **more),
            runs=tmp_path / "runs",
        )
    assert not (tmp_path / "runs").exists()
