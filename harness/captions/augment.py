"""Augment training captions: back translation and the word operations of EDA, drawn again for each use.

Wei and Zou, "EDA: Easy Data Augmentation Techniques", EMNLP-IJCNLP 2019; TBPS-CLIP (Cao et al., AAAI 2024) studies
each and keeps back translation and random deletion. A caption is, in this order, replaced by its back translation,
its words are replaced, inserted and swapped, and some are dropped; a word is what is between white space.

How often the first three happen is EDA's own `max(1, int(share * n_words))`. TBPS-CLIP writes share * n_words and
releases random deletion alone; without EDA's floor a caption below 20 words would never change at its share of 0.05.
Unlike in textaugment, which TBPS-CLIP's code is taken from, a word is looked up without the punctuation around it
(`shirt,` has the synonyms of `shirt`), and a caption of one word or none is no error.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from harness.captions.synonyms import Synonyms, edges, read_synonyms, shipped
from harness.config.augment import TextAugmentConfig
from harness.errors import DataError

_NO_TRANSLATIONS = (
    "Back translation is off: the dataset's file has no captions_bt, and none were made with `harness data "
    "back-translate`."
)
Words = list[str]


class CaptionAugment:
    """Captions changed at random: the same config, index and seed give the same caption.

    Args:
        config: which operations, and how strong.
        captions: the training captions [n_caption], cleaned where the backbone wants it.
        back_translations: one for each caption, "" where it has none [n_caption]; None or empty: there are none.
        synonyms: what words may be replaced by; None: nothing is replaced or inserted.
    """

    def __init__(
        self,
        config: TextAugmentConfig,
        captions: Sequence[str],
        back_translations: Sequence[str] | None,
        synonyms: Synonyms | None,
    ) -> None:
        assert not back_translations or len(back_translations) == len(captions)
        self.config, self.captions, self.synonyms = config, captions, synonyms or Synonyms({})
        self.back_translations = back_translations or ()

    @property
    def active(self) -> bool:
        """Whether any caption can come out changed."""
        return bool(self.config.back_translation and self.back_translations) or _speaks_of_words(self.config)

    def caption(self, index: int, seed: int) -> str:
        """Return caption `index` as it is used this time; a seed draws differently for each index."""
        random = Random(f"{seed}/{index}")
        text = self.captions[index]
        if random.random() < self.config.back_translation and self.back_translations:
            text = self.back_translations[index].strip() or text
        return self._reworded(text, random) if _speaks_of_words(self.config) else text

    def _reworded(self, text: str, random: Random) -> str:
        words, config = text.split(), self.config
        for share, operation in (
            (config.synonym_replacement, replaced),
            (config.random_insertion, inserted),
            (config.random_swap, swapped),
            (config.eda, random.choice(_OPERATIONS) if config.eda else deleted),
            (config.random_deletion, deleted),
        ):
            if share:
                words = " ".join(operation(words, share, random, self.synonyms)).split()
        return " ".join(words)


def caption_augment(
    config: TextAugmentConfig,
    captions: Sequence[str],
    captions_bt: Sequence[str],
    synonyms_file: str | Path | None = None,
) -> tuple[CaptionAugment | None, list[str]]:
    """Return what augments a split's captions, None where nothing would change, and notices for the user.

    Args:
        config: which operations, and how strong.
        captions: the training captions [n_caption].
        captions_bt: their back translations, "" where one is missing [n_caption]; empty where there are none.
        synonyms_file: a table in place of the shipped one.

    Raises `UsageError` when the table of synonyms cannot be read, and `DataError` when it is another than the config
    says.
    """
    needed = config.replaces_words
    synonyms = (read_synonyms(synonyms_file) if synonyms_file else shipped()) if needed else None
    if synonyms and config.synonyms_index not in (None, synonyms.digest):
        raise DataError(
            f"{synonyms_file} holds other synonyms than when the run was set up: put back what it held, or begin "
            "another run."
        )
    augment = CaptionAugment(config, captions, captions_bt, synonyms)
    notices = []
    if config.back_translation:
        notices += _missing(captions, captions_bt)
    if synonyms_file and not needed:
        notices.append(
            "The file train.augment.text.synonyms is not read: synonym_replacement, random_insertion and eda are off."
        )
    return augment if augment.active else None, notices


def _missing(captions: Sequence[str], captions_bt: Sequence[str]) -> list[str]:
    if not captions_bt:
        return [_NO_TRANSLATIONS]
    pairs = zip(captions, captions_bt, strict=True)
    missing = sum(1 for caption, translated in pairs if caption.strip() and not translated.strip())
    if not missing:
        return []
    number = f"{missing:,} of {len(captions):,} captions have no back translation and are used as they are"
    return [f"{number}: `harness data back-translate` makes those that are missing."]


def _speaks_of_words(config: TextAugmentConfig) -> bool:
    """Whether any operation on words is on."""
    shares = (config.synonym_replacement, config.random_insertion, config.random_swap, config.random_deletion)
    return any(shares) or config.eda > 0


def times(words: Words, share: float) -> int:
    """Return how often an operation is repeated: the share of the words, at least once.

    >>> times(["word"] * 50, 0.05), times(["word"], 0.05)
    (2, 1)
    """
    return max(1, int(share * len(words)))


def replaced(words: Words, share: float, random: Random, synonyms: Synonyms) -> Words:
    """Replace `times` different words that have synonyms, all their occurrences, by one synonym each."""
    known = list(dict.fromkeys(core for word in words if synonyms.of(core := _core(word))))
    chosen = random.sample(known, min(times(words, share), len(known)))
    new = {core: random.choice(synonyms.of(core)) for core in chosen}
    return [_around(word, new[core]) if (core := _core(word)) in new else word for word in words]


def inserted(words: Words, share: float, random: Random, synonyms: Synonyms) -> Words:
    """Insert `times` synonyms of words of the caption, each before a word drawn at random."""
    words = list(words)
    known = [word for word in words if synonyms.of(word)]
    for _ in range(times(words, share) if known else 0):
        synonym = random.choice(synonyms.of(random.choice(known)))
        words.insert(random.randrange(len(words)), synonym)
        known += [synonym] if synonyms.of(synonym) else []
    return words


def swapped(words: Words, share: float, random: Random, synonyms: Synonyms) -> Words:
    """Swap two words, `times` times."""
    words = list(words)
    for _ in range(times(words, share) if len(words) > 1 else 0):
        one, other = random.sample(range(len(words)), 2)
        words[one], words[other] = words[other], words[one]
    return words


def deleted(words: Words, share: float, random: Random, synonyms: Synonyms) -> Words:
    """Drop each word with the probability `share`; of a caption that would be empty, a random word stays."""
    if len(words) < 2:
        return words
    return [word for word in words if random.random() > share] or [random.choice(words)]


_Operation = Callable[[Words, float, Random, Synonyms], Words]
_OPERATIONS: tuple[_Operation, ...] = (replaced, inserted, swapped, deleted)


def _core(word: str) -> str:
    start, end = edges(word)
    return word[start:end].lower()


def _around(word: str, new: str) -> str:
    start, end = edges(word)
    return word[:start] + new + word[end:]
