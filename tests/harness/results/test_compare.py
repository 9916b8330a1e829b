import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from harness.reports.compare import verdict_table

from harness.cli.main import cli
from harness.errors import UsageError
from harness.evaluate.intervals import METHOD
from harness.evaluate.per_identity import Persons, difference, persons_of
from harness.evaluate.power import spread
from harness.evaluate.variance import shared
from harness.pages.tables import DASH, MARK
from harness.record import BOOTSTRAP
from harness.results.compare import Compared, _pairs, compare
from harness.results.run_source import Source
from harness.results.seeds.seed_lines import needs_line
from harness.results.seeds.shared_seeds import MARKED, data_of


def source_of(store):
    return Source(str(store.runs), store.client.get_experiment(store.experiment_id).name)


def send(store, fake, method, r1, seeds=(1,), **more):
    return [fake.send(store, *fake.record(method, "icfg", r1, seed=seed, **more)) for seed in seeds]


def test_a_clear_difference_is_a_verdict_and_names_the_better(experiment, fake):
    (weak,), (strong,) = (send(experiment, fake, *one) for one in (("linear_probe", 10), ("cskt", 80)))
    found = compare(source_of(experiment), weak.name, strong.name)
    (test,) = found.tests
    arrays = [fake.record(method, "icfg", r1)[1] for method, r1 in (("linear_probe", 10), ("cskt", 80))]
    gap = 100 * ((arrays[0]["t2i/rank"] == 1).mean() - (arrays[1]["t2i/rank"] == 1).mean())
    assert test.differences["R1"].estimate == pytest.approx(gap)
    assert test.verdict.startswith("On icfg, B is better than A: R@1 -")
    assert found.settings == {"method.name": ("linear_probe", "cskt")}
    assert found.reach.startswith("† The intervals cover persons only: another seed may order otherwise.")
    assert test.verdict.endswith("(persons only: another seed may order otherwise).")


def test_how_tracked_intervals_were_made_is_no_matter_where_per_query_results_are_there(experiment, fake):
    """Neither two results are refused for it, nor are others kept from telling what seeds change."""
    old = {"interval_method": BOOTSTRAP}
    (one,) = send(experiment, fake, "cskt", 40, **old)
    (two,) = send(experiment, fake, "coop", 42)
    send(experiment, fake, "irra", 44, (1, 2, 3), **old)
    found = compare(source_of(experiment), one.name, two.name)
    assert found.unlike == ()
    assert found.n_others == 1
    assert {row["interval_method"] for row in (found.tests[0].a, found.tests[0].b)} == {METHOD}


def test_what_is_not_told_apart_is_said_with_what_could_have_been_seen(experiment, fake):
    one = send(experiment, fake, "cskt", 40, method__lr=1, identity="a" * 20)
    other = send(experiment, fake, "cskt", 42, method__lr=2, identity="b" * 20)
    (test,) = compare(source_of(experiment), one[0].name, other[0].name).tests
    assert "not significantly different" in test.verdict
    assert f"below {test.differences['R1'].detectable:.1f} points" in test.verdict


def verdict(fake, places, **changes):
    """Return what is said of a result and a changed copy of it, of the queries at some places."""
    arrays = {key: values[places] for key, values in fake.record("cskt", "icfg", 40)[1].items()}
    gap = difference(persons_of([arrays]), persons_of([arrays | changes]))
    return Compared("icfg", {"left_out": 0}, {"left_out": 0}, {"R1": gap}, gap.p_value).verdict


def test_equal_hits_are_not_said_to_be_equal_answers_and_one_person_tells_nothing(fake):
    n = len(fake.record("cskt", "icfg", 40)[1]["t2i/AP"])
    same = verdict(fake, slice(None), **{"t2i/AP": np.zeros(n)})
    assert "same R@1 on every identity" in same
    assert "every query" not in same
    alone = verdict(fake, slice(0, 2), **{"t2i/rank": np.array([1, 99])})
    assert "cannot be compared statistically" in alone
    assert "nan" not in alone


