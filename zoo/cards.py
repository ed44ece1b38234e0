"""What is known of a network before it is built? The facts come from `papers.toml`; no torch."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from cnnbench.base.exits import Exit
from cnnbench.base.words import with_hint

__all__ = [
    "CannotBuild",
    "ModelCard",
    "UnknownModel",
    "ablations",
    "is_external",
    "list_models",
    "paper_recipe",
    "papers",
    "resolve",
]

EXTERNAL: Final = ("timm", "torchvision")
SMALLEST_IMAGE_SIZE: Final = 8  # below it nobody would call it an image

_WHERE_NAMES_ARE = (
    "`cnnbench models` lists all; those of other libraries are timm:NAME and torchvision:NAME"
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
    name = resolve(name)
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


def resolve(name: str) -> str:
    """Return the full registered name for a name, an alias or a family.

    A family stands for the smallest configuration that its paper published; capitals do not
    matter. `timm:NAME` and `torchvision:NAME` come back unchanged and unchecked, because checking
    imports the library.

    Raises:
        UnknownModel: no such name.
    """
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
    raise UnknownModel(name, list(dict.fromkeys([*cards(), *_aliases()])))


def is_external(name: str) -> bool:
    """Return whether a resolved name belongs to another library."""
    return ":" in name
