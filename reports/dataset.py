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
from harness.errors import UsageError, many
from harness.files import load_arrays
from harness.pages.escaping import visible
from harness.pages.tables import DASH, count_text
from harness.reporting.verdicts.one_subject import dataset_verdict
from harness.reporting.verdicts.titles import place_name
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
    """Return a line for each split: expected and found counts, and statistics of its captions and identities."""
    from pandas import DataFrame

    lines = []
    for place, split in enumerate(SPLITS):
        if split not in profile.found and split not in profile.expected:
            continue
        published: list[Any] = [0] * 3 if profile.expected else [None] * 3
        found, expected = profile.found.get(split, [0] * 3), profile.expected.get(split, published)
        line: dict[str, Any] = {
            "split": split,
            "as_expected": found == expected if profile.expected else None,
        }
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
    whose = "of this twin as generated" if profile.synthetic else "published"
    counts = (
        f"Counts: found / expected; the expected ones are those {whose}."
        if profile.expected
        else "Counts: found."
    )
    notes = (
        f"{counts} In brackets: minimum to maximum.",
        f"Too long: captions of more than {most_words(profile)} words. A word takes at least one token, so at least "
        f"these captions are truncated at {profile.text_length} tokens.",
    )
    cells = DataFrame([_split_cells(row) for row in rows.to_dict("records")])
    return Table("splits", f"{profile.heading}: splits", rows, cells, notes)


def _split_cells(row: dict[Any, Any]) -> dict[str, str]:
    told = row["as_expected"] is not None
    counts = {
        kind: f"{row[kind]:,} / {row[f'{kind}_expected']:,}" if told else f"{row[kind]:,}" for kind in KINDS
    }
    verdict = "as expected" if row["as_expected"] else "DIFFER"
    return {
        "split": row["split"],
        **counts,
        "counts": verdict if told else "none published",
        "images per identity": _range_text(row, "images_of_person"),
        "captions per image": _range_text(row, "captions_of_image"),
        "words per caption": _range_text(row, "words"),
        "too long": count_text(row["too_long"]),
    }


def _range_text(row: dict[Any, Any], name: str) -> str:
    mean, least, most = (row[name + end] for end in ("", "_least", "_most"))
    return DASH if mean is None or mean != mean else f"{mean:.1f} ({least:.0f} to {most:.0f})"


def facts_table(profile: Profile) -> Table:
    """Tabulate where the dataset comes from and what is on this machine."""
    from pandas import DataFrame

    met = "; ".join(f"{one['trained_on']} ({one['kind']}: {one['what']})" for one in profile.met_in)
    facts = {
        "data": profile.heading.rpartition(" · ")[2],
        "folder": profile.folder,
        "annotation": ", ".join(profile.annotations),
        "fingerprint": profile.fingerprint or "cannot be read",
        "verdict": f"{'usable' if profile.usable else 'NOT USABLE'} (existence of images checked, not decoded)",
        "validation by default": "its own split" if profile.default_val == "own" else profile.default_val,
        "met in training sets": f"{met}: a model of these has seen what is tested" if met else "none known",
        "licence": profile.licence,
        "how to get it": profile.access,
    }
    if profile.synthetic:
        facts |= {"licence": "none needed: rendered people (of the real data: " + profile.licence + ")"}
        facts |= {"how to get it": f"harness data make {profile.name}"}
    lines = DataFrame({"fact": list(facts), "value": list(facts.values())}, dtype=object)
    cells = lines.assign(value=lines["value"].map(visible))
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
    cells = values.assign(n=values["n"].map(count_text))
    for key in ("what", "example", "mend"):
        cells[key] = [visible(text.replace(f"{profile.folder}/", "")) for text in cells[key]]
    command = f"harness data verify {profile.name}{' --synthetic' if profile.synthetic else ''}"
    notes = (
        "An error makes results wrong or not comparable; a note is an oddity that published code ignores.",
        f"Only the existence of images was checked: {command} decodes each.",
    )
    if not lines:
        cells.loc[0] = [DASH, "nothing found", DASH, DASH, DASH]
    cells = cells.rename(columns={"mend": "hint"})
    return Table("faults", f"{profile.heading}: faults and oddities", values, cells, notes, n_left=4)


