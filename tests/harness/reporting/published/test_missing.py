"""Published results without a run: one gap each, with the commands that would fill it."""

import pytest

from harness.pages.tables import DASH
from harness.reporting.published.missing import cell_text, missing, printed, released_command
from tests.published_rows import ALL, published, real, split, tbps


def test_published_cells_without_a_result_are_gaps_one_for_each_method_and_dataset():
    found = {gap.what.partition(":")[0]: gap for gap in missing(ALL, split(real()))}
    assert "cskt on cuhk" not in found
    assert found["cskt on icfg"].commands == ("harness run --method cskt --dataset icfg --preset released",)
    assert found["full_finetune on rstp"].commands == ("harness run --method full_finetune --dataset rstp",)
    assert found["zero_shot on cuhk"].commands == ("harness run --method zero_shot --dataset cuhk",)
    assert "published R@1 58.90 (CSKT, Liu et al., ICASSP 2024)" in found["cskt on icfg"].what
    assert len([gap for gap in missing(ALL, []) if "table" not in gap.what]) == 15
    assert found["irra on rstp"].commands == ("harness run --method irra --dataset rstp --preset released",)
    assert not any("prompt_only" in name or "→" in name for name in found)


def test_published_settings_without_a_result_are_one_gap_a_table_with_their_suite():
    def of(*rows):
        found = missing(ALL, split(*rows), ["cuhk"])
        return {gap.what.partition(":")[0]: gap for gap in found}

    before, after = of(), of(tbps())
    name = "tbps_clip on cuhk, table tbps_clip_tricks"
    assert (
        "5 published results (CLIP + GlobalGrad, CLIP + Dropout, CLIP + LockBL and 2 more)"
        in before[name].what
    )
    assert "4 published results" in after[name].what
    assert after[name].commands == ("harness suite run tbps_clip_tricks",)
    main = of()["tbps_clip on cuhk, table tbps_clip_main"].commands
    assert "harness run --method tbps_clip --dataset cuhk --preset full" in main
    assert f"{main[2]} --set train.batch_size=160" in main


def test_a_twin_fills_no_gap_and_the_asked_datasets_narrow_them(fake):
    twin = split(fake.row("cskt", "cuhk"))
    assert len(missing(ALL, twin)) == len(missing(ALL, []))
    assert {gap.what.partition(":")[0] for gap in missing(ALL, twin, ["rstp"])} == {
        *("zero_shot on rstp", "full_finetune on rstp", "cskt on rstp", "irra on rstp", "dm_adapter on rstp"),
        "tbps_clip on rstp, table tbps_clip_main",
        "up_person on rstp, table parameter_efficient",
    }


def test_a_missing_transfer_needs_a_run_and_a_test():
    (gap,) = missing([published(tested_on="icfg")], split(real()))
    assert gap.commands == (
        "harness run --method cskt --dataset cuhk --preset released",
        "harness evaluate RUN --dataset icfg",
    )


def test_a_row_without_any_figure_is_no_gap_and_rows_of_one_cell_are_one():
    empty = published(R1=None, R10=None, mAP=None)
    assert missing([empty], []) == []
    (gap,) = missing([published(), published(method="Second", R1=None)], [])
    assert "60.00" in gap.what
    assert f"{DASH} (Second" in gap.what


def test_a_row_of_settings_counts_as_there_only_beside_a_result_of_its_settings():
    rows = [row for row in ALL if row["tables"] == ["tbps_clip_tricks"] and row["tested_on"] == "cuhk"]
    before, after = (missing(rows, panels) for panels in ([], split(tbps(), published=rows)))
    count = [int(gap.what.split(" published results")[0].rsplit(" ", 1)[1]) for (gap,) in (before, after)]
    assert count[0] - count[1] == 1


def test_settings_that_no_suite_runs_are_commands_with_quoted_settings():
    row = published(presets=["a b"], set={"method.text": "x;y"}, tables=["theirs"], condition="c")
    (gap,) = missing([row], [])
    (command,) = gap.commands
    assert command.startswith("harness run --method cskt --dataset cuhk --preset 'a b' --set '")
    assert missing([row | {"counterpart": "nobody's"}], [])[0].commands == ()


def test_a_released_preset_is_named_where_there_is_one():
    assert released_command("cskt", "icfg").endswith("--dataset icfg --preset released")
    assert released_command("zero_shot", "icfg").endswith("--dataset icfg")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"trained_on": "cuhk", "tested_on": "cuhk", "rule": "val"}, "cuhk"),
        ({"trained_on": None, "tested_on": "icfg", "rule": None}, "icfg"),
        ({"trained_on": "cuhk", "tested_on": "icfg", "rule": "untrained"}, "icfg"),
    ],
)
def test_one_name_stands_for_both_datasets_where_nothing_was_trained_elsewhere(row, text):
    assert cell_text(row) == text


def test_a_figure_is_printed_with_two_digits_or_a_dash():
    assert [printed(0.0), printed(9.999), printed(None), printed(float("nan"))] == [
        "0.00",
        "10.00",
        DASH,
        DASH,
    ]
