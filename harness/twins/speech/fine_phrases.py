"""Noun phrases with everything that a close look adds to them."""

from harness.twins.speech.fine_words import ALL_WORDS
from harness.twins.speech.phrases import SLOTS, Phrases, listed, with_article

FINE_SLOTS: dict[str, tuple[str, ...]] = SLOTS | {
    "socks": ("socks",),
    "band": ("band",),
    "necklace": ("necklace",),
    "watch": ("watch",),
    "place": ("place",),
    "light": ("light",),
    "camera": ("camera",),
}


class FinePhrases(Phrases):
    """The phrases of a voice that names parts, makes, posture and surroundings too."""

    slots = FINE_SLOTS
    words = ALL_WORDS

    def upper(self) -> str:
        """Return the upper garment with neckline, hem, cuffs and pocket."""
        cuffs = f"{self._word('cuffs')} cuffs" if "cuffs" in self.said else ""
        pocket = self._coloured("pocket", "chest pocket")
        return self._with(super().upper(), self._word("front_make"), self._word("hem_make"), cuffs, pocket)

    def lower(self) -> str:
        """Return the lower garment with its make and its stripe."""
        stripe = self._coloured("stripe", "stripe along the leg")
        return self._with(super().lower(), self._word("lower_make"), stripe)

    def shoes(self) -> str:
        """Return the shoes with their soles."""
        return self._with(super().shoes(), self._word("soles"))

    def hat(self) -> str:
        """Return the hat with its make."""
        return self._with(super().hat(), self._word("hat_make"))

    def glasses(self) -> str:
        """Return the glasses with their frames."""
        return self._with(super().glasses(), self._word("frames"))

    def bag(self) -> str:
        """Return the bag with its make."""
        return self._with(super().bag(), self._word("bag_make"))

    def item(self) -> str:
        """Return the held thing with what marks it."""
        return self._with(super().item(), self._word("item_make"))

    def view(self) -> str:
        """Return what the person does, with stride and arms."""
        return self._with(super().view(), self._word("stride"), self._word("arms"))

    def socks(self) -> str:
        """Return the socks with their colour."""
        return f"{self._word('socks')} socks"

    def band(self) -> str:
        """Return the hair band with its colour."""
        return self._coloured("band", "hair band")

    def necklace(self) -> str:
        """Return the necklace with its metal."""
        return self._coloured("necklace", "necklace with a pendant")

    def watch(self) -> str:
        """Return the watch with the colour of its strap."""
        return f"a watch with {with_article(self._word('watch'))} strap"

    def place(self) -> str:
        """Return what is behind the person."""
        return self._word("place")

    def light(self) -> str:
        """Return how the light is."""
        return self._word("light")

    def camera(self) -> str:
        """Return from where the picture is taken."""
        return self._word("camera")

    def _coloured(self, attribute: str, noun: str) -> str:
        return with_article(f"{self._word(attribute)} {noun}") if attribute in self.said else ""

    def _with(self, phrase: str, *parts: str) -> str:
        """Return a phrase with its parts; a second `with` is set off by a comma."""
        if not any(parts):
            return phrase
        return f"{phrase}{',' if ' with ' in phrase else ''} with {listed([part for part in parts if part])}"
