"""The report on few training images: which results are a curve's points, what they are set against, what is missing."""

import json

import pytest
from harness.reports.few_shot import REFERENCE, FewShot, curves, draw_shares, share_text, shares_table
from matplotlib import pyplot
from pandas import DataFrame

from harness.config.identity import recorded_values
from harness.config.values import flatten
from harness.pages.tables import DASH, MARK, p_text
from harness.pages.theme import use_theme
from harness.presets.resolve import resolve
from harness.reporting.make import make_report
from harness.reporting.published.matches import counterparts, with_published
from harness.reporting.published.settings import preset_of, share_of
from harness.results.panels import split_panels
from harness.results.run_table import load_rows
from harness.results.seeds.seed_notes import MARK_NOTE
from tests.fake_experiment import persons
from tests.seed_cases import TRAINED, two

PUBLISHED = counterparts(["tbps_clip_few_shot", "tbps_clip_main"])
LINES = ("clip_baseline", "full", "simplified")


def config_of(method="tbps_clip", preset="clip_baseline", share=1.0, synthetic=True, overrides=()):
    presets = [preset] if preset else []
    settings = [*overrides, *([f"dataset.few_shot={share}"] if share < 1 else [])]
    return recorded_values(resolve(method, "cuhk", synthetic=synthetic, presets=presets, overrides=settings))


def result(fake, method="tbps_clip", preset="clip_baseline", share=0.1, r1=40.0, **changes):
    """Return a result of a real configuration that learned from a share of the images."""
    values = config_of(method, preset, share, changes.get("synthetic", True), changes.pop("overrides", ()))
    config = {key: str(value) for key, value in flatten(values).items() if key != "seed"}
    name = f"{method} {preset} {share} {sorted(config.items())}"
    own = {
        "condition": name,
        "config": config,
        "train_pairs": 2403 * share,
        "train_pictures": f"{share} of train-of-cuhk",
        "train_images": int(1198 * share),
        "backbone": values["backbone"]["name"],
    }
    return fake.row(method, "cuhk", r1=r1, **(own | changes))


def split(*rows, found=None):
    """Return the panels of results, as the report makes them."""
    frame = FewShot.select(DataFrame(list(rows)))
    presets = [preset_of(row) for row in frame.to_dict("records")]
    frame = with_published(frame, PUBLISHED).assign(
        share=[share_of(row["config"]) for row in frame.to_dict("records")],
        preset=[name for name, _ in presets],
        departures=[found for _, found in presets],
        setting="0123456789",
    )
    return split_panels(frame, FewShot.facts, found or persons(frame.to_dict("records")))


def panel_of(*rows):
    (panel,) = split(*rows)
    return panel


def whole(fake, synthetic=True, **changes):
    """Return three settings at three shares, the last two better than the first by 5 and 10 points."""
    given = {"synthetic": synthetic} | changes
    return [
        result(fake, preset=preset, share=share, r1=20 + 100 * share + 5 * place, **given)
        for place, preset in enumerate(LINES)
        for share in (0.01, 0.05, 0.1)
    ]


@pytest.mark.parametrize("case", TRAINED)
def test_a_p_that_stands_on_persons_only_is_marked(fake, case):
    better, worse = (result(fake, preset=preset) for preset in ("full", "clip_baseline"))
    for row in (better, worse):
        for name in ("R1", "R5", "R10", "mAP", "rule", "n_seeds"):
            del row[name]
    rows, found = two(case, better, worse)
    (panel,) = split(*rows, found=found)
    table = shares_table(panel)
    p = table.values["p"][1]
    assert p < 0.002
    assert table.cells["p"].tolist() == [DASH, p_text(p) + MARK * TRAINED[case]]
    assert table.values["persons_only"].tolist() == [False, TRAINED[case]]
    assert any(note.startswith(MARK_NOTE) for note in table.notes) == TRAINED[case]


def test_a_line_is_a_method_with_its_preset_and_the_reference_comes_first(fake):
    rows = curves(panel_of(*whole(fake)[::-1], result(fake, "coop", "", r1=12)))
    assert list(dict.fromkeys(rows["line"])) == [
        *(REFERENCE, "coop", "tbps_clip full", "tbps_clip simplified")
    ]
    assert rows.loc[rows["line"] == REFERENCE, "share"].tolist() == [0.01, 0.05, 0.1]


def test_settings_beside_the_preset_are_named_where_results_of_one_preset_differ(fake):
    rows = [*whole(fake), result(fake, overrides=["method.lr=0.5"], r1=9)]
    lines = set(curves(panel_of(*rows))["line"])
    assert "tbps_clip clip_baseline (method.lr=0.5)" in lines
    assert "tbps_clip full" in lines
    alike = [result(fake, share=share, overrides=["method.lr=0.5"]) for share in (0.1, 0.05)]
    assert set(curves(panel_of(*alike))["line"]) == {REFERENCE}


