"""What is known of a network before it is built? The facts come from `papers.toml`; no torch."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from cnnbench.base.exits import Exit
from cnnbench.base.words import escape_bytes, with_hint

__all__ = [
    "CannotBuild",
    "ModelCard",
    "ModelName",
    "UnknownModel",
    "ablations",
    "is_external",
    "list_models",
    "model_name",
    "paper_recipe",
    "papers",
    "resolve",
    "split_start",
]

EXTERNAL: Final = ("timm", "torchvision")
SMALLEST_IMAGE_SIZE: Final = 8  # below it nobody would call it an image

_WHERE_NAMES_ARE = (
    "`cnnbench models` lists all; those of other libraries are timm:NAME and torchvision:NAME"
)
_HOW_FILES_ARE_TYPED = (
    "a file of weights is typed NETWORK@FILE, and no comma can stand in its path, since commas "
    "separate models"
)


class UnknownModel(LookupError):
    """A name that the zoo does not know; its message is one line with the nearest name."""

    exit_code = Exit.USAGE

    def __init__(self, name: str, known: list[str], advice: str = _WHERE_NAMES_ARE) -> None:
        super().__init__(with_hint(f"unknown model {name!r}", name, known, advice))


class CannotBuild(ValueError):
    """A network that cannot be built or trained as asked; its message says what to do."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    """What is known of a network before it is built.

    `params` and `macs` hold for `num_classes` classes and an image of `image_size` pixels; they
    are None for networks of other libraries. Pooling leaves nothing of images smaller than
    `smallest_image_size` pixels; for other libraries' networks this limit is not known.
    `departures` is empty when the network is the paper's; each entry is a sentence. `output` says
    what the network gives: where these are no logits, its loss is on another scale.
    """

    name: str
    family: str
    paper: str
    authors: str
    year: int
    url: str
    image_size: int
    smallest_image_size: int
    num_classes: int
    params: int | None
    macs: int | None
    summary: str
    departures: tuple[str, ...]
    notes: tuple[str, ...]
    aliases: tuple[str, ...]
    variant_of: str | None
    output: str = "logits"


@cache
def papers() -> dict[str, Any]:
    """Return the parsed `papers.toml`; treat it as read-only."""
    return tomllib.loads(resources.files("zoo").joinpath("papers.toml").read_text("utf-8"))


@cache
def cards() -> dict[str, ModelCard]:
    """Return every registered network's card by name; treat it as read-only."""
    facts = papers()
    return {row["name"]: _read_card(row, facts["papers"]) for row in facts["models"]}


def _read_card(row: dict[str, Any], paper_facts: dict[str, Any]) -> ModelCard:
    paper = paper_facts[row.get("paper", row["family"])]
    return ModelCard(
        name=row["name"],
        family=row["family"],
        paper=paper["title"],
        authors=paper["authors"],
        year=paper["year"],
        url=paper["url"],
        image_size=row["image_size"],
        smallest_image_size=row.get("smallest_image_size", SMALLEST_IMAGE_SIZE),
        num_classes=row.get("num_classes", 1000),
        params=row["params"],
        macs=row["macs"],
        summary=row["summary"],
        departures=tuple(row.get("departures", ())),
        notes=tuple(row.get("notes", ())),
        aliases=tuple(row.get("aliases", ())),
        variant_of=row.get("variant_of"),
        output=row.get("output", "logits"),
    )


def paper_recipe(name: str) -> Mapping[str, Any] | None:
    """Return how a network's paper trained it, or None where no such recipe is known.

    The keys are those of `[training]` in `papers.toml`; the table that a model names, or one of
    its own name, comes before its family's.

    Raises:
        UnknownModel: no such name.
    """
    name = model_name(name).network
    if is_external(name):
        return None
    tables: dict[str, dict[str, Any]] = papers()["training"]
    row = next(row for row in papers()["models"] if row["name"] == name)
    return tables.get(row.get("training", name)) or tables.get(row["family"])


def ablations(name: str) -> dict[str, str]:
    """Return the variants that leave out an ingredient of a network: name -> what is left out.

    Raises:
        UnknownModel: no such name.
    """
    name = resolve(name)
    return {
        row["name"]: row["ablates"]
        for row in papers()["models"]
        if row.get("variant_of") == name and "ablates" in row
    }


