"""Which versions a result is of, and how tables say that they are not today's."""

from pandas import DataFrame

from harness.methods import METHODS
from harness.registry.plug_ins import plugins
from harness.results.panels import dataset_facts, split_panels
from harness.results.run_table import run_rows
from harness.results.versions import BEFORE_VERSIONS, older_parts
from harness.track.tags import record_row


def test_versions_told_from_files_are_those_of_the_classes():
    for name in plugins("methods").names():
        version = METHODS.get(name).version
        assert older_parts(name, "icfg", {"method": version, "dataset": 1}) == []
        assert len(older_parts(name, "icfg", {"method": version + 1, "dataset": 1})) == 1


def test_a_table_names_results_of_other_versions_than_today_s(fake):
    told = {}
    for method, versions in (
        ("linear_probe", {"method": 1, "dataset": 1, "protocol": 1}),
        ("full_finetune", {"method": 0, "dataset": 1, "protocol": 1}),
        ("zero_shot", {}),
    ):
        made, _ = fake.record(method, "icfg", versions=versions)
        (row,) = run_rows(record_row(made, []))
        told[method] = row["older"]
    old = ["version 0 of the method full_finetune, today 1"]
    assert told == {"linear_probe": [], "full_finetune": old, "zero_shot": [BEFORE_VERSIONS]}
    rows = [fake.row(older=old), fake.row(method="other", older=old), fake.row(method="third")]
    (panel,) = split_panels(DataFrame(rows), dataset_facts)
    (line,) = (line for line in panel.caveats() if "versions" in line)
    assert line == "Not of today's versions: cskt, other (version 0 of the method full_finetune, today 1)."
