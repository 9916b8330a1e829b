"""Synonyms for captions: the shipped table, cut from WordNet 3.0, or a file of the user's own.

A file is plain UTF-8 text. A line has words before its colon, and after it, separated by
commas, what may replace them; a synonym may have several words. Lines that begin with # and empty lines
are skipped, and a word on several lines has the synonyms of all of them:

    trousers pants: slacks, long trousers

`python -m harness.captions.synonyms.cut` made the shipped table; its licence is beside it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.config.augment import TextAugmentConfig
from harness.config.values import content_hash
from harness.errors import UsageError
from harness.file_kinds import read_text

TABLE = Path(__file__).with_name("wordnet.txt")
_FORM = "A line should read `word otherword: synonym, other synonym`."
_STOP_WORDS = """
a an the this that these those each every either neither some any no none all both such
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers
herself it its itself they them their theirs themselves one's who whom whose which what whoever whatever
be am is are was were been being have has had having do does did doing done can could may might must shall should
will would ought need dare get gets got gotten getting let lets
isn't aren't wasn't weren't haven't hasn't hadn't don't doesn't didn't can't couldn't mustn't shouldn't won't
wouldn't i'm you're we're they're i've you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll
she'll it'll we'll they'll he's she's it's that's there's who's what's let's
and or but nor so yet if because as until while whereas although though unless since than whether
of at by for with without about against between among into onto through throughout during before after above
below beneath under underneath over across along around behind beside besides beyond near toward towards upon
within to from up down in out on off per via
not only very too also just then there here now once again further more most less least few other another own
same when where why how ever never s t d m o re ve ll y
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


class Synonyms:
    """What may replace a word; words are looked up in lower case and without punctuation."""

    def __init__(self, table: Mapping[str, Iterable[str]]) -> None:
        self._table = {word: tuple(synonyms) for word, synonyms in table.items() if word not in STOP_WORDS}

    def __len__(self) -> int:
        return len(self._table)

    @property
    def digest(self) -> str:
        """The SHA-256 of the table, whatever the order of its lines."""
        return content_hash(self._table)

    def of(self, word: str) -> tuple[str, ...]:
        """Return the synonyms of a word; none of a stop word, nor of one that the table does not know.

        >>> Synonyms({"jumper": ["pullover"], "the": ["thy"]}).of("Jumper,"), shipped().of("the")
        (('pullover',), ())
        """
        return self._table.get(bare(word).lower(), ())


def bare(word: str) -> str:
    """Return a word without the punctuation around it.

    >>> bare("(t-shirt),"), bare("?!")
    ('t-shirt', '')
    """
    start, end = edges(word)
    return word[start:end]


def edges(word: str) -> tuple[int, int]:
    """Return where a word begins and ends between the punctuation around it; equal where it is nothing else."""
    if word.isalnum():
        return 0, len(word)
    start = next((place for place, sign in enumerate(word) if sign.isalnum()), len(word))
    end = next((place for place in range(len(word), start, -1) if word[place - 1].isalnum()), start)
    return start, end


def shipped() -> Synonyms:
    """Return the synonyms that come with the harness."""
    return read_synonyms(TABLE)


def read_synonyms(file: str | Path) -> Synonyms:
    """Return the synonyms of a file; raise `UsageError` that names the file, the line and the form wanted."""
    path = Path(file).expanduser()
    try:
        lines = read_text(path, "The file of synonyms ", UsageError).split("\n")
    except UsageError as error:
        fix = "Or give another file as train.augment.text.synonyms, or none for the shipped table."
        raise UsageError(f"{error} {fix} {_FORM}") from error
    table: dict[str, dict[str, None]] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            words, synonyms = _parsed(line, f"{path}, line {number}")
            for word in words:
                known = table.setdefault(word, {})
                known.update((synonym, None) for synonym in synonyms if synonym != word)
    if not table:
        raise UsageError(f"The synonyms {path} hold no word. {_FORM}")
    return Synonyms({word: known for word, known in table.items() if known})


def with_digest(config: TextAugmentConfig) -> TextAugmentConfig:
    """Return a config whose `synonyms_index` says what its file holds, where one is read and it does not say so."""
    if not config.synonyms or not config.replaces_words or config.synonyms_index:
        return config
    return config.model_copy(update={"synonyms_index": read_synonyms(config.synonyms).digest})


def _parsed(line: str, place: str) -> tuple[list[str], list[str]]:
    left, colon, right = line.partition(":")
    words = left.lower().split()
    synonyms = [" ".join(part.split()) for part in right.split(",") if part.strip()]
    if not (colon and words and synonyms):
        shown = ascii(line.strip()[:60])
        raise UsageError(f"{place}: {shown} names no word or no synonym. {_FORM}")
    return words, synonyms
