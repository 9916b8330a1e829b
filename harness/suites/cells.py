"""A suite as the runs it consists of, each a whole configuration, checked before the first starts."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.config.sections import RunConfig
from harness.config.values import flatten
from harness.data.protocols.galleries import check_fits, name_of_test, parse_gallery
from harness.data.protocols.joint_names import name_of, parts_of
from harness.datasets import DATASETS, is_test_only
from harness.errors import UsageError
from harness.limits import MOST_CELLS, MOST_ROWS, MOST_SEEDS
from harness.methods import METHODS
from harness.presets.resolve import override, parse_override, resolve
from harness.registry.set_names import SIGN
from harness.run.several_seeds import FRESH_SEED
from harness.suites.schema import GIVEN, OTHERS, Row, Suite, variation_name

StudyPreset = Callable[[Row, str], str]


@dataclass(frozen=True)
class Cell:
    """One run of a suite: a row's configuration on one dataset with one seed.

    Attributes:
        row: name of the row.
        dataset: registry name.
        seed: the run's seed, which `config` has too.
        config: the whole configuration.
        tests: other datasets that the run is tested on afterwards, and its own with reduced galleries.
        study: the study whose best configuration this is, if it is one's.
        source: name of the cell whose trained towers the run starts from, if it does.
    """

    row: str
    dataset: str
    seed: int
    config: RunConfig
    tests: tuple[str, ...] = ()
    study: str | None = None
    source: str | None = None

    @property
    def name(self) -> str:
        """What the cell is called within its suite, such as `cskt/icfg/1`."""
        return _cell_name(self.row, self.dataset, self.seed)

    def started_from(self, run: str) -> "Cell":
        """Return the cell with the run's name that its config starts from."""
        return replace(self, config=started_from(self.config, run))


def _cell_name(row: str, dataset: str, seed: int) -> str:
    """Return what a cell is called within its suite."""
    return f"{row}/{dataset}/{seed}"


def started_from(config: RunConfig, run: str) -> RunConfig:
    """Return a config whose towers start as a finished run trained them."""
    backbone = config.backbone.model_copy(update={"init_from": run})
    return config.model_copy(update={"backbone": backbone})


@dataclass(frozen=True)
class Skipped:
    """A row that is left out for a dataset, and why; `dataset` is the one it would have been run or tested on."""

    row: str
    dataset: str
    reason: str


