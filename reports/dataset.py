"""What is in a dataset, and what is wrong with it?

The exception among the reports: it reads the dataset on this machine, not MLflow. `harness report dataset icfg` is
about the real data, `harness report dataset icfg-twin` about the synthetic twin.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.dataset_figures import (
    draw_counts,
    draw_shapes,
    draw_sheet,
    draw_words,
    most_words,
    words_frame,
)
from harness.analysis.dataset_profile import Arrays, Profile, load_profile, measure
from harness.datasets import SPLITS
from harness.errors import UsageError
from harness.files import load_arrays
from harness.pages.tables import DASH, count_text
from harness.pages.theme import drawn
from harness.reports import Contents, Gap, Report, Source, Step, Table, register

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "draw_counts",
    "draw_shapes",
    "draw_sheet",
    "draw_words",
    "load_arrays",
    "load_profile",
    "words_frame",
]
KINDS = ("identities", "images", "captions")


def splits_frame(profile: Profile, captions: Arrays, images: Arrays) -> "DataFrame":
    """Return a line for each split: what it should have, what it has, and how its captions and persons are made."""
    from pandas import DataFrame

    lines = []
    for place, split in enumerate(SPLITS):
        if split not in profile.found and split not in profile.expected:
            continue
        found, expected = profile.found.get(split, [0] * 3), profile.expected.get(split, [0] * 3)
        line: dict[str, Any] = {"split": split, "as_expected": found == expected}
        for kind, got, want in zip(KINDS, found, expected, strict=True):
            line |= {kind: got, f"{kind}_expected": want}
        words = captions["n_words"][captions["split"] == place]
        line |= _middle("words", words) | {"too_long": int((words > most_words(profile)).sum())}
        line |= _middle("images_of_person", images["person_images"][images["person_split"] == place])
        line |= _middle("captions_of_image", images["n_captions"][images["split"] == place])
        lines.append(line)
    return DataFrame(lines)


def _middle(name: str, values: Any) -> dict[str, float | None]:
    """Return mean, least and most of values; nothing of none."""
    if not len(values):
        return dict.fromkeys((name, f"{name}_least", f"{name}_most"))
    return {name: float(values.mean()), f"{name}_least": int(values.min()), f"{name}_most": int(values.max())}


def splits_table(profile: Profile, captions: Arrays, images: Arrays) -> Table:
    """Tabulate the splits, what was found against what is expected."""
    from pandas import DataFrame

    rows = splits_frame(profile, captions, images)
    whose = "of this twin, as it was made" if profile.synthetic else "published"
    notes = (
        f"Counts: found / expected; the expected ones are those {whose}. In brackets: least to most.",
        f"Too long: captions of more than {most_words(profile)} words. A word takes at least one token, so more "
        f"captions than these lose their end at {profile.text_length} tokens.",
    )
    cells = DataFrame([_split_cells(row) for row in rows.to_dict("records")])
    return Table("splits", f"{profile.heading}: splits", rows, cells, notes)


def _split_cells(row: dict[Any, Any]) -> dict[str, str]:
    counts = {kind: f"{row[kind]:,} / {row[f'{kind}_expected']:,}" for kind in KINDS}
    return {
        "split": row["split"],
        **counts,
        "counts": "as expected" if row["as_expected"] else "DIFFER",
        "images of a person": _range_text(row, "images_of_person"),
        "captions of an image": _range_text(row, "captions_of_image"),
        "words of a caption": _range_text(row, "words"),
        "too long": count_text(row["too_long"]),
    }


def _range_text(row: dict[Any, Any], name: str) -> str:
    mean, least, most = (row[name + end] for end in ("", "_least", "_most"))
    return DASH if mean is None or mean != mean else f"{mean:.1f} ({least:.0f} to {most:.0f})"


def facts_table(profile: Profile) -> Table:
    """Tabulate where the dataset comes from and what lies here."""
    from pandas import DataFrame

    shared = ", ".join(profile.shares_persons_with)
    facts = {
        "data": profile.heading.rpartition(" · ")[2],
        "folder": profile.folder,
        "annotation": ", ".join(profile.annotations),
        "fingerprint": profile.fingerprint or "cannot be read",
        "verdict": f"{'usable' if profile.usable else 'NOT USABLE'} (images looked for, not decoded)",
        "validation by default": "its own split" if profile.default_val == "own" else profile.default_val,
        "shares persons with": f"{shared}: a transfer between them is no test on new persons"
        if shared
        else "none known",
        "licence": profile.licence,
        "how to get it": profile.access,
    }
    if profile.synthetic:
        facts |= {"licence": "none needed: rendered persons (of the real data: " + profile.licence + ")"}
        facts |= {"how to get it": f"harness data make {profile.name}"}
    lines = DataFrame({"fact": list(facts), "value": list(facts.values())}, dtype=object)
    cells = lines.assign(value=lines["value"].map(lambda text: drawn(text, 140)))
    return Table("dataset", f"{profile.heading}: the dataset", lines, cells, n_left=2)


def faults_table(profile: Profile) -> Table:
    """Tabulate what the check found, the worst first."""
    from pandas import DataFrame

    lines = [
        {
            "kind": fault["severity"],
            "what": fault["what"],
            "example": next(iter(fault["examples"]), ""),
            "mend": fault["mend"],
            "n": fault["count"],
        }
        for fault in profile.faults
    ]
    values = DataFrame(lines, columns=["kind", "what", "example", "mend", "n"], dtype=object)
    lengths = {"what": 100, "example": 70, "mend": 60}
    cells = values.assign(n=values["n"].map(count_text))
    for key, most in lengths.items():
        cells[key] = [drawn(text.replace(f"{profile.folder}/", ""), most) for text in cells[key]]
    command = f"harness data verify {profile.name}{' --synthetic' if profile.synthetic else ''}"
    notes = (
        "An error makes results wrong or not comparable; a note is an oddity that the published codes live with.",
        f"Images were looked for and not decoded: {command} decodes each.",
    )
    if not lines:
        cells.loc[0] = [DASH, "nothing was found", DASH, DASH, DASH]
    return Table("faults", f"{profile.heading}: what is wrong or odd", values, cells, notes, n_left=4)


def known_table(profile: Profile) -> Table:
    """Tabulate the wrong files of this dataset that are about."""
    from pandas import DataFrame

    lines = DataFrame(profile.known_wrong, columns=["what", "mend"], dtype=object)
    cells = lines.map(lambda text: drawn(text, 130))
    title = f"{profile.title}: wrong files that are about"
    return Table("known_faults", title, lines, cells, ("A check names them when it finds them.",), n_left=2)


@register
class Dataset(Report):
    """One dataset, or its synthetic twin, as it lies on this machine."""

    title = "A dataset"
    question = "What is in a dataset, and what is wrong with it?"
    takes = ("dataset",)
    how_to_read = (
        "This report reads the dataset on this machine, not MLflow. Results compare only between machines whose "
        "annotations have one fingerprint. Words are counted by spelling: what a colour is the colour of is not asked, "
        "and a garment is known under its usual names alone.\n\nThe pictures and captions on this page and below "
        "`data/` are the dataset's own: pass this report on only as far as its licence allows."
    )
    standards = ""

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Read and check the dataset."""
        if source.datasets or source.suite:
            raise UsageError("The report dataset is about one dataset: leave out --dataset and --suite.")
        profile = measure(source.subjects[0], data)
        n, wrong = profile.n_images, sum(fault["severity"] != "note" for fault in profile.faults)
        verdict = "usable" if profile.usable else "not usable"
        summary = f"{profile.heading}: {n:,} images, {verdict}, {wrong} errors and warnings"
        return Contents(n, summary, steps(profile), tables(profile, data), gaps(profile))


