"""Ways of speaking: which sentences a caption is made of, and which words they prefer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Templates = tuple[str, ...]


@dataclass(frozen=True)
class Voice:
    """A way of speaking.

    Templates may use {A} {a} {The} {the} (the person with article, and with hair where it is said), {He} {he}
    {his} {His} (pronouns; `The person` where the gender is not said) and {list} (the phrases in question).

    Attributes:
        first: first statement, with the first group of clothes as {list}.
        bare: first statement when no clothes are to be said.
        wear: a later group of clothes.
        carry: bag and held item.
        view: what the person does, as {list}.
        hair: hair, where the first statement leaves it out.
        groups: alternative ways to divide the clothes into statements.
        joint, end: what is between statements, and after the last.
        capital: whether each statement starts with a capital letter.
        hair_first: probability that the hair is mentioned with the person in the first statement.
        habits: preferred words, by attribute value.
        fine: whether it tells what only a close look shows.
        about: statements of its own for further slots, as {list}.
    """

    first: Templates
    bare: Templates
    wear: Templates
    carry: Templates
    view: Templates
    hair: Templates
    groups: tuple[tuple[tuple[str, ...], ...], ...]
    joint: str = ". "
    end: tuple[str, ...] = (".",)
    capital: bool = True
    hair_first: float = 0.7
    habits: Mapping[str, Templates] = field(default_factory=dict)
    fine: bool = False
    about: Mapping[str, Templates] = field(default_factory=dict)


VOICES: dict[str, Voice] = {
    "formal": Voice(
        first=(
            "{A} is wearing {list}",
            "The image shows {a} who is dressed in {list}",
            "The pedestrian in this picture is {a} wearing {list}",
            "This is {a}, dressed in {list}",
        ),
        bare=("The image shows {a}", "{A} can be seen in this picture"),
        wear=(
            "{He} is also wearing {list}",
            "In addition, {he} wears {list}",
            "The outfit is completed by {list}",
            "{He} wears {list} as well",
        ),
        carry=(
            "{He} is carrying {list}",
            "{He} carries {list}",
            "{He} can be seen carrying {list}",
        ),
        view=("{He} appears to be {list}", "In the picture, {he} is {list}", "{He} is {list}"),
        hair=("{He} has {list}",),
        groups=(
            (("upper", "lower"), ("shoes", "hat", "glasses", "scarf")),
            (("upper", "scarf"), ("lower", "shoes"), ("hat", "glasses")),
            (("hat", "glasses", "upper"), ("scarf", "lower", "shoes")),
            (("lower", "shoes"), ("upper", "scarf", "hat", "glasses")),
        ),
        habits={
            "man": ("man", "gentleman"),
            "woman": ("woman", "lady"),
            "trousers": ("trousers",),
            "t-shirt": ("t-shirt",),
            "sneakers": ("trainers", "sports shoes"),
            "grey": ("grey",),
        },
    ),
    "telegraphic": Voice(
        first=("{A} in {list}", "{a}, {list}", "{A} wears {list}", "{The} has {list} on"),
        bare=("{A}", "{The}"),
        wear=("wears {list}", "{list}", "has on {list}"),
        carry=("carries {list}", "with {list}", "holding {list}"),
        view=("{list}",),
        hair=("{list}", "has {list}"),
        groups=(
            (("hat", "upper", "lower", "shoes"), ("glasses", "scarf")),
            (("upper", "lower"), ("shoes", "scarf", "hat", "glasses")),
            (("lower", "upper"), ("shoes",), ("hat", "glasses", "scarf")),
        ),
        joint=", ",
        end=(".", ".", ".", ""),
        capital=False,
        habits={
            "trousers": ("pants",),
            "sneakers": ("sneakers",),
            "grey": ("gray",),
            "sweater": ("sweater",),
        },
    ),
    "conversational": Voice(
        first=(
            "There is {a} who has {list} on",
            "You can see {a} in {list}",
            "I see {a} with {list} on",
            "Look for {a} in {list}",
        ),
        bare=("There is {a} here", "You can see {a}"),
        wear=("{He} has got {list} on too", "Then {he} has {list} on as well", "{He} also has {list}"),
        carry=("{He} has got {list} with {him}", "{He} carries {list} along", "There is also {list}"),
        view=("{He} is {list}", "{He} seems to be {list}"),
        hair=("{He} has got {list}", "{He} has {list}"),
        groups=(
            (("upper", "lower"), ("shoes", "hat", "glasses", "scarf")),
            (("lower", "shoes", "upper"), ("hat", "glasses", "scarf")),
            (("upper",), ("lower", "shoes", "scarf"), ("hat", "glasses")),
        ),
        hair_first=0.55,
        habits={
            "man": ("man", "guy", "young man"),
            "woman": ("woman", "girl", "lady"),
            "t-shirt": ("tee", "t-shirt"),
            "sweater": ("jumper", "pullover"),
            "sneakers": ("trainers", "sneakers"),
            "backpack": ("rucksack", "backpack"),
        },
    ),
    "meticulous": Voice(
        first=(
            "What one sees here is {a} whose clothes include {list}",
            "Here is {a}, and what catches the eye first is {list}",
            "Here one sees {a} who is dressed in {list}",
            "In this photograph {a} appears in {list}",
        ),
        bare=("Here one sees {a}", "In this photograph there is {a}"),
        wear=(
            "Looking closer, {he} also wears {list}",
            "To this {he} adds {list}",
            "The outfit further includes {list}",
            "Besides that, {he} has put on {list}",
            "Other details of the outfit are {list}",
            "{His} clothes further include {list}",
        ),
        carry=(
            "What {he} carries is {list}",
            "{He} carries {list}",
            "One can see that {he} carries {list}",
        ),
        view=(
            "At this moment {he} is {list}",
            "As far as the posture can be made out, {he} is {list}",
            "{He} is caught while {list}",
        ),
        hair=("{He} has {list}", "On the head {he} has {list}"),
        groups=(
            (
                ("upper",),
                ("lower",),
                ("shoes", "socks"),
                ("hat", "glasses", "band"),
                ("scarf", "necklace", "watch"),
            ),
            (
                ("upper", "scarf"),
                ("hat", "glasses", "band", "necklace"),
                ("lower",),
                ("shoes", "socks"),
                ("watch",),
            ),
            (
                ("lower",),
                ("shoes", "socks"),
                ("upper",),
                ("scarf", "hat", "glasses"),
                ("band", "necklace", "watch"),
            ),
        ),
        hair_first=0.6,
        habits={
            "man": ("man", "adult man", "male person"),
            "woman": ("woman", "adult woman", "female person"),
            "sneakers": ("sports shoes", "sneakers"),
            "grey": ("grey",),
        },
        fine=True,
        about={
            "place": (
                "The background shows {list}",
                "Behind {him} one can make out {list}",
                "The scene around {him} has {list}",
            ),
            "light": ("The light in the scene is {list}", "The lighting is {list}"),
            "camera": ("The photograph is taken {list}", "The camera looks at {him} {list}"),
        },
    ),
}