def list_models() -> list[str]:
    """List the registered names, family by family in order of publication."""
    return list(cards())


@cache
def _aliases() -> dict[str, str]:
    smallest = dict(papers()["families"])
    return smallest | {alias: card.name for card in cards().values() for alias in card.aliases}


# -- names ----------------------------------------------------------------------------------------

_FILES_OF_WEIGHTS: Final = (".safetensors", ".pth", ".pt")
_SEPARATORS: Final = tuple(filter(None, ("/", os.sep, os.altsep)))


@dataclass(frozen=True, slots=True)
class ModelName:
    """A network, and what its weights start from.

    `start` is what stands after the @, None for fresh weights. Of a file it is the name alone;
    `path` then says where the file lies, without links or `..` being followed.
    """

    network: str
    start: str | None = None
    path: Path | None = None

    @property
    def text(self) -> str:
        """The name by which the model is planned and reported: `resnet18@weights.pth`."""
        return self.network if self.start is None else f"{self.network}@{self.start}"

    @property
    def typed(self) -> str:
        """The name that leads to the same weights again from any folder."""
        return self.text if self.path is None else f"{self.network}@{self.path}"


def model_name(name: str) -> ModelName:
    """Read a model's name as it is typed: `resnet`, `resnet18@torchvision`, `vgg16@~/a/b.pth`.

    A start is a file if it has a separator or ends like one; a relative path begins in the working
    folder. timm's own spelling `timm:resnet18.a1_in1k@pretrained` means its tag `a1_in1k`. Whether
    there is such a start is not checked: `zoo.weights.weights_card` does that.

    Raises:
        UnknownModel: no such network, no start after the @, or a comma in a file's path.
    """
    given, start = split_start(name)
    network = _network(given)
    if start is None:
        return ModelName(network)
    if not start:
        raise UnknownModel(name, [], "a start follows the @, as in resnet18@torchvision")
    if _is_file_of_weights(start):
        if "," in start:
            raise UnknownModel(name, [], "commas separate models: rename that file or folder")
        path = Path(os.path.expanduser(start)).absolute()  # noqa: PTH111  # no home is no error
        return ModelName(network, escape_bytes(path.name), path)
    architecture, has_tag, tag = network.partition(".")
    if has_tag and start == "pretrained" and network.startswith("timm:"):
        return ModelName(architecture, tag)
    return ModelName(network, start)


def split_start(name: str) -> tuple[str, str | None]:
    """Split a model's name into that of its network and its start, None where it has none.

    >>> split_start("timm:resnet18@a1_in1k"), split_start("vgg")
    (('timm:resnet18', 'a1_in1k'), ('vgg', None))
    """
    network, has_start, start = name.partition("@")
    return network, start if has_start else None


def _is_file_of_weights(start: str) -> bool:
    return start.lower().endswith(_FILES_OF_WEIGHTS) or any(each in start for each in _SEPARATORS)


def resolve(name: str) -> str:
    """Return the full name for a name, an alias or a family, with its start where it has one.

    A family stands for the smallest configuration that its paper published; capitals do not
    matter. `timm:NAME` and `torchvision:NAME` come back unchanged and unchecked, because checking
    imports the library. Of a start that is a file the name stays, without its folders.

    Raises:
        UnknownModel: no such network, or no start after the @.
    """
    return model_name(name).text


def _network(name: str) -> str:
    library, separator, rest = name.partition(":")
    if separator:
        if library not in EXTERNAL or not rest:
            raise UnknownModel(name, [])
        return name
    for spelling in (name, name.lower()):
        if spelling in cards():
            return spelling
        if spelling in _aliases():
            return _aliases()[spelling]
    advice = _HOW_FILES_ARE_TYPED if _is_file_of_weights(name) else _WHERE_NAMES_ARE
    raise UnknownModel(name, list(dict.fromkeys([*cards(), *_aliases()])), advice)


def is_external(name: str) -> bool:
    """Return whether the network of a resolved name belongs to another library."""
    return ":" in split_start(name)[0]