def known_table(profile: Profile) -> Table:
    """Tabulate the known bad files of this dataset."""
    from pandas import DataFrame

    lines = DataFrame(profile.known_wrong, columns=["what", "mend"], dtype=object)
    cells = lines.map(visible).rename(columns={"mend": "hint"})
    notes = ("A check names them when it finds them.",)
    return Table("known_faults", f"{profile.title}: known bad files", lines, cells, notes, n_left=2)


@register
class Dataset(Report):
    """One dataset, or its synthetic twin, as it is on this machine."""

    title = "Dataset"
    question = "What is in a dataset, and what is wrong with it?"
    takes = ("dataset",)
    how_to_read = (
        "This report reads the dataset on this machine, not MLflow. Results are comparable only between machines whose "
        "annotations have the same fingerprint. Words are matched by spelling: a colour is counted whatever it "
        "describes, and a garment only under its usual names.\n\nThe pictures and captions on this page and in "
        "`data/` belong to the dataset: share this report only as far as its licence allows."
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
        faults = many(wrong, "error or warning", "errors and warnings")
        summary = f"{profile.heading}: {many(n, 'image')}, {verdict}, {faults}"
        found = gaps(profile)
        said: dict[str, Any] = {
            "title": place_name(profile.name, profile.synthetic),
            "verdicts": [dataset_verdict(profile)],
        }
        about = [f"Annotations {profile.fingerprint[:12] or 'unreadable'}, as they are on this machine"]
        answer, rest = opening(profile), steps(profile)
        return Contents(n, summary, rest, tables(profile, data), found, answer=answer, about=about, **said)


def tables(profile: Profile, data: Path) -> list[Table]:
    """Return the tables that the steps show."""
    made = [facts_table(profile), faults_table(profile)]
    if profile.known_wrong:
        made.append(known_table(profile))
    if profile.n_images:
        arrays = load_arrays(data / "captions.npz"), load_arrays(data / "images.npz")
        made.insert(1, splits_table(profile, *arrays))
    return made


def opening(profile: Profile) -> list[Step]:
    """Return the cells that read the dataset and show its counts; without any image, what is wrong."""
    shown = [ARRAYS, 'report.splits_table(profile, captions, images).save("tables")']
    return [Step("", LOAD), *(Step("", code) for code in shown * (profile.n_images > 0))]


def steps(profile: Profile) -> list[Step]:
    """Return the notebook's further cells, without those for which nothing could be read."""
    there = profile.n_images > 0
    shown = [
        (True, Step("## The dataset", 'report.facts_table(profile).save("tables")')),
        (True, Step(f"## Faults\n\n{FAULTS}", 'report.faults_table(profile).save("tables")')),
        (bool(profile.known_wrong), Step("", 'report.known_table(profile).save("tables")')),
        (there, Step(COUNTS, _figure("draw_counts(profile, captions, images)", "counts"))),
        (there, Step(WORDS, _figure("draw_words(profile, captions)", "words"))),
        (profile.n_there > 0, Step(SHAPES, _figure("draw_shapes(profile, images)", "shapes"))),
        (bool(profile.persons), Step(f"## Some identities\n\n{PERSONS}", SHEET)),
    ]
    return [step for wanted, step in shown if wanted]


def gaps(profile: Profile) -> list[Gap]:
    """Name each error, and images that are not here."""
    found = [
        Gap(f"{fault['what']} {fault['mend']}") for fault in profile.faults if fault["severity"] == "error"
    ]
    if profile.n_images and not profile.n_there:
        found.append(Gap("No image could be opened, so shapes and example identities are not shown."))
    return found


def _figure(call: str, name: str) -> str:
    return f'figure = report.{call}\nsave_figure(figure, "figures/{name}");'


LOAD = 'profile = report.load_profile("data/dataset.json")'
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
COUNTS = (
    "## Contents\n\nBeyond the vertical dashed line, even a caption with one token per word is truncated."
)
WORDS = (
    "The share of captions that name a colour or a garment, under any of its usual names; bars: all captions, marks: "
    "each split."
)
SHAPES = "Sizes from the headers of at most 2,000 image files. A run resizes all images to one size."
PERSONS = "A fixed random choice, the same for the same annotations."
