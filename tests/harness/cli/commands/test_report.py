"""`harness report`: a style is one of two, and the paper's table and figures lie beside the page."""

import pytest
from click.testing import CliRunner

from harness.cli.commands.report import report
from harness.errors import UsageError
from harness.reporting.make import make_report


def test_a_style_is_page_or_paper(tmp_path):
    done = CliRunner().invoke(report, ["leaderboard", "--style", "poster"], obj={"quiet": True})
    assert done.exit_code == 2
    assert "'page', 'paper'" in done.output
    with pytest.raises(UsageError, match="Unknown style 'poster': page or paper"):
        make_report("leaderboard", style="poster", out=tmp_path, runs=str(tmp_path / "none"))


@pytest.mark.slow
def test_the_style_paper_writes_a_table_for_latex_and_all_figures_as_pdf(
    experiment, fake, tmp_path, no_kernel
):
    fake.send(experiment, *fake.record("cskt", "icfg", 47))
    fake.send(experiment, *fake.record("linear_probe", "icfg", 30))
    name = experiment.client.get_experiment(experiment.experiment_id).name
    options = [
        "--style",
        "paper",
        "--out",
        str(tmp_path),
        "--runs",
        str(experiment.runs),
        "--experiment",
        name,
    ]
    done = CliRunner().invoke(report, ["leaderboard", *options], obj={"quiet": True}, standalone_mode=False)
    assert done.exception is None, done.output
    assert {"leaderboard-1.tex", "leaderboard-1.pdf"} == {
        file.name for file in (tmp_path / "paper").iterdir()
    }
    assert (tmp_path / "figures" / "leaderboard-1.pdf").is_file()
    assert "CSKT" in (tmp_path / "paper" / "leaderboard-1.tex").read_text()
    assert "also there: leaderboard.ipynb, tables/, figures/, data/, paper/" in done.output
    assert "is the best result on" in done.output or "not significantly different" in done.output
