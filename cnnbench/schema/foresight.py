"""How many epochs does a budget buy each network, and which image size follows from that?"""

from pydantic import Field

from cnnbench.schema import Value

__all__ = ["FED_EPOCHS", "IMAGE_SIZES", "STARVED_EPOCHS", "Feed", "SizeChoice"]

IMAGE_SIZES = (224, 192, 160, 128, 112, 96, 80, 64)  # what `--image-size auto` chooses from
FED_EPOCHS = 10.0  # what every network is to get at the size that is chosen
STARVED_EPOCHS = 5.0  # with fewer, a ranking says how fast a network is and not how good


class Feed(Value):
    """What the smallest budget of a plan buys one network at one image size.

    `images_per_second` is measured on this machine, None where the budget is counted and buys as
    many images on every machine.
    """

    model: str
    image_size: int
    batch_size: int
    images_per_second: float | None = None
    epochs: float = Field(ge=0)
    from_scratch: bool = Field(default=True, description="no trained weights saw enough already")
    remedies: tuple[str, ...] = ()

    @property
    def is_starved(self) -> bool:
        """Whether the network sees too little for its rank to mean anything."""
        return self.from_scratch and self.epochs < STARVED_EPOCHS


class SizeChoice(Value):
    """Which image size `auto` took: `tried` has the least-fed network at each size looked at."""

    chosen: int
    why: str
    tried: tuple[Feed, ...] = ()