@dataclass(frozen=True)
class Expansion:
    """All runs of a suite, one dataset after the other, and what is left out; `synthetic`: they are on twins."""

    suite: Suite
    synthetic: bool
    cells: tuple[Cell, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class _Way:
    """What a suite is expanded with."""

    suite: Suite
    synthetic: bool
    overrides: tuple[str, ...]
    n_seeds: int
    data_root: Path | str | None
    study_preset: StudyPreset | None


def expand(
    suite: Suite,
    *,
    synthetic: bool = False,
    overrides: Sequence[str] = (),
    datasets: Sequence[str] = (),
    seeds: int | None = None,
    data_root: Path | str | None = None,
    study_preset: StudyPreset | None = None,
) -> Expansion:
    """Return every run of a suite.

    Args:
        suite: the table.
        synthetic: run on synthetic twins, with their preset.
        overrides: `section.field=value`, on top of what the suite and its rows set.
        datasets: registry names, or several joined by +, in place of the suite's.
        seeds: how many seeds, in place of the suite's number.
        data_root: folder that holds the datasets.
        study_preset: gives, for a row on a study and a dataset, the YAML file of the best configuration.

    Raises `UsageError` that names suite and row for a configuration that cannot be.
    """
    _check_overrides(suite, overrides)
    chosen = tuple(dict.fromkeys(name.replace("-", "_") for name in datasets))
    suite = suite.model_copy(update={"datasets": chosen or suite.datasets_run(synthetic)})
    n_seeds = _n_seeds(suite, synthetic, seeds)
    _check_extent(suite, synthetic, n_seeds)
    way = _Way(suite, synthetic, tuple(overrides), n_seeds, data_root, study_preset)
    found: list[Cell | Skipped] = []
    for dataset in suite.datasets:
        for row in suite.rows:
            try:
                found += _cells(way, row, dataset)
            except UsageError as error:
                raise UsageError(f"Suite {suite.name!r}, row {row.name!r} on {dataset}: {error}") from error
    cells = tuple(each for each in found if isinstance(each, Cell))
    _check_names(suite, cells)
    _check_sources(suite, cells)
    skipped = tuple(each for each in found if isinstance(each, Skipped))
    if not cells:
        reasons = "; ".join(dict.fromkeys(f"{each.row} on {each.dataset}: {each.reason}" for each in skipped))
        raise UsageError(f"Suite {suite.name!r} has nothing to run: {reasons}.")
    return Expansion(suite, synthetic, cells, skipped)


def _check_overrides(suite: Suite, overrides: Sequence[str]) -> None:
    """Raise `UsageError` for an override that would make rows or cells other than their names say."""
    varied = {key: row.name for row in suite.rows for key in row.vary}
    for key in (key for text in overrides for key in flatten(parse_override(text))):
        if key in GIVEN:
            raise UsageError(f"--set {key}: suite {suite.name!r} gives this itself, by `{GIVEN[key]}`.")
        if key in varied:
            raise UsageError(
                f"--set {key}: row {varied[key]!r} of suite {suite.name!r} varies this key. "
                "Leave it out, or run a copy of the suite without that variation."
            )


def _check_extent(suite: Suite, synthetic: bool, n_seeds: int) -> None:
    """Raise `UsageError` before a table is made that nobody could run."""
    n_rows = sum(1 + len(row.variations(synthetic)) for row in suite.rows)
    n_cells = n_rows * len(suite.datasets) * n_seeds
    if n_rows > MOST_ROWS or n_cells > MOST_CELLS:
        raise UsageError(
            f"Suite {suite.name!r} has {n_rows:,} rows and {n_cells:,} runs, of which there may be {MOST_ROWS:,} and "
            f"{MOST_CELLS:,}: leave out rows, varied values or seeds."
        )


def _n_seeds(suite: Suite, synthetic: bool, seeds: int | None) -> int:
    if seeds is None:
        return suite.seeds_run(synthetic)
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"A suite runs with 1 to {MOST_SEEDS} seeds, but got {seeds}.")
    return seeds


def _cells(way: _Way, row: Row, dataset: str) -> Iterator[Cell | Skipped]:
    """Yield a row's runs on one dataset, those of its variations included, or why there are none."""
    reason = _reason(way, row, dataset)
    if reason:
        yield Skipped(row.name, dataset, reason)
        return
    base = _config(way, row, dataset)
    yield from _seeds(way, row, row.name, base)
    for key, value in row.variations(way.synthetic):
        config = _config(way, row, dataset, override(key, value))
        if config != base:
            yield from _seeds(way, row, _varied_name(way.suite, row, key, value), config)


def _reason(way: _Way, row: Row, dataset: str) -> str | None:
    """Return why a row cannot run on a dataset, or None."""
    if way.synthetic and not row.synthetic:
        return "it says nothing on synthetic twins"
    if SIGN not in dataset and is_test_only(DATASETS.get(dataset)):
        return f"{dataset} has no training split"
    skipped = (METHODS.get(row.method).skip(part) for part in parts_of(dataset))
    return next(filter(None, skipped), None) or _no_twin(way, dataset)


def _no_twin(way: _Way, dataset: str) -> str | None:
    missing = [part for part in parts_of(dataset) if way.synthetic and DATASETS.get(part).twin is None]
    return f"{missing[0]} has no synthetic twin" if missing else None