def test_other_images_of_the_same_share_are_a_line_of_their_own(fake):
    rows = [result(fake), result(fake, overrides=["dataset.few_shot_seed=3"], r1=30)]
    assert [line for line in curves(panel_of(*rows))["line"] if "images" in line] == [
        f"{REFERENCE} (images 3)"
    ]


def test_all_shares_stand_in_one_panel_though_they_learn_from_other_numbers_of_pairs(fake):
    (panel,) = split(*whole(fake))
    assert len(panel.records) == 9
    assert not any("training pairs" in word for word in panel.words())


def test_results_on_all_images_join_their_own_curve_and_no_other_method_does(fake):
    rows = [
        result(fake, preset="full", share=0.1),
        result(fake, preset="full", share=1.0, r1=70),
        result(fake, preset="simplified", share=1.0, r1=71),
        fake.row("cskt", "cuhk", r1=60),
    ]
    kept = FewShot.select(DataFrame(rows))
    assert kept["R1"].tolist() == [40, 70]
    away = rows[0] | {"tested_on": "icfg", "in_domain": False}
    assert len(FewShot.select(DataFrame([*rows, away]))) == 2
    assert len(FewShot.select(DataFrame(rows[1:]))) == 0


def test_the_difference_is_to_the_reference_of_the_same_share_person_by_person(fake):
    panel = panel_of(*whole(fake))
    rows = curves(panel).set_index(["line", "share"])
    assert rows.loc[("tbps_clip full", 0.05), "R1_difference"] == pytest.approx(5)
    one, other = (
        next(row for row in panel.records if (row["preset"], row["share"]) == (name, 0.05))
        for name in ("full", "clip_baseline")
    )
    found = panel.difference(one, other, "mAP")
    assert rows.loc[("tbps_clip full", 0.05), "mAP_difference_low"] == found.low
    assert rows.loc[(REFERENCE, 0.05), "R1_difference"] != rows.loc[(REFERENCE, 0.05), "R1_difference"]
    lonely = curves(panel_of(result(fake, preset="full", share=0.05), result(fake, share=0.1)))
    assert lonely["R1_difference"].isna().all()


def test_the_table_says_how_many_images_a_share_is(fake):
    cells = shares_table(panel_of(*whole(fake), result(fake, share=1.0))).cells
    first = cells[cells["method"] == REFERENCE]
    assert first["share"].tolist() == ["1 %", "5 %", "10 %", "all"]
    assert first["images"].tolist() == ["11", "59", "119", "1,198"]
    assert first["difference in R@1"].tolist() == [DASH] * 4
    rows = whole(fake)
    for row in rows:
        del row["train_images"]
    assert set(shares_table(panel_of(*rows)).cells["images"]) == {DASH}


def test_published_figures_stand_beside_real_results_of_the_same_share_and_setting(fake):
    rows = whole(fake, synthetic=False, backbone="ViT-B-16-quickgelu")
    rows += [result(fake, "coop", "", share=0.05, synthetic=False, backbone="ViT-B-16-quickgelu")]
    table = shares_table(panel_of(*rows, result(fake, share=1.0, synthetic=False)))
    cells = table.cells.set_index(["method", "share"])
    assert cells["published R@1"].to_dict() == {
        (REFERENCE, "1 %"): "27.84",
        (REFERENCE, "5 %"): "38.37",
        (REFERENCE, "10 %"): "42.37",
        (REFERENCE, "all"): "65.37",
        ("tbps_clip full", "1 %"): "27.94",
        ("tbps_clip full", "5 %"): "42.98",
        ("tbps_clip full", "10 %"): "49.19",
        ("tbps_clip simplified", "1 %"): "30.05",
        ("tbps_clip simplified", "5 %"): "43.65",
        ("tbps_clip simplified", "10 %"): "50.26",
        ("coop", "5 %"): "11.37",
    }
    assert cells.loc[(REFERENCE, "5 %"), "published mAP"] == "35.39"
    assert any("Cao et al., AAAI 2024" in note for note in table.notes)


def test_twins_are_never_set_against_published_figures(fake):
    panel = panel_of(*whole(fake))
    assert any(row["published"] for row in panel.records)
    assert not any("published" in name for name in shares_table(panel).cells.columns)
    use_theme()
    figure = draw_shares(panel)
    assert not [line for axes in figure.axes for line in axes.lines if line.get_linestyle() == "--"]
    pyplot.close(figure)


def test_the_figure_has_a_line_a_setting_its_published_one_dashed_and_the_floor_dotted(fake):
    use_theme()
    real = {"synthetic": False, "backbone": "ViT-B-16-quickgelu"}
    floor = fake.row("zero_shot", "cuhk", r1=8, rule="untrained", config={}, **real)
    figure = draw_shares(panel_of(*whole(fake, **real), floor))
    for axes, values in zip(figure.axes, ([27.84, 38.37, 42.37], [25.88, 35.39, 38.20]), strict=True):
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert len(dashed) == 3
        assert list(dashed[0].get_ydata()) == values
        assert list(dashed[0].get_xdata()) == pytest.approx([1, 5, 10])
        assert [line for line in axes.lines if line.get_linestyle() == ":"]
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "5", "10"]
    pyplot.close(figure)