def test_a_name_stands_for_all_its_seeds_and_an_untrained_method_has_none(experiment, fake):
    seeds = send(experiment, fake, "cskt", 60, seeds=(1, 2, 3))
    (floor,) = send(experiment, fake, "zero_shot", 10, trainable=0)
    found = compare(source_of(experiment), seeds[1].name[:-3], floor.name)
    assert found.n_seeds == (3, 1)
    assert found.reach == "The intervals cover new identities and new seeds."
    fake.group(experiment, seeds[:2], 50, 40, 60)
    assert compare(source_of(experiment), "group", floor.name).n_seeds == (3, 1)


def test_p_is_adjusted_for_the_number_of_test_sets(experiment, fake):
    for method, r1 in (("a", 45), ("b", 55)):
        fake.send(experiment, *fake.record(method, "icfg", r1), [("cuhk", r1), ("rstp", r1)])
    found = compare(source_of(experiment), "a-icfg", "b-icfg")
    assert {test.tested_on for test in found.tests} == {"icfg", "cuhk", "rstp"}
    smallest = min(found.tests, key=lambda test: test.differences["R1"].p_value)
    assert smallest.p_holm == pytest.approx(min(1, 3 * smallest.differences["R1"].p_value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"synthetic": False}, "data: SYNTHETIC TWIN for A, real data for B"),
        ({"fingerprint": "else"}, "annotations of icfg: data-of-icfg for A, else for B"),
        (
            {"pictures": {"train": "t", "test": "else"}},
            "test pictures of icfg: test-of-icfg for A, else for B",
        ),
        ({"left_out": {"train": 0, "test": 9}}, "unreadable test pictures of icfg: 0 for A, 9 for B"),
        ({"eval__rule": "oracle"}, "selection rule: val for A, oracle for B"),
        ({"versions": {"method": 1, "dataset": 1, "protocol": 2}}, "protocol version: 1 for A, 2 for B"),
    ],
)
def test_results_that_no_table_may_hold_together_are_refused(experiment, fake, changes, message):
    send(experiment, fake, "a", 40)
    send(experiment, fake, "b", 40, **changes)
    with pytest.raises(UsageError, match=message):
        compare(source_of(experiment), "a-icfg", "b-icfg")


def test_what_both_leave_out_is_in_the_verdict_and_a_run_of_unknown_pictures_is_named(experiment, fake):
    left_out = {"train": 0, "test": 9}
    send(experiment, fake, "a", 40, left_out=left_out)
    send(experiment, fake, "b", 70, left_out=left_out)
    send(experiment, fake, "c", 40)
    send(experiment, fake, "old", 70, pictures={})
    (test,) = compare(source_of(experiment), "a-icfg", "b-icfg").tests
    assert test.verdict.startswith("On icfg without 9 unreadable images, ")
    assert (
        "B was made before pictures were part of it"
        in compare(source_of(experiment), "c-icfg", "old-icfg").unlike
    )


def test_other_backbones_and_budgets_are_compared_and_named(experiment, fake):
    send(experiment, fake, "a", 40, tags={"harness.budget": "30"})
    send(experiment, fake, "b", 40, backbone__name="larger")
    unlike = compare(source_of(experiment), "a-icfg", "b-icfg").unlike
    assert "tuning budget: 30 trials for A, none for B" in unlike
    assert any(line.startswith("backbone: tiny") for line in unlike)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("cskt-icfg-twin", "nothing", "nothing"),
        ("cskt-icfg-twin", "cskt-icfg-twin", "seeds of the same result"),
        ("c", "linear", "fits several results"),
        ("cskt-icfg-twin", "cskt-cuhk-twin", "tested on different datasets"),
    ],
)
def test_names_that_do_not_make_a_pair_are_one_clear_message(experiment, fake, a, b, message):
    send(experiment, fake, "cskt", 40)
    send(experiment, fake, "linear_probe", 40)
    fake.send(experiment, *fake.record("cskt", "cuhk", 40))
    with pytest.raises(UsageError, match=message):
        compare(source_of(experiment), a, b)


