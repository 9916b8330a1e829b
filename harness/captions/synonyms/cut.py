"""Cut the shipped table of synonyms: `python -m harness.captions.synonyms.cut FOLDER`.

FOLDER holds WordNet 3.0's database files (`data.noun`, `noun.exc`, `cntlist.rev` ...); on Debian the package
`wordnet-base` puts them into /usr/share/wordnet.

In the table are single words that WordNet counted at least `_LEAST` times in tagged English text, and what
persons wear and carry (`_ROOTS`), however rare; each with its inflected forms, as WordNet's own rules lead
from a form to a word. Synonyms are those of all senses, as EDA takes them, but not those of proper names, nor
of senses that WordNet marks or explains as a slur or an obscenity, nor those with a word that has such a
sense. What a synonym is called is kept as WordNet writes it, in lower case and with spaces.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from harness.captions.synonyms import STOP_WORDS, TABLE
from harness.errors import UsageError
from harness.files import write_text

_LEAST = 3
_ROOTS = (
    *("clothing", "footwear", "headdress", "bag", "baggage", "jewelry", "spectacles", "umbrella", "hairdo"),
    *("color", "cloth", "fabric", "belt", "telephone", "wheeled_vehicle"),
)
LICENCE = TABLE.with_name("WORDNET-LICENSE.txt")
_FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
# (ending, what replaces it) by part of speech, WordNet's own rules of detachment.
_ENDINGS = {
    "n": "s: ses:s xes:x zes:z ches:ch shes:sh men:man ies:y ves:f",
    "v": "s: ies:y es:e es: ed:e ed: ing:e ing:",
    "a": "er: est: er:e est:e",
    "r": "",
}
_UNFIT_USAGES = {"ethnic_slur", "disparagement", "obscenity", "vulgarism"}
_UNFIT = re.compile(
    r"ethnic slur|(offensive|obscene|vulgar|disparaging|derogatory|pejorative|insulting)\W+(\w+\W+){0,3}"
    r"(terms?|names?|words?|slang|reference|expression)\b"
)
_WORD = re.compile(r"[a-z][a-z'-]+")
_NAME = re.compile(r"(?![A-Z]-)\S*[A-Z]")

_Key = tuple[str, str]


class Synset(NamedTuple):
    """A meaning: the lemmas that have it, the pointers (symbol, key) that lead from it, what it is."""

    lemmas: tuple[str, ...]
    pointers: tuple[tuple[str, _Key], ...]
    gloss: str


class WordNet:
    """WordNet's database files, as far as the table needs them."""

    def __init__(self, folder: Path) -> None:
        missing = [name for name in ("data.noun", "noun.exc", "cntlist.rev") if not (folder / name).is_file()]
        if missing:
            hint = "Debian's package wordnet-base puts them into /usr/share/wordnet."
            raise UsageError(f"{folder} lacks {', '.join(missing)} of WordNet's database files. {hint}")
        self.folder = folder
        self.synsets = dict(entry for pos in _FILES for entry in self._synsets(pos))
        self.senses: dict[_Key, list[_Key]] = defaultdict(list)
        for key, synset in self.synsets.items():
            for lemma in synset.lemmas:
                if not _NAME.match(lemma):
                    self.senses[key[0], lemma.lower()].append(key)
        self.exceptions = {pos: self._exceptions(pos) for pos in _FILES}
        unfit = (lemma for key in self.synsets if not self.fit(key) for lemma in self.synsets[key].lemmas)
        self._unfit = {lemma.lower() for lemma in unfit if not _NAME.match(lemma)} - self.below(_ROOTS)

    def licence(self) -> list[str]:
        """Return the lines of the licence, which every database file begins with."""
        lines = (self.folder / "data.noun").read_text(encoding="utf-8").splitlines()
        return [re.sub(r"^ +\d+ ?", "", line).rstrip() for line in lines if line.startswith("  ")]

    def counts(self) -> Counter[str]:
        """Return how often each lemma was met in tagged text, all its senses together."""
        counts: Counter[str] = Counter()
        for line in (self.folder / "cntlist.rev").read_text(encoding="utf-8").splitlines():
            sense, _, number = line.split()
            counts[sense.partition("%")[0]] += int(number)
        return counts

    def below(self, roots: Sequence[str]) -> set[str]:
        """Return the lemmas of nouns in all their senses, and of all that is a kind of them."""
        found: set[_Key] = set()
        waiting = [key for root in roots for key in self.senses.get(("n", root), ())]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                waiting += [other for symbol, other in self.synsets[key].pointers if symbol == "~"]
        return {lemma.lower() for key in found for lemma in self.synsets[key].lemmas}

    def fit(self, key: _Key) -> bool:
        """Whether a meaning is no slur and no obscenity, by its usage and by its explanation without examples."""
        synset = self.synsets[key]
        usages = {self.synsets[other].lemmas[0] for symbol, other in synset.pointers if symbol == ";u"}
        return not usages & _UNFIT_USAGES and not _UNFIT.search(synset.gloss.partition('"')[0])

    def bases(self, form: str, pos: str) -> set[str]:
        """Return the words that a form may belong to."""
        if form in self.exceptions[pos]:
            found = {form, *self.exceptions[pos][form]}
        else:
            rules = [rule.split(":") for rule in _ENDINGS[pos].split()]
            found = {form} | {form.removesuffix(end) + new for end, new in rules if form.endswith(end)}
        return {base for base in found if (pos, base) in self.senses}

    def synonyms(self, pos: str, word: str) -> list[str]:
        """Return what else is called so, sorted."""
        lemmas = {
            lemma.replace("_", " ").lower()
            for key in self.senses[pos, word]
            if self.fit(key)
            for lemma in self.synsets[key].lemmas
            if not _NAME.match(lemma) and not self._unfit & {lemma.lower(), *re.split("[_-]", lemma.lower())}
        }
        return sorted(lemmas - {word} - STOP_WORDS)

    def _synsets(self, pos: str) -> Iterator[tuple[_Key, Synset]]:
        for line in (self.folder / f"data.{_FILES[pos]}").read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):
                fields, _, gloss = line.partition(" | ")
                offset, _, _, n_lemmas, *rest = fields.split()
                end = 2 * int(n_lemmas, 16)
                lemmas = tuple(re.sub(r"\(\w+\)$", "", lemma) for lemma in rest[:end:2])
                links = rest[end + 1 : end + 1 + 4 * int(rest[end])]
                pointers = tuple(
                    (symbol, (kind.replace("s", "a"), to))
                    for symbol, to, kind in zip(links[::4], links[1::4], links[2::4], strict=True)
                )
                yield (pos, offset), Synset(lemmas, pointers, gloss)

    def _exceptions(self, pos: str) -> dict[str, list[str]]:
        lines = (self.folder / f"{_FILES[pos]}.exc").read_text(encoding="utf-8").splitlines()
        return {form: bases for form, *bases in (line.split() for line in lines)}