def _config(way: _Way, row: Row, dataset: str, *variation: str) -> RunConfig:
    presets = [*way.suite.presets, *row.presets, *_best(way, row, dataset)]
    settings = way.suite.settings(way.synthetic) | row.settings(way.synthetic)
    config = resolve(
        row.method,
        dataset,
        synthetic=way.synthetic,
        presets=presets,
        overrides=[*(override(key, value) for key, value in settings.items()), *way.overrides, *variation],
    )
    return config if way.data_root is None else config.on_data(str(way.data_root))


def _best(way: _Way, row: Row, dataset: str) -> list[str]:
    """Return the preset of the study that a row builds on, if it does."""
    if row.from_study is None:
        return []
    if way.study_preset is None:
        raise UsageError(f"It takes the best of study {row.from_study!r}, and no studies are available.")
    return [way.study_preset(row, dataset)]


def _seeds(way: _Way, row: Row, name: str, config: RunConfig) -> Iterator[Cell | Skipped]:
    """Yield one cell a seed: a method that trains nothing needs one, the best of a study fresh ones."""
    trained = METHODS.get(row.method).trained
    dataset = name_of(config.dataset)
    tests, left_out = _tests(way, name, dataset, trained)
    for text in way.suite.gallery:
        check_fits(parse_gallery(text), config.backbone.image_size)
    first = 1 + (FRESH_SEED if row.from_study else 0)
    for seed in range(first, first + (way.n_seeds if trained else 1)):
        source = None if row.init_from is None else _cell_name(row.init_from, dataset, seed)
        own = config.model_copy(update={"seed": seed})
        yield Cell(name, dataset, seed, own, tests, row.from_study, source)
    yield from left_out


def _tests(way: _Way, row: str, dataset: str, trained: bool) -> tuple[tuple[str, ...], list[Skipped]]:
    """Return the other datasets and the reduced galleries that a run is tested on, and what cannot be.

    What trains nothing is the same on every dataset, so its own runs are its tests on the suite's others, but for those
    that have no runs of their own.
    """
    wanted = [way.suite.datasets if name == OTHERS else (name,) for name in way.suite.evaluate]
    learned = parts_of(dataset)
    names = dict.fromkeys(
        name for part in wanted for name in part if SIGN not in name and name not in learned
    )
    own = [name for name in way.suite.datasets if SIGN not in name and not is_test_only(DATASETS.get(name))]
    needed = [name for name in names if trained or name not in own]
    missing = {name: _no_twin(way, name) for name in needed}
    left_out = [Skipped(row, name, reason) for name, reason in missing.items() if reason]
    galleries = [name_of_test(part, parse_gallery(text)) for part in learned for text in way.suite.gallery]
    return (*(name for name in needed if not missing[name]), *galleries), left_out


def row_names(suite: Suite, synthetic: bool) -> list[str]:
    """Return what a suite's rows are called in its order, each row's variations after it."""
    return [
        name
        for row in suite.rows
        for name in (row.name, *(_varied_name(suite, row, *one) for one in row.variations(synthetic)))
    ]


def _varied_name(suite: Suite, row: Row, key: str, value: object) -> str:
    """Return the name of a variation; where several rows vary, it says whose it is."""
    several = sum(bool(each.vary) for each in suite.rows) > 1
    return f"{row.name}: {variation_name(key, value)}" if several else variation_name(key, value)


def _check_names(suite: Suite, cells: Sequence[Cell]) -> None:
    """Raise `UsageError` when two runs have the same name."""
    double = next((name for name, n in Counter(cell.name for cell in cells).items() if n > 1), None)
    if double:
        raise UsageError(
            f"Suite {suite.name!r} has two runs called {double!r}: "
            "give the rows other names, and each varied value once."
        )


def _check_sources(suite: Suite, cells: Sequence[Cell]) -> None:
    """Raise `UsageError` when the run that another starts from is not in the suite."""
    names = {cell.name for cell in cells}
    lost = next((cell for cell in cells if cell.source is not None and cell.source not in names), None)
    if lost:
        raise UsageError(
            f"Suite {suite.name!r}: {lost.name} starts from {lost.source}, which is not a run of the suite: both rows "
            "need the same datasets and seeds, and only one of them builds on a study."
        )