def tables(profile: Profile, data: Path) -> list[Table]:
    """Return the tables that the steps show."""
    made = [facts_table(profile), faults_table(profile)]
    if profile.known_wrong:
        made.append(known_table(profile))
    if profile.n_images:
        arrays = load_arrays(data / "captions.npz"), load_arrays(data / "images.npz")
        made.insert(1, splits_table(profile, *arrays))
    return made


def steps(profile: Profile) -> list[Step]:
    """Return the notebook's cells, without those for which nothing could be read."""
    there = profile.n_images > 0
    shown = [
        (True, Step("## The dataset", LOAD)),
        (there, Step("", ARRAYS)),
        (there, Step("", 'report.splits_table(profile, captions, images).save("tables")')),
        (True, Step(f"## What is wrong with it\n\n{FAULTS}", 'report.faults_table(profile).save("tables")')),
        (bool(profile.known_wrong), Step("", 'report.known_table(profile).save("tables")')),
        (there, Step(COUNTS, _figure("draw_counts(profile, captions, images)", "counts"))),
        (there, Step(WORDS, _figure("draw_words(profile, captions)", "words"))),
        (profile.n_there > 0, Step(SHAPES, _figure("draw_shapes(profile, images)", "shapes"))),
        (bool(profile.persons), Step(f"## Some persons\n\n{PERSONS}", SHEET)),
    ]
    return [step for wanted, step in shown if wanted]


def gaps(profile: Profile) -> list[Gap]:
    """Name each error, and images that are not here."""
    found = [
        Gap(f"{fault['what']} {fault['mend']}") for fault in profile.faults if fault["severity"] == "error"
    ]
    if profile.n_images and not profile.n_there:
        found.append(Gap("No image could be opened, so shapes and persons are not shown."))
    return found


def _figure(call: str, name: str) -> str:
    return f'figure = report.{call}\nsave_figure(figure, "figures/{name}");'


LOAD = 'profile = report.load_profile("data/dataset.json")\nreport.facts_table(profile).save("tables")'
ARRAYS = (
    'captions = report.load_arrays("data/captions.npz")\nimages = report.load_arrays("data/images.npz")\n'
    '{"captions": list(captions), "images": list(images)}'
)
SHEET = (
    'pictures = report.load_arrays("data/pictures.npz")\nfigure = report.draw_sheet(profile, pictures)\n'
    'save_figure(figure, "figures/persons");'
)
FAULTS = (
    "What `harness data verify` finds without decoding images: counts, splits, missing files, odd captions."
)
COUNTS = "## What is in it\n\nWhere there is an upright dashed line, a caption of one token a word is cut."
WORDS = (
    "The share of captions that name a colour or a garment, under any of its usual names; bars are of all captions, "
    "marks of each split."
)
SHAPES = (
    "Sizes as the heads of the image files tell them, of at most 2,000 images. A run resizes all to one size."
)
PERSONS = "Always the same ones for the same annotations, whatever they look like."
