"""Pages are called after their methods and test sets, with proper names."""

from pathlib import Path
from types import SimpleNamespace

import harness
from harness.reporting.display_names import begun, label_name, method_name
from harness.reporting.verdicts.titles import (
    comparison_title,
    layers_title,
    places_of,
    results_title,
    run_title,
    side_names,
    study_title,
    where_of,
)
from harness.reporting.verdicts.words import sentence


def test_the_best_methods_are_named_and_the_others_counted(fake):
    figures = {"cskt": 60, "full_finetune": 50, "vpt": 40, "coop": 30, "lora": 20, "maple": 10}
    rows = [fake.row(name, r1=r1) for name, r1 in figures.items()]
    assert results_title(rows) == "CSKT, full fine-tuning and 4 others on ICFG-PEDES (synthetic twin)"
    assert results_title([fake.row("linear_probe")]) == "Linear probe on ICFG-PEDES (synthetic twin)"
    assert results_title([fake.row("linear_probe")], "Cost of").startswith("Cost of linear probe on")
    assert where_of(rows) == "the synthetic twin of ICFG-PEDES"


def test_test_sets_say_which_of_them_are_twins(fake):
    twin, real, other = fake.row(), fake.row(synthetic=False), fake.row(tested_on="cuhk")
    assert places_of([twin, real]) == "ICFG-PEDES and its synthetic twin"
    assert places_of([twin, other]) == "ICFG-PEDES and CUHK-PEDES (synthetic twins)"
    assert places_of([real, other]) == "ICFG-PEDES and CUHK-PEDES (synthetic twin)"
    many = [fake.row(tested_on=str(number)) for number in range(5)]
    assert places_of(many) == "5 test sets (synthetic twins)"
    assert places_of([*many, real]) == "6 test sets (real and synthetic)"


def test_pages_about_one_thing_are_called_after_it():
    config = {"method": {"name": "zero_shot"}, "dataset": {"name": "rstp"}, "seed": 3}
    assert run_title({"config": config, "synthetic": False}) == "Zero-shot CLIP on RSTPReid, seed 3"
    names = side_names(["linear_probe", "cskt"])
    assert (
        comparison_title(names, ["icfg"], True)
        == "Linear probe (A) vs. CSKT (B) on ICFG-PEDES (synthetic twin)"
    )
    found = {"method": "cskt", "dataset": "icfg", "synthetic": False}
    assert layers_title(found) == "Layers of CSKT on ICFG-PEDES"
    assert study_title(SimpleNamespace(**found)) == "Search for CSKT on ICFG-PEDES"


def test_each_shipped_method_has_a_proper_name_and_others_keep_theirs():
    shipped = [file.stem for file in (Path(harness.__file__).parents[1] / "methods").glob("[!_]*.py")]
    assert [name for name in shipped if method_name(name) == name] == []
    assert len({method_name(name) for name in shipped}) == len(shipped)
    assert method_name("../../etc\x1b[31m") == "../../etc"
    assert label_name({"method": "cskt", "label": "cskt (method.lr=0.1)"}) == "CSKT (method.lr=0.1)"


def test_a_sentence_begins_with_a_capital_unless_a_name_begins_otherwise():
    assert sentence(["linear probe is better"]) == "Linear probe is better."
    assert sentence(["iCLIP is better"]) == "iCLIP is better."
    assert begun("(IA)3") == "(IA)3"
