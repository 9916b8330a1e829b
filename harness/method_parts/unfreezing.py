"""Choose by kind what of a frozen backbone is trained, and in which tower."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from harness.clip.injection import TowerName
from harness.config.fields import Choice, Section, setting
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.clip.model import Clip

_IMAGE = "model.visual."


class TowerFields(Section):
    """Config field of a method that acts in one tower or in both."""

    towers: Literal["image", "text", "both"] = setting(
        "both", "towers that are adapted", search=Choice(values=("image", "text", "both"))
    )

    @property
    def chosen(self) -> tuple[TowerName, ...]:
        """The towers by name."""
        return ("image", "text") if self.towers == "both" else (self.towers,)


def unfreeze(clip: "Clip", names: Collection[str], towers: Collection[TowerName], what: str) -> None:
    """Train the parameters called `names` in some towers.

    Raises `UsageError` where one of the towers has none, saying `what` they are, such as biases.
    """
    for tower in towers:
        of_tower = [name for name in names if name.startswith(_IMAGE) == (tower == "image")]
        if not of_tower:
            other = "text" if tower == "image" else "image"
            raise UsageError(
                f"The {tower} tower of {clip.identity.name} has no {what}: set method.towers={other}, or choose "
                "another backbone."
            )
        for name in of_tower:
            clip.get_parameter(name).requires_grad_(True)
