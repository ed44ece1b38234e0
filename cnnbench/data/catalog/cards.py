"""What is written down about a dataset: its source, licence, classes, splits and known results?

A card is one TOML file. It is read strictly: an unknown key or a value of the wrong type is an
error, so a typing mistake cannot pass for a missing fact. `datasets/README.md` has the format.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cnnbench.base.words import did_you_mean, with_hint
from cnnbench.data import DataError
from cnnbench.data.dataset import SPLIT_NAMES, SplitName

__all__ = ["Card", "list_cards", "load_card"]

# A list of TOML may become a tuple; its items are read strictly.
Texts = Annotated[tuple[str, ...], Field(strict=False)]
Numbers = Annotated[tuple[float, ...], Field(strict=False)]
Value = int | float | str
_OPTION_TYPES: Mapping[str, Any] = {"int": int, "float": float, "str": str}


class _Facts(BaseModel):
    """A table of a card; types are not converted, but an int passes for a float."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CardOption(_Facts):
    """One typed choice a dataset offers, such as how many images to draw."""

    type: Literal["int", "float", "str"]
    default: SkipValidation[Value]
    help: str = ""
    choices: Texts = ()

    @field_validator("default")
    @classmethod
    def _require_type(cls, default: Value, info: ValidationInfo) -> Value:
        wanted = _OPTION_TYPES.get(info.data.get("type", ""), type(default))
        if wanted is float and type(default) is int:
            return float(default)
        if type(default) is not wanted:
            raise ValueError(f"type {wanted.__name__} is needed, saw {default!r}")
        return default

    def parse(self, text: str) -> Value:
        """Turn the text a user typed into the option's type; ValueError when it does not fit."""
        value: Value = _OPTION_TYPES[self.type](text)
        if self.choices and value not in self.choices:
            raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")
        return value


class Download(_Facts):
    """How a dataset's files are fetched and known to be the right ones.

    `sha256` lists the archives known to be good. `files_sha256` is over the kept files' list in
    the form of `sha256sum`, sorted by path; it also vouches for an archive that is not listed,
    such as one that its server packs anew. `keep` are patterns of paths below the archive's
    single top folder; nothing else is unpacked. `archive_bytes` is about how much is downloaded.
    """

    url: str
    sha256: Texts = ()
    archive_bytes: int = 0
    keep: Texts = ("*",)
    files: int = 0
    files_sha256: str = ""

    @model_validator(mode="after")
    def _require_trust(self) -> Download:
        if not (self.sha256 or self.files_sha256):
            raise ValueError("'sha256' or 'files_sha256' is needed to trust a download")
        return self


class ImageFacts(_Facts):
    """Stored pixels of a side, and mean and deviation of R, G, B in [0, 1]; empty when unknown."""

    size: int = 0
    mean: Numbers = ()
    std: Numbers = ()


class KnownResult(_Facts):
    """A published or measured result: `top1` in [0, 1] over `n` test images."""

    method: str
    top1: float
    n: int
    note: str = ""


class Card(_Facts):
    """One dataset's facts, and `path`, the file that states them."""

    version: Literal[1]  # of the format
    name: str
    title: str
    kind: Literal["drawn", "folder", "torchvision", "scikit-learn"]
    drawn: bool = False
    source: str = ""
    licence: str = ""
    citation: str = ""
    classes: Texts = ()
    splits: Mapping[SplitName, int] = {}
    image: ImageFacts = ImageFacts()
    options: Mapping[str, CardOption] = {}
    known_results: Annotated[tuple[KnownResult, ...], Field(strict=False)] = ()
    folder: str = ""
    below: str = ""
    loader: str = ""
    download: Download | None = Field(default=None, alias="fetch")
    path: Path = Path()  # no TOML value is a Path, so no card can state it

    @field_validator("splits")
    @classmethod
    def _in_order(cls, splits: Mapping[SplitName, int]) -> Mapping[SplitName, int]:
        """Put `train` first and leave out a split of no image."""
        return {name: splits[name] for name in SPLIT_NAMES if splits.get(name)}

    def as_json(self) -> dict[str, Any]:
        """Return all facts under the names that `--json` promises."""
        facts: dict[str, Any] = {}
        for name, value in self.model_dump(exclude={"version", "path"}).items():
            if name == "image":
                facts |= {"image_size": value["size"], "mean": value["mean"], "std": value["std"]}
            else:
                facts[name] = value
        return facts


# pydantic speaks of Python's types, a card of TOML's.
_WANTED = {"dict_type": "a table", "model_type": "a table", "tuple_type": "a list"}
_KEYS = [
    *SPLIT_NAMES,
    *(
        field.alias or name
        for model in (Card, CardOption, Download, ImageFacts, KnownResult)
        for name, field in model.model_fields.items()
        if name != "path"
    ),
]


def list_cards() -> list[str]:
    """Return the names of the cards that ship with cnnbench, sorted."""
    return sorted(_shipped())


def load_card(name_or_path: str) -> Card:
    """Read a shipped card by name, or any card by the path of its `.toml` file.

    Raises DataError for an unknown name, an unreadable file or anything not in the format.
    """
    if name_or_path.endswith(".toml"):
        return _read(Path(name_or_path))
    shipped = _shipped()
    if name_or_path not in shipped:
        mistake = f"unknown dataset {name_or_path!r}"
        advice = "`cnnbench datasets` lists all; a folder path works too"
        raise DataError(with_hint(mistake, name_or_path, shipped, advice))
    return _read(shipped[name_or_path])


def _shipped() -> dict[str, Traversable]:
    """Map the name of every shipped card to its file."""
    home: Traversable
    try:
        home = resources.files("cnnbench.cards")
    except ModuleNotFoundError:  # an editable install: the checkout's folder has the cards
        home = Path(__file__).resolve().parents[3] / "datasets"
    files = home.iterdir() if home.is_dir() else ()
    return {Path(file.name).stem: file for file in files if file.name.endswith(".toml")}


def _read(file: Traversable) -> Card:
    try:
        card = Card.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise DataError(f"card {str(file)!r}: {_first_mistake(error)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"card {str(file)!r} cannot be read: {error}") from error
    return card.model_copy(update={"path": Path(str(file))})


def _first_mistake(error: ValidationError) -> str:
    """Say which key of a card is wrong, what was seen and what is allowed."""
    mistake = error.errors()[0]
    kind, seen = mistake["type"], mistake["input"]
    place = [str(part) for part in mistake["loc"] if part != "[key]"]
    key = repr(".".join(place))
    if kind == "missing":
        return f"{key} is missing; see datasets/README.md"
    if kind == "extra_forbidden" or "[key]" in mistake["loc"]:
        return "; ".join(filter(None, (f"unknown key {key}", did_you_mean(place[-1], _KEYS))))
    if kind == "literal_error":
        return f"unknown {key} {seen!r}; this cnnbench knows {mistake['ctx']['expected']}"
    if kind == "value_error":
        return f"{key}: {mistake['ctx']['error']}"
    wanted = _WANTED.get(kind, mistake["msg"].removeprefix("Input should be "))
    return f"{key} should be {wanted}, saw {seen!r}"
