"""Per-query results with captions and files: right values, the data they are about, hostile captions."""

import csv
import io

import pytest
from pandas import DataFrame

from harness.analysis.query_table import csv_text, query_table
from harness.data.reading import read_dataset
from harness.errors import DataError, UsageError
from harness.listener import Listener
from harness.record import all_runs
from harness.run.run import run

pytestmark = pytest.mark.usefixtures("untracked")


@pytest.fixture(scope="module")
def tested(world, twins, tmp_path_factory):
    """The folder of a finished run, and the test split that it was tested on."""
    root = tmp_path_factory.mktemp("runs")
    config = world.quick(twins, "zero_shot")
    run(config, runs=root)
    samples = read_dataset(config.dataset, Listener()).samples
    (folder,) = all_runs(root)
    return folder, [sample for sample in samples if sample.split == "test"]


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_rows_are_queries_with_the_right_captions_files_and_ranks(tested, twins, direction):
    folder, test = tested
    table = query_table(folder, direction=direction, root=twins)
    queries = folder.queries()
    captions = [(caption, sample) for sample in test for caption in sample.captions]
    asked = captions if direction == "t2i" else [(None, sample) for sample in test]
    assert len(table) == len(asked)
    person = {sample.image: sample.identity for sample in test}
    person |= {caption: sample.identity for caption, sample in captions}
    for (caption, sample), row in zip(asked, table.to_dict("records"), strict=True):
        assert row["image"] == sample.image
        assert row.get("caption") == caption
        assert row["person"] == sample.identity
        right = [row[f"right{number}"] for number in range(1, 11)]
        if caption is not None:
            assert right == [person[row[f"top{number}"]] == sample.identity for number in range(1, 11)]
        first = right.index(True) + 1 if any(right) else None
        assert row["rank"] == first if first else row["rank"] > 10
    assert table["AP"].mean() == pytest.approx(folder.read().metrics[f"test/icfg/{direction}/mAP"])
    assert table["n_right"].tolist() == queries[f"{direction}/n_right"].tolist()


def test_csv_keeps_hostile_captions_whole_and_makes_none_a_formula():
    hostile = ['=HYPERLINK("x")', 'a "quoted", comma', "two\nlines", "-1+1", "@sum", "plain"]
    table = DataFrame({"caption": hostile, "rank": range(-3, 3), "AP": [12.34567] * 6})
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert [row["caption"] for row in rows] == [
        '\'=HYPERLINK("x")',
        *hostile[1:3],
        "'-1+1",
        "'@sum",
        "plain",
    ]
    assert [row["rank"] for row in rows] == ["-3", "-2", "-1", "0", "1", "2"]
    assert rows[0]["AP"] == "12.3457"


def test_other_data_an_unknown_direction_and_a_test_that_was_not_made_are_refused(tested, tmp_path):
    folder, _ = tested
    with pytest.raises(DataError, match="harness data info icfg --synthetic"):
        query_table(folder, root=tmp_path)
    with pytest.raises(UsageError, match="t2i or i2t"):
        query_table(folder, direction="sideways")
    with pytest.raises(UsageError, match=r"harness evaluate zero_shot-icfg-twin-\w+ --dataset cuhk"):
        query_table(folder, dataset="cuhk")