def _forms(wordnet: WordNet, pos: str, word: str) -> list[str]:
    """Return a word and its inflected forms: the irregular ones of WordNet's lists, else the regular ones."""
    irregular = [form for form, bases in wordnet.exceptions[pos].items() if word in bases and "_" not in form]
    regular = [form for form in _regular(pos, word) if not _replaced(pos, form, irregular)]
    found = [form for form in (*irregular, *regular) if word in wordnet.bases(form, pos)]
    return list(dict.fromkeys([word, *(form for form in found if _WORD.fullmatch(form))]))


def _regular(pos: str, word: str) -> list[str]:
    hissing = word.endswith(("s", "x", "z", "ch", "sh"))
    changed = re.fullmatch(r".*[^aeiou]y", word) is not None
    stem = word[:-1] + "i" if changed else word
    mute = word.endswith("e")
    if pos == "n" and word.endswith("man"):
        return [word[:-3] + "men"]
    plural = f"{stem}es" if changed or hissing else f"{word}s"
    if pos == "n":
        return [plural]
    if pos == "v":
        going = word[:-1] if mute and not word.endswith(("ee", "oe", "ye")) else word
        return [plural, f"{stem}d" if mute else f"{stem}ed", f"{going}ing"]
    short = len(re.findall("[aeiouy]+", word.removesuffix("e"))) == 1
    if pos == "a" and short:
        return [f"{word}r", f"{word}st"] if mute else [f"{stem}er", f"{stem}est"]
    return []


def _replaced(pos: str, form: str, irregular: Sequence[str]) -> bool:
    """Whether an irregular form replaces a regular one: a plural, a past, a participle."""
    if pos == "v" and form.endswith("s"):
        return False
    return any(pos != "v" or other.endswith("ing") == form.endswith("ing") for other in irregular)


def _lines(wordnet: WordNet, least: int = _LEAST, roots: Sequence[str] = _ROOTS) -> list[str]:
    """Return the lines of the table: the forms of a word, and its synonyms, one part of speech at a time."""
    counts = wordnet.counts()
    wanted = {word for word, number in counts.items() if number >= least} | wordnet.below(roots)
    rows: dict[str, None] = {}
    for word in sorted(word for word in wanted - STOP_WORDS if _WORD.fullmatch(word)):
        for pos in _FILES:
            synonyms = wordnet.synonyms(pos, word) if (pos, word) in wordnet.senses else []
            if synonyms:
                known = [form for form in _forms(wordnet, pos, word) if form not in STOP_WORDS]
                rows[f"{' '.join(known)}: {', '.join(synonyms)}"] = None
    return list(rows)


def _commented(text: Sequence[str]) -> list[str]:
    return [f"# {line}".rstrip() for line in text]


def write(folder: Path, table: Path = TABLE, licence: Path = LICENCE) -> Mapping[str, int]:
    """Cut the table from the database files in `folder`; return how many lines and bytes it has."""
    wordnet = WordNet(folder)
    terms = wordnet.licence()
    rows = _lines(wordnet)
    head = [
        "Synonyms, cut from WordNet 3.0 by harness/captions/synonyms/cut.py. WordNet's licence:",
        "",
        *terms,
    ]
    write_text(table, "\n".join([*_commented(head), *rows]) + "\n")
    write_text(licence, "\n".join(terms) + "\n")
    return {"lines": len(rows), "bytes": table.stat().st_size}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Cut the shipped table of synonyms from WordNet's database files in FOLDER."""
    made = write(folder)
    click.echo(f"{TABLE}: {made['lines']:,} lines, {made['bytes']:,} bytes")


if __name__ == "__main__":
    main()
