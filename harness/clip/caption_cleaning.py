r"""Clean captions before they are tokenised as TBPS-CLIP does, in training and test.

As released: only runs of two and more white-space characters become one space, so that a single tab, no-break
space or inner line break stays, as do tabs at the ends; the words counted are what is between plain spaces.
"""

import re

_MOST_WORDS = 77
_TAKEN_OUT = str.maketrans(dict.fromkeys('.!"()*#:;~', " "))
_RUN = re.compile(r"\s{2,}")


def clean(caption: str) -> str:
    r"""Return a caption in lower case, without `. ! " ( ) * # : ; ~`, cut to 77 words.

    >>> clean("  A Man, with (black) hair; wearing a T-shirt & jeans... He's #1!\n")
    "a man, with black hair wearing a t-shirt & jeans he's 1"
    """
    text = _RUN.sub(" ", caption.lower().translate(_TAKEN_OUT)).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:_MOST_WORDS])
