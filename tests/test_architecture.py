"""The house as drawn in ARCHITECTURE.md: floors, no circles, plug-ins apart, and a light command line."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ("methods", "datasets", "reports")
HEAVY = {
    "torch",
    "torchvision",
    "open_clip",
    "mlflow",
    "optuna",
    "accelerate",
    "sklearn",
    "seaborn",
    "pandas",
    "scipy",
}
ONE_OWNER = {"mlflow": {"experiments"}, "accelerate": {"devices"}, "optuna": {"study", "queue", "storage"}}

# fmt: off
GROUND = [
    "addresses", "config", "contents", "distributed", "errors", "escaping", "files", "listener", "paths", "provenance",
    "record", "registry", "__init__",
]
BLOCKS = [
    "annotation_entries", "annotations", "architecture", "attribute_probe", "augment", "back_translation",
    "caption_augment", "caption_check", "caption_cleaning", "caption_slices", "caption_words", "clip",
    "comparison", "compression_measures", "compression_published", "contrast_views", "counting", "cross_modal",
    "dataset_info", "datasets",
    "embedding_sample", "holdout", "import_keys", "inherited", "image_check", "image_draws", "image_operations",
    "image_policies", "image_pool", "images", "injection", "losses", "losses_auxiliary", "masking", "methods",
    "metrics", "nearest", "pareto", "partial_towers", "persons", "pictures", "positions", "precision", "presets",
    "pretrain", "published", "ranked_drawing", "ranked_gallery", "released", "resolve", "schedule", "shape_drawing",
    "shapes", "statistics", "store", "store_build", "suites", "synonyms", "theme", "tiny", "tokens", "towers",
    "twins", "verify", "verify_faults", "weight_files", "weights",
]
WORK = [
    "accounting", "audit", "batches", "buffers", "checkpoint", "compression_points", "compression_probes",
    "devices", "evaluate", "experiments", "gradient_cache", "material", "tested", "tracking",
    "tracking_notes", "tracking_views", "train", "training_batches",
]
RUN = ["oracle", "run"]
FACES = [
    "api", "compression", "doctor", "expected", "gallery", "group", "importing", "plan", "resume", "trained",
    "transfer", "ui", "ui_server",
]
STUDIES = [
    "combine", "compare", "counterparts", "crew", "dataset_figures", "dataset_profile", "gaps",
    "helper", "notebook", "page", "panel_report", "panels", "presence", "published_gaps", "published_settings",
    "queue", "report", "reports", "result_figures", "result_files", "retention", "rows",
    "search", "search_page", "source", "space", "storage", "studies", "study",
    "study_figures", "study_reading", "study_results", "study_tables", "study_tracking", "suite",
    "suite_cells", "suite_file", "suite_plan", "suite_queue", "suite_rows", "sweep", "sweep_settings",
    "sweep_spec", "tables", "tracked_study", "trial", "trial_job", "worker",
]
# fmt: on
COMMANDS = ["cli", "__main__"]
# Reports named after what they are about, of which the engine speaks for itself.
SUBJECTS = {"compare", "dataset", "few_shot", "run", "sweep"}
FLOORS = [GROUND, BLOCKS, WORK, RUN, FACES, STUDIES, COMMANDS]


def engine():
    return {file: room(file) for file in (ROOT / "harness").rglob("*.py")}


def room(file):
    """The first part of a module's name below `harness`."""
    return file.relative_to(ROOT / "harness").parts[0].removesuffix(".py")


def imports(file, top_only):
    """All modules a file imports; only those of the import time when `top_only`."""
    tree = ast.parse(file.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def rooms_imported(file, top_only=True):
    own = {other.removesuffix(".py") for other in engine().values()}
    names = [name.split(".") for name in imports(file, top_only) if name.startswith("harness.")]
    return {parts[1] for parts in names if len(parts) > 1 and parts[1] in own}


def test_every_room_is_on_one_floor():
    placed = [name for floor in FLOORS for name in floor]
    assert sorted(placed) == sorted(set(placed))
    assert {name.removesuffix(".py") for name in engine().values()} == set(placed)


def test_each_floor_imports_only_from_itself_and_below():
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    wrong = [
        f"{file.name} imports {other}"
        for file, name in engine().items()
        for other in rooms_imported(file)
        if name != "__init__" and floor[other] > floor[name]
    ]
    assert not wrong


def test_there_are_no_import_circles():
    graph: dict[str, set[str]] = {}
    for file, name in engine().items():
        graph.setdefault(name, set()).update(rooms_imported(file) - {name, "__init__"})
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("kind", PLUGINS)
def test_plug_in_folders_have_no_init(kind):
    assert not (ROOT / kind / "__init__.py").exists()


@pytest.mark.parametrize("kind", PLUGINS)
def test_plug_ins_import_neither_one_another_nor_the_upper_floors(kind):
    above = {name for floor in FLOORS[2:] for name in floor}
    if kind == "reports":
        above -= set(STUDIES)
    for file in (ROOT / kind).glob("*.py"):
        names = list(imports(file, top_only=False))
        assert not [
            name
            for name in names
            if name.startswith(tuple(f"harness.{k}." for k in PLUGINS)) and _is_plugin(name)
        ]
        assert not [name for name in names if name.startswith("harness.") and name.split(".")[1] in above], (
            file.name
        )


def _is_plugin(name):
    kind, plugin = name.split(".")[1:3]
    return (ROOT / kind / f"{plugin}.py").is_file()


@pytest.mark.parametrize("kind", PLUGINS)
def test_the_engine_names_no_plug_in(kind):
    names = {file.stem for file in (ROOT / kind).glob("[!_]*.py")} - SUBJECTS
    for file in engine():
        tree = ast.parse(file.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        words = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docstrings}
        assert not names & {word for word in words if isinstance(word, str)}, file


@pytest.mark.parametrize("library", ONE_OWNER)
def test_one_file_owns_a_library(library):
    users = {
        name.removesuffix(".py")
        for file, name in engine().items()
        if any(n.split(".")[0] == library for n in imports(file, False))
    }
    assert users <= ONE_OWNER[library]


@pytest.mark.parametrize("arguments", [["--help"], ["methods", "list"], ["data", "list"], ["run", "--help"]])
def test_help_and_lists_import_no_heavy_package(arguments):
    code = (
        "import sys; from harness.cli.main import cli\n"
        f"cli({arguments!r}, standalone_mode=False)\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("HEAVY []")
