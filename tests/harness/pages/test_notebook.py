"""Notebooks: equal cells give an equal file, cells run in a kernel of this interpreter, and a failing one is told."""

import json
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest

import harness
from harness.errors import HarnessError
from harness.pages import notebook as notebook_module
from harness.pages.html import write_page
from harness.pages.notebook import code_cell, execute, make_notebook, markdown_cell


def test_a_cell_runs_on_this_interpreter_and_offline_files_stay_private(tmp_path):
    source = "import sys, os\nprint(sys.executable)\nprint(os.getcwd())\nimport harness"
    notebook = make_notebook([markdown_cell("# x"), code_cell(source)], "x")
    execute(notebook, tmp_path / "x.ipynb")
    written = nbformat.read(tmp_path / "x.ipynb", as_version=4)
    assert written.cells[1].outputs[0].text.split() == [sys.executable, str(tmp_path)]
    assert [file.name for file in tmp_path.iterdir()] == ["x.ipynb"]


@pytest.mark.slow
def test_a_failing_cell_is_told_and_the_notebook_kept_up_to_it(tmp_path):
    notebook = make_notebook([code_cell("1 + 1"), code_cell("raise ValueError('\\x1b[31mno')")], "x")
    with pytest.raises(HarnessError, match=r"ValueError: no$"):
        execute(notebook, tmp_path / "x.ipynb")
    assert nbformat.read(tmp_path / "x.ipynb", as_version=4).cells[0].outputs


def test_equal_cells_give_an_equal_file_that_is_valid():
    one, other = (make_notebook([markdown_cell("# x"), code_cell("1")], "t") for _ in range(2))
    assert nbformat.writes(one) == nbformat.writes(other)
    nbformat.validate(one)
    assert [cell["id"] for cell in one["cells"]] == ["cell-0", "cell-1"]
    assert [cell["cell_type"] for cell in one["cells"]] == ["markdown", "code"]
    assert one["metadata"]["title"] == "t"
    assert make_notebook([], "empty")["cells"] == []


def test_the_notebook_is_written_without_times_even_when_a_cell_fails(tmp_path, monkeypatch):
    def run(notebook, path, private):
        notebook["cells"][0]["metadata"]["execution"] = {"iopub.status.busy": "now"}
        assert private.is_dir()
        raise HarnessError("a cell failed")

    monkeypatch.setattr(notebook_module, "_run", run)
    with pytest.raises(HarnessError, match="a cell failed"):
        execute(make_notebook([code_cell("1")], "x"), tmp_path / "x.ipynb")
    written = json.loads((tmp_path / "x.ipynb").read_text())
    assert written["cells"][0]["metadata"] == {}


def test_what_cells_printed_and_failed_with_has_no_secret_and_pictures_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "s3cr3t-Word")
    picture = {"image/png": "iVBOR/pwd=", "text/plain": "x"}

    def run(notebook, path, private):
        notebook["cells"][0]["outputs"] = [
            nbformat.v4.new_output("stream", text="at s3cr3t-Word"),
            nbformat.v4.new_output("display_data", data=picture),
            nbformat.v4.new_output("error", ename="E", evalue="s3cr3t-Word", traceback=["s3cr3t-Word"]),
        ]

    monkeypatch.setattr(notebook_module, "_run", run)
    execute(make_notebook([code_cell("1")], "x"), tmp_path / "x.ipynb")
    text = (tmp_path / "x.ipynb").read_text()
    assert "s3cr3t" not in text
    said, shown, failed = nbformat.read(tmp_path / "x.ipynb", as_version=4).cells[0].outputs
    assert (said.text, failed.traceback, failed.evalue) == ("at ***", ["***"], "***")
    assert shown.data == picture


def test_the_kernel_sees_this_harness_and_none_of_the_user_s_start_up_files(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"/first{os.pathsep}{os.pathsep}/second")
    monkeypatch.setenv("IPYTHONDIR", "/of/the/user")
    values = notebook_module._environment(tmp_path)
    root = str(Path(harness.__file__).resolve().parents[1])
    assert values["PYTHONPATH"].split(os.pathsep) == [root, "/first", "/second"]
    assert values["IPYTHONDIR"] == str(tmp_path / "ipython")
    assert values["HARNESS_RUNS"] == os.environ["HARNESS_RUNS"]


def test_places_that_are_relative_mean_the_same_in_the_notebook_s_folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", "data")
    monkeypatch.setenv("HARNESS_INCLUDE", os.pathsep.join(("mine", "/theirs")))
    values = notebook_module._environment(tmp_path)
    assert values["HARNESS_DATA"] == str(tmp_path / "data")
    assert values["HARNESS_INCLUDE"] == os.pathsep.join((str(tmp_path / "mine"), "/theirs"))
    monkeypatch.setenv("PYTHONPATH", "code")
    assert str(tmp_path / "code") in notebook_module._environment(tmp_path)["PYTHONPATH"].split(os.pathsep)


def test_the_kernel_is_of_this_interpreter_on_this_machine_with_its_files_in_private(tmp_path):
    manager = notebook_module._manager(tmp_path)()
    spec = manager.kernel_spec_manager.get_kernel_spec("whatever")
    assert spec.argv[0] == sys.executable
    assert (manager.ip, manager.connection_file) == ("127.0.0.1", str(tmp_path / "kernel.json"))


def test_each_figure_has_the_words_before_it_as_alternative_text_on_the_page(tmp_path, monkeypatch):
    def run(notebook, path, private):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = [nbformat.v4.new_output("display_data", {"image/png": "AAAA"})]

    monkeypatch.setattr(notebook_module, "_run", run)
    words = markdown_cell("## Ranks\n\nOne *line* a result.")
    notebook = make_notebook([code_cell("a"), words, code_cell("b"), code_cell("c")], "the title")
    execute(notebook, tmp_path / "x.ipynb")
    write_page(notebook, tmp_path / "x.html")
    found = re.findall(r'<img[^>]*alt="([^"]*)"', (tmp_path / "x.html").read_text())
    said = "Figure. Ranks. One line a result."
    assert found == ["Figure. the title", said, said]
