"""Which networks does the zoo hold, and how is a name turned into a network?

The facts come from `papers.toml` and need no torch; `build` and `describe` import it when called.
"""

from __future__ import annotations

import difflib
import importlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from torch import nn

    from zoo.complexity import Description

Init = Literal["paper", "common"]
EXTERNAL: Final = ("timm", "torchvision")

# The only list of places where builders live: a family's module is imported when one of its
# networks is first built, so that importing `zoo` stays free of torch.
_FAMILY_MODULES: Final = {
    "lenet": "zoo.lenet",
    "alexnet": "zoo.alexnet",
    "zfnet": "zoo.zfnet",
    "vgg": "zoo.vgg",
    "googlenet": "zoo.googlenet",
    "resnet": "zoo.resnet",
    "fourlayer": "zoo.fourlayer",
    "handmade": "zoo.handmade",
}


class UnknownModel(LookupError):
    """A name that the zoo does not know; its message is one line with the nearest name."""

    def __init__(self, name: str, known: list[str], listing: str = "`cnnbench models` lists all"):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]!r}?" if near else ";"
        super().__init__(f"unknown model {name!r}{hint} {listing}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    """What is known of a network before it is built.

    `params` and `macs` hold for `num_classes` classes and one image of `image_size` pixels; they
    are None for networks of other libraries. `departures` is empty when the network is the
    paper's; each entry is one sentence.
    """

    name: str
    family: str
    paper: str
    authors: str
    year: int
    url: str
    image_size: int
    num_classes: int
    params: int | None
    macs: int | None
    summary: str
    departures: tuple[str, ...]
    notes: tuple[str, ...]
    aliases: tuple[str, ...]
    variant_of: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSpec:
    """What a builder is told: classes, square image side in pixels, and the initial state."""

    num_classes: int
    image_size: int
    init: Init


Builder = Callable[[BuildSpec], "nn.Module"]
Initializer = Callable[["nn.Module"], None]
_BuilderT = TypeVar("_BuilderT", bound=Builder)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    builder: Builder
    paper_init: Initializer


_ENTRIES: dict[str, _Entry] = {}


def register(name: str, *, init: Initializer) -> Callable[[_BuilderT], _BuilderT]:
    """Enter a builder under `name`; `init` fills the paper's own initial weights.

    A builder only lays out modules. Every parameter and buffer is filled afterwards, by `init`
    or by the initialisation that all networks share.
    """

    def enter(builder: _BuilderT) -> _BuilderT:
        if name in _ENTRIES:
            raise ValueError(f"the model name {name!r} is registered twice")
        _ENTRIES[name] = _Entry(builder=builder, paper_init=init)
        return builder

    return enter


@cache
def papers() -> dict[str, Any]:
    """Return the parsed `papers.toml`; treat it as read-only."""
    return tomllib.loads(resources.files("zoo").joinpath("papers.toml").read_text("utf-8"))


@cache
def _cards() -> dict[str, ModelCard]:
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
        num_classes=row.get("num_classes", 1000),
        params=row["params"],
        macs=row["macs"],
        summary=row["summary"],
        departures=tuple(row.get("departures", ())),
        notes=tuple(row.get("notes", ())),
        aliases=tuple(row.get("aliases", ())),
        variant_of=row.get("variant_of"),
    )


def training(name: str) -> Mapping[str, Any] | None:
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
    """Return the registered variants that leave out one ingredient: name -> what is left out.

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
    return list(_cards())


@cache
def _aliases() -> dict[str, str]:
    smallest = dict(papers()["families"])
    return smallest | {alias: card.name for card in _cards().values() for alias in card.aliases}


def resolve(name: str) -> str:
    """Return the full registered name for a name, an alias or a family.

    A family stands for the smallest configuration that its paper published. `timm:NAME` and
    `torchvision:NAME` come back unchanged and unchecked, because checking imports the library.

    Raises:
        UnknownModel: no such name.
    """
    library, separator, rest = name.partition(":")
    if separator:
        if library not in EXTERNAL or not rest:
            raise UnknownModel(name, [f"{known}:{rest or 'NAME'}" for known in EXTERNAL])
        return name
    if name in _cards():
        return name
    if name in _aliases():
        return _aliases()[name]
    raise UnknownModel(name, list(dict.fromkeys([*_cards(), *_aliases()])))


def is_external(name: str) -> bool:
    """Tell whether a resolved name belongs to another library."""
    return ":" in name


def card(name: str) -> ModelCard:
    """Return what is known of a network; only names of other libraries import torch.

    Raises:
        UnknownModel: no such name.
    """
    name = resolve(name)
    if is_external(name):
        from zoo import external

        return external.card(name)
    return _cards()[name]


def build(
    name: str,
    *,
    num_classes: int = 1000,
    init: Init = "paper",
    image_size: int | None = None,
) -> nn.Module:
    """Build a network with fresh weights drawn from torch's current random state.

    The network takes floats `(N, 3, H, W)` with `H = W = image_size` and returns logits
    `(N, num_classes)`. GoogLeNet in training mode returns `(main, aux_4a, aux_4d)`.

    Args:
        name: a registered name, an alias, a family, `timm:NAME` or `torchvision:NAME`.
        num_classes: width of the output.
        init: "paper" for the paper's own initial state (for AlexNet that includes its dropout
            convention), "common" for one initialisation shared by all networks. Networks of
            other libraries keep the initialisation of their library under "paper".
        image_size: side of the square images in pixels; None means the paper's.

    Raises:
        UnknownModel: no such name.
        ValueError: the image is too small for the network, or an argument is out of range.
    """
    from zoo import initialization

    name, spec = _checked(name, num_classes, image_size, init)
    if is_external(name):
        from zoo import external

        model = external.build(name, spec)
    else:
        model = initialization.with_memory(_lay_out(name, spec))
        if init == "paper":
            _entry(name).paper_init(model)
    if init == "common":
        initialization.common(model, image_size=spec.image_size)
    return model


def describe(name: str, *, num_classes: int = 1000, image_size: int | None = None) -> Description:
    """Count a network's parameters and multiply-adds, layer by layer, without data.

    Raises:
        UnknownModel: no such name.
        ValueError: the image is too small for the network.
    """
    from zoo import complexity

    name, spec = _checked(name, num_classes, image_size, "paper")
    return complexity.describe(
        _lay_out(name, spec),
        name=name,
        num_classes=num_classes,
        image_size=spec.image_size,
    )


def skeleton(name: str, *, num_classes: int = 1000, image_size: int | None = None) -> nn.Module:
    """Lay a network out on the meta device: shapes and counts without any memory.

    Raises:
        UnknownModel: no such name.
        ValueError: the image is too small for the network, or an argument is out of range.
    """
    return _lay_out(*_checked(name, num_classes, image_size, "paper"))


def _lay_out(name: str, spec: BuildSpec) -> nn.Module:
    import torch

    with torch.device("meta"):
        if is_external(name):
            from zoo import external

            return external.build(name, spec)
        return _entry(name).builder(spec)


def _checked(
    name: str, num_classes: int, image_size: int | None, init: Init
) -> tuple[str, BuildSpec]:
    name = resolve(name)
    side = card(name).image_size if image_size is None else image_size
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, not {num_classes}")
    if side < 1:
        raise ValueError(f"image_size must be at least 1 pixel, not {side}")
    if init not in ("paper", "common"):
        raise ValueError(f"init must be 'paper' or 'common', not {init!r}")
    return name, BuildSpec(num_classes=num_classes, image_size=side, init=init)


def registered() -> list[str]:
    """Import every family and list the names that its builders entered."""
    for module in _FAMILY_MODULES.values():
        importlib.import_module(module)
    return list(_ENTRIES)


def _entry(name: str) -> _Entry:
    importlib.import_module(_FAMILY_MODULES[_cards()[name].family])
    return _ENTRIES[name]
