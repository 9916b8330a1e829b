"""Captions as people leave them on the web: alt texts, titles, tags, file names, remarks; short, noisy, partly beside
the point.

A caption of drawn people always names the style they are drawn in, and no other caption speaks of people: so none can
be a caption of a twin, where a person is described and nothing else.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from harness.pretrain.corpus.draws import Draws
from harness.pretrain.corpus.pictures import Mention, Picture

_SAID, _ADJECTIVE, _AFTER, _STATE = 0.7, 0.88, 0.7, 0.4
_BESIDE = 0.22
_OFF_POINT = (
    "free shipping", "stock photo", "royalty free", "best price", "buy online", "sale 50% off", "new arrival",
    "page 4 of 12", "how to draw", "hd wallpaper", "photo by Kim", "vol. 2", "download png", "limited edition",
    "gift idea", "made in Italy", "vintage", "printable", "read more", "click to enlarge", "top 10 of 2019",
    "summer collection", "size M", "size 42", "in stock", "seen on the blog", "coloring page", "DIY", "part 3",
)  # fmt: skip
_REMARKS = (
    "just got this {}!!", "anyone know where to find {}?", "so happy with {}", "{} - what do you think?",
    "finally: {}", "{} :)", "trying out {} today", "wishlist: {}", "review of {}", "nothing beats {}",
)  # fmt: skip
_NEXT = ("{} next to {}", "{} above {}", "{} & {}", "set of {} plus {}", "{} with {}", "{}; {}")
_PLACED = (
    "{place}: {things}", "{things} / {place}", "view of {place} with {things}", "{place}, {things}",
    "{things} near {place}", "{place} scene with {things}",
)  # fmt: skip
_WORN = (
    "{style} {who} wearing {things}", "{style}: {who} in {things}", "{who} with {things}, {style}",
    "{who} ({style}) - {things}", "{style} of {who}, {things}", "{style}, {who} dressed with {things}",
    "{things} on {style} {who}", "{state} {who} {style} in {things}", "{style} {who} {state}, {things}",
    "{style} of {state} {who} with {things}",
)  # fmt: skip


def caption(picture: Picture, draws: Draws) -> str:
    """Write one caption: what is said is true but for what is beside the point, and much is left out."""
    style = draws.pick(picture.styles) if picture.styles else ""
    said = _chosen(picture.mentions, draws)
    register = draws.weighted(_WEIGHTS)
    text = _REGISTERS[register](picture, said, style, draws)
    if register in ("alt", "title", "remark") and draws.chance(_BESIDE):
        beside = draws.pick(_OFF_POINT)
        text = draws.pick(
            (f"{text} | {beside}", f"{beside}: {text}", f"{text}, {beside}", f"{text} ({beside})")
        )
    return _typed(text, draws)


def _chosen(mentions: Sequence[Mention], draws: Draws) -> list[Mention]:
    """Return what is named: what always is, some of the rest, one thing at least."""
    said = [one for one in mentions if one.always or draws.chance(_SAID)]
    return said or [draws.pick(mentions)]


def _phrase(one: Mention, draws: Draws) -> str:
    """Return the noun with some of what may be said of it, without an article."""
    before = [word for word in one.before if draws.chance(_ADJECTIVE)]
    if len(before) > 1 and draws.chance(0.25):
        before.append(before.pop(0))
    after = draws.pick(one.after) if one.after and draws.chance(_AFTER) else ""
    return " ".join(filter(None, (*before, one.noun, after)))


def _counted(one: Mention, draws: Draws) -> str:
    """Return the phrase as in a sentence: with an article at times, where it is one thing."""
    phrase = _phrase(one, draws)
    if one.plural or draws.chance(0.3):
        return phrase
    vowel = phrase[:1].lower() in "aeiou"
    return ("an " if vowel else "a ") + phrase


def _row(phrases: Sequence[str], draws: Draws) -> str:
    """Return phrases in a row, joined in one of the ways of the web."""
    joint = draws.pick((", ", ", ", " and ", " + ", " & ", " with "))
    if joint == " and " and len(phrases) > 1:
        return f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    return joint.join(phrases)


def _alt(picture: Picture, said: list[Mention], style: str, draws: Draws) -> str:
    phrases = [_counted(one, draws) for one in draws.shuffled(said)]
    state = draws.pick(picture.states) if picture.states and draws.chance(_STATE) else ""
    if style:
        form = draws.pick([one for one in _WORN if ("{state}" in one) == bool(state)])
        return form.format(style=style, who=picture.subject, things=_row(phrases, draws), state=state)
    if picture.subject:
        text = draws.pick(_PLACED).format(place=picture.subject, things=_row(phrases, draws))
        return f"{text}, {state}" if state else text
    if len(phrases) == 2:
        # `above` is true of things as they were drawn alone.
        first, second = (_counted(one, draws) for one in said)
        return draws.pick(_NEXT).format(first, second)
    return draws.pick(("{}", "{}", "photo of {}", "{} isolated", "picture of {}", "{} close up")).format(
        _row(phrases, draws)
    )


def _title(picture: Picture, said: list[Mention], style: str, draws: Draws) -> str:
    names = [_phrase(one, draws) for one in said]
    parts = [*names[: draws.whole(1, max(2, len(names)))], *_whole(picture, style, draws)]
    return draws.pick((" - ", " | ", " / ", ", ")).join(_titled(part) for part in draws.shuffled(parts))


def _tags(picture: Picture, said: list[Mention], style: str, draws: Draws) -> str:
    words = [_phrase(one, draws) for one in said] + _whole(picture, style, draws)
    return draws.pick((", ", "; ", ",")).join(draws.shuffled(words))


def _hashtags(picture: Picture, said: list[Mention], style: str, draws: Draws) -> str:
    words = [_phrase(one, draws) for one in said] + _whole(picture, style, draws)
    return " ".join("#" + re.sub(r"\W+", "", word) for word in draws.shuffled(words))


def _file(picture: Picture, said: list[Mention], style: str, draws: Draws) -> str:
    joint = draws.pick(("_", "-"))
    words = " ".join([_phrase(one, draws) for one in said] + _whole(picture, style, draws))
    return re.sub(r"\W+", joint, words) + joint + str(draws.whole(1, 9999)) + draws.pick((".jpg", ".png", ""))


def _label(picture: Picture, said: list[Mention], style: str, draws: Draws) -> str:
    lines = []
    for one in said:
        lines.append(f"{one.noun}: {' '.join(one.before) or 'yes'}")
    return draws.pick((" . ", "; ", ", ")).join([*lines, *_whole(picture, style, draws)])


def _remark(picture: Picture, said: list[Mention], style: str, draws: Draws) -> str:
    things = _row([_counted(one, draws) for one in said], draws)
    text = draws.pick(_REMARKS).format(things)
    whole = _whole(picture, style, draws)
    return f"{text} ({', '.join(whole)})" if whole else text


def _whole(picture: Picture, style: str, draws: Draws) -> list[str]:
    """Return the words for the picture as a whole: style and subject, and at times a state."""
    words = [word for word in (style, picture.subject) if word]
    if picture.states and draws.chance(_STATE):
        words.append(draws.pick(picture.states))
    return words


def _titled(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))


def _typed(text: str, draws: Draws) -> str:
    """Return the text as it was typed: in small or large letters, with an ending or without."""
    text = draws.pick((str, str, str, str.lower, str.lower, _upper if draws.chance(0.2) else str))(text)
    return text + draws.pick(("", "", "", ".", "!", " ..."))


def _upper(text: str) -> str:
    return text.upper()


_WEIGHTS: Mapping[str, float] = {
    "alt": 6, "title": 2, "tags": 2, "remark": 1, "label": 1, "file": 0.5, "hashtags": 0.5,
}  # fmt: skip
_Register = Callable[[Picture, list[Mention], str, Draws], str]
_REGISTERS: Mapping[str, _Register] = {
    "alt": _alt,
    "title": _title,
    "tags": _tags,
    "remark": _remark,
    "label": _label,
    "file": _file,
    "hashtags": _hashtags,
}