def test_of_a_run_that_was_made_again_with_another_budget_the_newest_counts(experiment, fake):
    for budget, day in (("9", 1), ("30", 2)):
        marks = {"tags": {"harness.budget": budget}, "started": f"2026-01-0{day}T00:00:00+00:00"}
        send(experiment, fake, "cskt", 40, **marks)
    send(experiment, fake, "linear_probe", 40)
    found = compare(source_of(experiment), "cskt-icfg", "linear_probe-icfg")
    assert found.unlike == ("tuning budget: 30 trials for A, none for B",)


@pytest.mark.slow
def test_what_a_difference_of_a_point_takes_follows_from_what_both_sides_vary_by(experiment, fake):
    a = send(experiment, fake, "a", 40, seeds=(1, 2, 3))
    b = send(experiment, fake, "b", 60, seeds=(1, 2))
    persons = [
        persons_of([fake.queries(r1, seed) for seed in range(1, n + 1)]) for r1, n in ((40, 3), (60, 2))
    ]
    known = shared([one.seed_variance("R1") for one in persons])
    found = spread(*(one.of("R1") for one in persons), persons[0].sizes, (known[0], known[1]))
    (test,) = compare(source_of(experiment), a[0].name, b[0].name).tests
    assert test.plan == needs_line(found, "icfg", 3)
    send(experiment, fake, "c", 50)
    (test,) = compare(source_of(experiment), a[0].name, "c-icfg").tests
    assert "On icfg with its 40 identities, " in test.plan


def test_of_one_seed_each_it_is_unknown_how_many_it_takes_and_of_nothing_trained_identities_do(
    experiment, fake
):
    send(experiment, fake, "a", 40)
    send(experiment, fake, "b", 60)
    (test,) = compare(source_of(experiment), "a-icfg", "b-icfg").tests
    assert "unknown how many seeds" in test.plan
    send(experiment, fake, "c", 40, trainable=0)
    send(experiment, fake, "d", 60, trainable=0)
    (test,) = compare(source_of(experiment), "c-icfg", "d-icfg").tests
    assert re.fullmatch(r"On icfg, a difference of 1 point in R@1 takes [\d,]+ identities\.", test.plan)
    send(experiment, fake, "e", 40, trainable=0)
    (test,) = compare(source_of(experiment), "c-icfg", "e-icfg").tests
    assert test.plan == ""


def test_an_empty_experiment_says_how_to_begin(experiment):
    with pytest.raises(UsageError, match="harness run --method"):
        compare(source_of(experiment), "a", "b")


def test_the_command_says_the_verdict_and_its_json_holds_the_numbers(experiment, fake):
    send(experiment, fake, "a", 20)
    send(experiment, fake, "b\x1b[31m<script>", 70)
    source = source_of(experiment)
    command = ["compare", "a-icfg", "b", "--runs", source.runs, "--experiment", source.experiment]
    told = CliRunner().invoke(cli, command, catch_exceptions=False, standalone_mode=False)
    assert told.return_value == 0
    assert "B is better than A" in told.stdout
    assert "SYNTHETIC TWIN" in told.stdout
    assert "\x1b[31m" not in told.stdout
    assert "it is unknown how many seeds a difference of 1 point in R@1 takes" in " ".join(
        told.stdout.split()
    )
    asked = CliRunner().invoke(cli, [*command, "--json"], catch_exceptions=False, standalone_mode=False)
    (test,) = json.loads(asked.stdout)["tests"]
    assert test["plan"].startswith("On icfg, it is unknown how many seeds")
    persons = persons_of([fake.record("a", "icfg", 20)[1]])
    assert test["a"]["R1"] == pytest.approx(persons.summary("R1").estimate)
    assert set(test["differences"]["mAP"]) >= {"estimate", "low", "high", "p_value", "detectable"}


