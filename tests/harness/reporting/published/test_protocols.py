"""The table of protocols beside results, what is told of twins, and methods run under other protocols alone."""

from harness.reporting.published.matches import CHOSEN
from harness.reporting.published.protocols import _BESIDE, NOTHING, TWIN, other_protocols, published_table
from tests.published_rows import ALL, panel_of, published, real


def test_a_published_row_in_several_tables_counts_once_with_its_source():
    both = [one for one in ALL if one["counterpart"] == "cskt" and one["tested_on"] == "cuhk" and one["R1"]]
    assert [one["tables"] for one in both] == [["cskt_main", "parameter_efficient"]]
    panel = panel_of(real())
    assert published_table(panel).cells["source"].tolist() == ["[1]"]
    (source,) = [note for note in published_table(panel).notes if note.startswith("[1]")]
    assert source.startswith("[1] Liu et al., ICASSP 2024, as quoted in ITSELF (WACV 2026)")
    assert "best epoch by R@1 on the test split, one seed" in source


def test_a_line_holds_both_sides_and_what_is_unlike_is_said_once_for_all_its_rows():
    rows = [
        real(rule="val", val="none", n_seeds=3),
        real("full_finetune", presets=(), rule="val", val="none"),
    ]
    theirs = [
        published(rule="oracle", backbone=None),
        published(counterpart="full_finetune", image_size=None),
    ]
    table = published_table(panel_of(*rows, published=theirs))
    cells = table.cells.set_index("method")
    assert cells.loc["cskt"].tolist()[:-1] == [
        *("cuhk", "Theirs", CHOSEN["val"], CHOSEN["oracle"], CHOSEN[None], "384×128", "3")
    ]
    assert cells.loc["full_finetune", "image published"] == CHOSEN[None]
    assert cells["source"].tolist() == ["[1]", "[1]"]
    (unlike,) = [note for note in table.notes if "epoch" in note and "[1]" not in note]
    assert "cskt on cuhk, full_finetune on cuhk" in unlike
    assert table.name == "protocols-1"
    assert table.as_dict()["rows"][0]["R1_published"] == 60.0


def test_beside_a_twin_only_what_is_published_is_tabulated(fake):
    twin = fake.row("cskt", "cuhk", r1=12.34)
    table = published_table(panel_of(twin, published=[published()]))
    assert table.name == "published-1"
    assert table.cells.iloc[0].tolist()[3:7] == ["60.00", "–", "71.00", "50.00"]
    assert table.notes[:2] == (TWIN, _BESIDE)
    assert "12.3" not in table.csv()


def test_without_a_published_row_both_tables_are_empty_and_say_so(fake):
    for synthetic in (True, False):
        table = published_table(panel_of(fake.row("mine", synthetic=synthetic), published=[]))
        assert len(table.cells) == 0
        assert NOTHING in table.notes
        assert table.markdown()
        assert table.latex()


def test_a_method_is_run_under_other_protocols_alone_until_one_run_is_not(fake):
    val, oracle = real(presets=(), condition="val"), real(condition="released")
    assert [len(other_protocols([panel_of(row)])) for row in (val, oracle)] == [1, 0]
    assert other_protocols([panel_of(val), panel_of(oracle)]) == []
    assert other_protocols([panel_of(fake.row("cskt", "cuhk"))]) == other_protocols([]) == []
    (gap,) = other_protocols([panel_of(val)])
    assert gap.commands == ("harness run --method cskt --dataset cuhk --preset released",)
