"""What is told of a system: it is checked, and it decides which run it is."""

import pytest

from harness.errors import UsageError
from harness.scoring.told import identity_of, told


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"method": "../x"}, "--method: expected a letter or digit"),
        ({"method": "\x1b[31m"}, "--method"),
        ({"method": ""}, "--method"),
        ({"method": "a", "paper": "javascript:alert(1)"}, "--paper: expected an address"),
        ({"method": "a", "paper": 'https://x"onload=1'}, "--paper"),
        ({"method": "a", "trained_on": ("icfg", "a b")}, "--trained-on: expected .* found 'a b'"),
        ({"method": "a", "parameters": 5, "trainable": 6}, "--trainable 6 is more than --parameters 5"),
        ({"method": "a", "rule": "untrained", "trained_on": ("icfg",)}, "nothing was trained"),
        ({"method": "a", "seed": 10**30}, "--seed"),
    ],
)
def test_what_cannot_be_is_one_line(values, said):
    with pytest.raises(UsageError, match=said) as raised:
        told(**values)
    assert "\n" not in str(raised.value)


def test_what_is_told_is_in_config_and_tags():
    known = told(method="RaSa", trained_on=("rstp", "cuhk", "cuhk"), reranked=128, rerank_seconds=0.25)
    config = known.config({"name": "cuhk"})
    assert config["dataset"]["trained_on"] == known.tags["harness.trained_on"] == "cuhk+rstp"
    assert known.tags["harness.reranked"] == "the first 128, 0.25 s a query"
    assert known.tags["harness.unlabelled_test"] == "not told"
    assert (config["eval"]["rule"], config["backbone"]["name"]) == ("not told", "not told")
    assert told(method="a", reranked=0).tags["harness.reranked"] == "no"
    assert "harness.trained_on" not in told(method="a").tags


def test_the_identity_is_that_of_what_was_told_and_scored_wherever_the_data_are():
    def identity(root="/a", scores="1", **values):
        config = told(method="a", **values).config({"name": "icfg", "root": root})
        return identity_of(config, scores=scores)

    assert identity() == identity(root="/b")
    assert len({identity(), identity(scores="2"), identity(seed=2), identity(text_length=77)}) == 4
