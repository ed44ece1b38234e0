"""Which weights can a network start from, and what is known of them?

The facts come from the libraries that bring weights, from `weights.toml`, or from the `model.json`
beside a network that cnnbench kept.
"""

import tomllib
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from cnnbench.base.words import with_hint
from zoo.cards import ModelName, is_external, model_name
from zoo.weights import external, kept
from zoo.weights.card import READER, BadWeights, MissingWeights, UnknownWeights, WeightsCard

__all__ = ["starts", "weights_card"]

_MOST_NAMED: Final = 6


def weights_card(name: str) -> WeightsCard:
    """Return what is known of the weights that a model starts from, by its whole name as typed.

    Of a file that nothing is known of, scaling and size are None.

    Raises:
        UnknownModel: no such network.
        UnknownWeights: the name has no start, or one that the network does not have.
        CannotBuild: the library that brings the weights is not installed.
        MissingWeights: a file that is not there.
        BadWeights: a file or the `model.json` beside a kept network cannot be read.
    """
    model = model_name(name)
    if model.start is None:
        raise UnknownWeights(f"{name!r} names no weights; those stand behind an @")
    if model.path is not None:
        return _with_set(_card_of_file(model.text, model.path))
    network, start = model.network, model.start
    card = _own_cards(network).get(start) or external.weights(network, start)
    if card is None:
        raise UnknownWeights(_why_unknown(model))
    return _with_set(card)


def starts(network: str) -> list[str]:
    """List the starts that are known for a network; any file of its weights is another.

    Raises:
        UnknownModel: no such network.
        CannotBuild: the library is not installed.
    """
    network = model_name(network).network
    return [*_own_cards(network), *external.starts(network)]


@cache
def _facts() -> dict[str, Any]:
    return tomllib.loads(resources.files("zoo").joinpath("weights.toml").read_text("utf-8"))


def _own_cards(network: str) -> dict[str, WeightsCard]:
    """Return the cards of `weights.toml` that fit a network, by the word behind the @."""
    cards = {}
    for start, row in _facts()["cards"].items():
        if network in row["networks"]:
            facts = {key: value for key, value in row.items() if key != "networks"}
            cards[start] = READER.validate_python({"name": f"{network}@{start}", **facts})
    return cards


def _with_set(card: WeightsCard) -> WeightsCard:
    """Add what is known of the images that the weights were trained on."""
    sets, trained_on = _facts()["sets"], card.trained_on or ""
    images = sets.get(trained_on, {}).get("images")
    within = [name for each in sets if each in trained_on for name in sets[each]["overlaps"]]
    return replace(
        card,
        trained_images=card.trained_images or images,
        overlaps=tuple(dict.fromkeys([*card.overlaps, *within])),
    )


def _why_unknown(model: ModelName) -> str:
    network, known = model.network, starts(model.network)
    if not known and not is_external(network) and model.start in ("torchvision", "pretrained"):
        names = " or ".join(external.takers_of_torchvisions(network))
        return (
            f"{network} is built otherwise than the networks of torchvision, so none of their "
            f"weights belong to it; type {names}"
        )
    shown = ", ".join(known[:_MOST_NAMED]) + (" and more" if len(known) > _MOST_NAMED else "")
    advice = (
        f"{network} has {shown or 'no weights that are known here'}; a file of weights is typed "
        f"{network}@FILE"
    )
    names_here = [f"{network}@{each}" for each in known]
    return with_hint(f"unknown weights {model.text!r}", model.text, names_here, advice)


# -- files that are given by their path -----------------------------------------------------------


def _card_of_file(name: str, path: Path) -> WeightsCard:
    beside = path.with_name("model.json")
    try:
        is_there = path.exists()
        is_kept = path.name == "model.safetensors" and beside.is_file()
    except OSError as error:  # a folder that may not be looked into
        raise BadWeights(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if not is_there:
        raise MissingWeights(f"{name}: there is no file {str(path)!r}")
    card = kept.card(name, beside) if is_kept else WeightsCard(name=name)
    return replace(card, path=path)
