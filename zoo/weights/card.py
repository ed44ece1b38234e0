"""What is known of one file of weights, and what can be wrong with it?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ConfigDict, TypeAdapter

from cnnbench.base.exits import Exit

__all__ = ["READER", "BadWeights", "MissingWeights", "UnknownWeights", "WeightsCard"]

Channels = tuple[float, float, float]


class UnknownWeights(LookupError):
    """A start that its network does not have; the message is one line with the nearest name."""

    exit_code = Exit.USAGE


class MissingWeights(LookupError):
    """Weights that are known and not on this machine; the message has the command that helps."""

    exit_code = Exit.DATA


class BadWeights(ValueError):
    """A file that holds no weights, damaged ones, or those of another network."""

    exit_code = Exit.DATA


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsCard:
    """What is known of one file of weights; None and empty are what nobody stated.

    `name` is the whole name, NETWORK@START. The file lies at `path`, or in an installed `package`
    as its `file`, or it is fetched from `url`. `sha256` has 64 digits, or fewer where a publisher
    states only the first. `mean` and `std` turn pixels in [0, 1] into inputs of the network, and
    `image_size` is the side in pixels of its training images; `top1` in [0, 1] was published for
    `trained_on`. `overlaps` names datasets whose images lie within those of the training.
    `key_map` gives beginnings of the file's names that the network calls otherwise. `notes` say
    what a reader of results should know, a clause each.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    url: str | None = None
    package: str | None = None
    file: str | None = None
    path: Path | None = None
    sha256: str = ""
    licence: str | None = None
    trained_on: str | None = None
    trained_images: int | None = None
    num_classes: int | None = None
    mean: Channels | None = None
    std: Channels | None = None
    image_size: int | None = None
    top1: float | None = None
    overlaps: tuple[str, ...] = ()
    key_map: Mapping[str, str] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()


READER: Final = TypeAdapter(WeightsCard)