def test_gaps_name_missing_shares_reference_and_floor_with_the_suite(fake):
    rows = [*whole(fake)[1:3], result(fake, preset="full", share=0.01)]
    whats = [gap.what for gap in FewShot.gaps(split(*rows))]
    assert "Protocol 1, cuhk: tbps_clip clip_baseline has no result with 1 % of the images." in whats
    assert "Protocol 1, cuhk: tbps_clip full has no result with 5 %, 10 % of the images." in whats
    assert any("no untrained method" in what for what in whats)
    whats = [gap.what for gap in FewShot.gaps(split(result(fake, preset="full", synthetic=False)))]
    assert f"Protocol 1, cuhk: no {REFERENCE}, which differences are taken to." in whats
    (begin,) = FewShot.gaps([])
    assert begin.commands == ("harness suite run few_shot --synthetic",)


def test_a_method_that_is_not_installed_has_its_line_and_hostile_text_stays_text(fake, tmp_path):
    use_theme()
    bad = "=cmd|' <script>alert(1)</script> \\input{x} $\\frac$\x1b[31m"
    rows = [
        fake.row(bad, "cuhk", condition=str(share), config={"dataset.few_shot": share, "method.x": bad})
        for share in ("0.1", "0.2")
    ]
    panel = panel_of(*rows)
    table = shares_table(panel)
    assert "<script" not in table._repr_html_() + table.markdown()
    assert r"\input" not in table.latex()
    assert "\x1b" not in table.csv()
    figure = draw_shares(panel)
    figure.savefig(tmp_path / "x.svg")
    assert "<script" not in (tmp_path / "x.svg").read_text()
    pyplot.close(figure)


def test_one_result_without_interval_makes_a_whole_table_and_figure(fake):
    use_theme()
    ends = {f"{name}_{end}": None for name in ("R1", "mAP") for end in ("low", "high")}
    panel = panel_of(result(fake, **ends))
    assert shares_table(panel).latex()
    assert json.dumps(shares_table(panel).as_dict(), allow_nan=False)
    pyplot.close(draw_shares(panel))


def test_shares_read_well():
    assert [share_text(share) for share in (0.01, 0.005, 0.3, 1.0)] == ["1 %", "0.5 %", "30 %", "all"]


@pytest.fixture
def published_runs(experiment, fake):
    """Return an experiment with two settings at two shares and on all images, as tracked runs."""
    for preset, skill in (("clip_baseline", 30), ("simplified", 40)):
        for share in (0.05, 0.1, 1.0):
            made, arrays = fake.record("tbps_clip", "cuhk", skill + 20 * share, identity=f"{preset}{share}")
            made.config = config_of(preset=preset, share=share) | {"seed": 1}
            made.data = {"train_pairs": int(2403 * share), "train_images": int(1198 * share)}
            fake.send(experiment, made, arrays)
    fake.send(experiment, *fake.record("linear_probe", "cuhk", 20))
    return experiment


@pytest.mark.slow
def test_the_report_is_made_of_tracked_runs(published_runs, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.reporting.make.execute", lambda notebook, path: path.write_text("{}"))
    name = published_runs.client.get_experiment(published_runs.experiment_id).name
    make_report("few_shot", out=tmp_path / "out", runs=str(published_runs.runs), experiment=name)
    rows = load_rows(tmp_path / "out" / "data" / "results.json")
    assert sorted(zip(rows["preset"], rows["share"], strict=True)) == [
        (preset, share) for preset in ("clip_baseline", "simplified") for share in (0.05, 0.1, 1.0)
    ]
    (panel,) = FewShot.panels(tmp_path / "out" / "data")
    first = curves(panel)
    assert first["train_images"].tolist() == [59, 119, 1198] * 2
    assert first["R1_difference"].notna().sum() == 3


def test_a_floor_without_a_curve_is_no_panel(fake):
    floor = fake.row("zero_shot", "icfg", r1=8.0, rule="none")
    assert set(FewShot.select(DataFrame([*whole(fake), floor]))["tested_on"]) == {"cuhk"}


def test_a_panel_without_curves_is_an_empty_table(fake):
    panel = panel_of(*whole(fake))
    panel.records[:] = []
    assert len(shares_table(panel).values) == 0


def test_a_difference_is_to_the_reference_that_learned_from_the_same_images(fake):
    other = {"overrides": ["dataset.few_shot_seed=1"]}
    rows = [result(fake, r1=30), result(fake, preset="full", r1=40, **other)]
    assert curves(panel_of(*rows))["R1_difference"].isna().all()
    found = curves(panel_of(*rows, result(fake, r1=35, **other)))
    assert found["R1_difference"].tolist()[2] == pytest.approx(5)
    assert found["line"].tolist()[:2] == [REFERENCE, f"{REFERENCE} (images 1)"]
    assert found["R1_difference"].isna().tolist() == [True, True, False]
