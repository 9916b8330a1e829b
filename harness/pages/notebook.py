"""Write a notebook and run it in a fresh kernel of this very interpreter, on this machine alone."""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.files import write_text
from harness.pages.escaping import visible
from harness.secrets import cleared

_SECONDS_PER_CELL = 600
_SECONDS_TO_START = 300
_PLACES = ("HARNESS_DATA", "HARNESS_CACHE", "HARNESS_RUNS", "HARNESS_INCLUDE")


def markdown_cell(text: str, tag: str = "") -> Any:
    """Return a cell of words, with a tag by which a page knows it."""
    import nbformat

    return nbformat.v4.new_markdown_cell(text, metadata={"tags": [tag]} if tag else {})


def code_cell(text: str) -> Any:
    """Return a cell of code."""
    import nbformat

    return nbformat.v4.new_code_cell(text)


def make_notebook(cells: list[Any], title: str) -> Any:
    """Return a notebook of the cells; equal cells give an equal file."""
    import nbformat

    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"title": title, "kernelspec": kernel})


def execute(notebook: Any, path: Path) -> None:
    """Run all cells in the notebook's folder and write it to `path`, up to the fault when a cell fails.

    Raises `HarnessError` with the cell's own message.
    """
    import nbformat

    try:
        with tempfile.TemporaryDirectory(prefix="harness-kernel-") as private:
            _run(notebook, path, Path(private))
    finally:
        _forget_times(notebook)
        _describe_figures(notebook)
        _clear_words(notebook)
        write_text(path, nbformat.writes(notebook) + "\n")


def _run(notebook: Any, path: Path, private: Path) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    where = {"metadata": {"path": str(path.parent)}}
    limits: dict[str, Any] = {"timeout": _SECONDS_PER_CELL, "startup_timeout": _SECONDS_TO_START}
    client = NotebookClient(notebook, kernel_manager_class=_manager(private), resources=where, **limits)
    try:
        with (private / "kernel.log").open("wb") as said:
            client.execute(env=_environment(private), stdout=said, stderr=said)
    except CellExecutionError as error:
        raise HarnessError(f"A cell of {path} failed: {error.ename}: {visible(error.evalue)}") from error
    except (CellTimeoutError, DeadKernelError, RuntimeError) as error:
        tail = visible((private / "kernel.log").read_text(errors="replace")[-500:])
        raise HarnessError(f"The kernel for {path} did not come to an end: {error} {tail}") from error


def _manager(private: Path) -> type[Any]:
    """Return a manager of kernels on this interpreter, whatever kernels are installed, with its files in `private`."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = KernelSpec(argv=argv, display_name="Python 3", language="python")

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return spec

    class Manager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(kernel_spec_manager=ThisInterpreter(), **options)
            self.connection_file, self.ip = str(private / "kernel.json"), "127.0.0.1"

    return Manager


def _environment(private: Path) -> dict[str, str]:
    """Return the kernel's environment: the same packages and places, no start-up files of the user's own IPython.

    The kernel runs in the notebook's folder, where a path that is relative to this one would mean another place.
    """
    here = str(Path(__file__).resolve().parents[2])
    places = {name: _from_here(os.environ[name]) for name in _PLACES if os.environ.get(name)}
    own = places | {
        "PYTHONPATH": os.pathsep.join(filter(None, (here, _from_here(os.environ.get("PYTHONPATH", ""))))),
        "IPYTHONDIR": str(private / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    return dict(os.environ) | own


def _from_here(paths: str) -> str:
    """Return a path, or a list of paths, from the root."""
    return os.pathsep.join(
        os.path.abspath(Path(path).expanduser()) for path in paths.split(os.pathsep) if path
    )


def _forget_times(notebook: Any) -> None:
    """Drop when each cell ran, so that the same rows give the same notebook."""
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)


def _clear_words(notebook: Any) -> None:
    """Keep secrets out of what cells printed, and of the traceback of one that failed."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if output["output_type"] in ("stream", "error"):
                output.update(cleared(output))


def _describe_figures(notebook: Any) -> None:
    """Give each figure the words before it as alternative text: for whoever hears the page instead of seeing it."""
    words = notebook["metadata"].get("title", "")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            words = _plain(cell["source"]) or words
            continue
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                output["metadata"].setdefault("image/png", {})["alt"] = f"Figure. {words}"


def _plain(markdown: str) -> str:
    """Return the words of Markdown on one line, without its marks.

    >>> _plain("## Ranks\\n\\nThe `first` *two*.")
    'Ranks. The first two.'
    """
    parts = [re.sub(r"^#+ +|(?<!\\)[*`$]", "", part.strip()) for part in markdown.split("\n\n")]
    text = ". ".join(part.rstrip(".") for part in (" ".join(part.split()) for part in parts) if part)
    return f"{text}." if text else ""
