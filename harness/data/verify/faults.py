"""What can be wrong with image files and captions, each with the fix."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from harness.data.annotations import Location
from harness.data.cut_captions import RAISE, count_cut, cut_faults
from harness.data.pictures_aside import way_to_pictures
from harness.data.verify.captions import EMPTY, check_captions
from harness.data.verify.content_faults import renamed_faults
from harness.data.verify.fault import Fault, Severity, first
from harness.data.verify.image_files import Checked
from harness.datasets import Sample, count, pairs
from harness.errors import many
from harness.images.decoding import Mark

_GROUPS = 12
_AGAIN = "Unpack the archive again, or get it again."
# Of each mark what is said of such files, and the fix.
_ODD = {
    Mark.CUT: ("cut off; the part that exists is used", _AGAIN),
    Mark.SINGLE_COLOUR: ("of one single colour, which show nobody", _AGAIN),
    Mark.TURNED: (
        "turned by their EXIF, which nothing heeds: they are used as they are stored",
        "Turn the pixels and take the entry out: magick mogrify -auto-orient FILE.",
    ),
}


def image_faults(
    location: Location, samples: Sequence[Sample], files: Sequence[str], checked: Checked
) -> Iterator[Fault]:
    """Yield missing files by top folder, with the move that would find them, unreadable and odd ones, and others.

    The others are found, under another extension than the annotation has.
    """
    folder = location.images
    named = {file: sample.image for file, sample in zip(files, samples, strict=True)}
    places = {
        file: f"{sample.where}: " if sample.where else "" for file, sample in zip(files, samples, strict=True)
    }
    if missing := [named[file] for file in checked.missing]:
        way = way_to_pictures(location.folder, folder, missing)
        faults = _missing(
            folder, checked.missing, {file: _top(image) for file, image in named.items()}, places
        )
        yield from (replace(fault, mend=f"{way}.") if way else fault for fault in faults)
    if checked.unreadable:
        n = len(checked.unreadable)
        shown = [
            f"{places[file]}{_short(folder, file)}: {_why(file, why)}"
            for file, why in checked.unreadable.items()
        ]
        fix = f"{_AGAIN} --on-bad-image skip runs without them."
        what = f"{many(n, 'image file')} cannot be decoded{_kinds(checked.unreadable.values())}."
        yield Fault("error", what, fix, n, first(shown))
    for mark, found in checked.marked.items():
        if found:
            state, mend = _ODD[mark]
            shown = [f"{places[file]}{_short(folder, file)}" for file in found]
            yield Fault(
                "warning", f"{many(len(found), 'image file')} {state}.", mend, len(found), first(shown)
            )
    yield from renamed_faults(samples, files)


def caption_faults(samples: Sequence[Sample], text_length: int) -> Iterator[Fault]:
    """Yield odd captions by kind, and those of each split that CLIP's tokeniser cuts at `text_length` tokens."""
    from harness.clip.tokens import CLIP, build_tokenizer

    tokenizer = build_tokenizer(CLIP, text_length)

    def tokenize(captions: Sequence[str], length: int | None = None) -> Tensor:
        tokens: Tensor = tokenizer(captions, context_length=length or text_length)
        return tokens

    cuts = {}
    for split in count(samples):
        captions = pairs(samples, [split]).captions
        cuts[split] = count_cut(captions, tokenize(captions), tokenize)
    for line in cut_faults(cuts):
        n = sum(cut.n for cut in cuts.values())
        yield Fault("warning", f"{line[0].upper()}{line[1:]}.", RAISE, n)
    for odd in check_captions(samples):
        severity: Severity = "warning" if odd.mend == EMPTY else "note"
        what = f"{many(odd.count, 'caption')} {odd.what}."
        yield Fault(severity, what, odd.mend, odd.count, odd.examples)


def _missing(
    folder: Path, missing: Sequence[str], top: Mapping[str, str], places: Mapping[str, str]
) -> Iterator[Fault]:
    if missing and not folder.is_dir():
        what = f"The image folder {folder} does not exist, so all {len(missing):,} image files are missing."
        yield Fault("error", what, "Put the images there, or make a link of that name to them.", len(missing))
        return
    groups: dict[str, list[str]] = defaultdict(list)
    for file in missing:
        groups[top[file]].append(f"{places[file]}{_short(folder, file)}")
    totals = Counter(top.values())
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for name, files in ordered[:_GROUPS]:
        whole = len(files) == totals[name] and name != "."
        what = f"{_place(name)}: {len(files):,} of {many(totals[name], 'image file')} missing."
        fix = f"The whole folder is missing: {_AGAIN[0].lower()}{_AGAIN[1:]}" if whole else _AGAIN
        yield Fault("error", what, fix, len(files), first(files))
    rest = [file for _, files in ordered[_GROUPS:] for file in files]
    if rest:
        what = f"{len(ordered) - _GROUPS:,} more folders: {many(len(rest), 'image file')} missing."
        yield Fault("error", what, _AGAIN, len(rest), first(rest))


def _top(image: str) -> str:
    folder, slash, _ = image.partition("/")
    return folder if slash else "."


def _place(name: str) -> str:
    return "The image folder itself" if name == "." else f"{name}/"


def _short(folder: Path, file: str) -> str:
    return file.removeprefix(f"{folder}/")


def _why(file: str, reason: str) -> str:
    return reason.replace(repr(file), "it").replace(file, "it")


def _kinds(reasons: Iterable[str]) -> str:
    """Return what unreadable files are, counted, where any is something else than a damaged picture."""
    counts = Counter(_kind(why) for why in reasons)
    if set(counts) <= {"damaged"}:
        return ""
    return ": " + "; ".join(
        f"{n:,} {'are' if n > 1 else 'is'} {kind}" for kind, n in counts.most_common(_GROUPS)
    )


def _kind(why: str) -> str:
    return why.removeprefix("it is ").partition(" (")[0] if why.startswith("it is ") else "damaged"