# Of the two results: method and seeds.
SEEDS_TOLD = {
    "one seed each": (("cskt", (1,)), ("linear_probe", (1,)), True),
    "one seed against three": (("cskt", (1,)), ("linear_probe", (1, 2, 3)), False),
    "untrained both": (("zero_shot", (1,)), ("bag_of_words", (1,)), False),
    "untrained against one seed": (("cskt", (1,)), ("zero_shot", (1,)), True),
}


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("case", SEEDS_TOLD)
def test_what_stands_on_persons_only_is_marked_at_each_width_and_in_the_report(
    experiment, fake, monkeypatch, case, width
):
    *sides, marked = SEEDS_TOLD[case]
    for (method, seeds), r1 in zip(sides, (80, 20), strict=True):
        untrained = {"trainable": 0} if method in ("zero_shot", "bag_of_words") else {}
        send(experiment, fake, method, r1, seeds, **untrained)
    source = source_of(experiment)
    names = [f"{method}-icfg" for method, _ in sides]
    found = compare(source, *names)
    assert {one.persons_only for one in found.tests[0].differences.values()} == {marked}
    cells = verdict_table(found.as_dict()).cells
    assert set(cells["p"].str.endswith(MARK)) == {marked}
    assert set(cells["SE, seeds"] == DASH) == {marked}
    monkeypatch.setenv("COLUMNS", str(width))
    command = ["compare", *names, "--runs", source.runs, "--experiment", source.experiment]
    told = CliRunner().invoke(cli, command, catch_exceptions=False, standalone_mode=False).stdout
    words = " ".join(told.split())
    assert (MARKED in words) == marked
    assert ("† The intervals cover persons only" in words) == marked
    assert ("<0.001†" in told or "not shown at" in told) if marked else MARK not in told
    assert max(len(line) for line in told.splitlines() if not line.startswith("more: ")) <= width


def test_few_persons_that_all_differ_alike_are_not_said_to_be_the_same():
    right, wrong = (Persons(np.arange(5), np.ones(5), np.full((1, 5, 4), hit), 0.0) for hit in (1.0, 0.0))
    gap = difference(right, wrong)
    assert gap.detectable == 0
    row = {"left_out": 0}
    text = Compared("icfg", row, row, {"R1": gap}, gap.p_value).verdict
    assert "not significantly different: R@1 +100.0 points on each identity alike, p = 0.062" in text
    assert "too few identities to tell" in text
    assert "no difference" not in text


@pytest.mark.slow
def test_other_results_of_several_seeds_are_counted_once_and_only_where_they_tell_something(experiment, fake):
    one, other = (fake.record(method, "icfg", r1) for method, r1 in (("linear_probe", 30), ("cskt", 40)))
    for made in (one, other):
        fake.send(experiment, *made, [("cuhk", 20)])
    names = one[0].name, other[0].name
    assert "persons only" in compare(source_of(experiment), *names).reach
    for method, seeds, trained_on in (
        ("coop", (1, 2), "icfg"),
        ("irra", (1,), "icfg"),
        ("irra", (1, 2), "rstp"),
    ):
        for seed in seeds:
            made, arrays = fake.record(method, trained_on, 35, seed=seed)
            fake.send(
                experiment,
                made,
                arrays,
                [("cuhk", 18 + seed), ("rstp" if trained_on == "icfg" else "icfg", 9)],
            )
    source, read = source_of(experiment), []
    combined = source.combined
    source.combined = lambda rows: read.append(rows) or combined(rows)
    found = compare(source, *names)
    assert len(found.tests) == 2
    assert found.n_others == 1
    assert set(read[1]["method"]) == {"coop"}
    assert set(read[1]["tested_on"]) == {"icfg", "cuhk"}
    assert "1 other result of the same data and backbone" in found.reach


def test_what_is_unknown_of_two_results_is_the_same_as_none_and_as_nan(fake):
    rows = [fake.row("a", train_pairs=None), fake.row("b", train_pairs=float("nan"))]
    assert len({data_of(row) for row in rows}) == 1
    assert data_of(fake.row("a")) != data_of(rows[0])


def test_of_several_results_on_a_test_set_those_on_the_same_pictures_make_the_pair(fake):
    now, before, other = (
        fake.row(name, "icfg", "cuhk", pictures=pictures)
        for name, pictures in (("a", "now"), ("a", "before"), ("b", "before"))
    )
    assert _pairs([now, before], [other]) == [(before, other)]
    assert _pairs([now, before], [other | {"pictures": "else"}]) == [(now, other | {"pictures": "else"})]
    assert _pairs([now], [fake.row("b", "icfg", "rstp")]) == []
