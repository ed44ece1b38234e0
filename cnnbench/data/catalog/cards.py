"""What is written down about a dataset: its source, licence, classes, splits and known results?

A card is one TOML file. It is read strictly: an unknown key or a value of the wrong type is an
error, so a typing mistake cannot pass for a missing fact. `datasets/README.md` has the format.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from cnnbench.data.errors import DataError, hint

CARD_VERSION = 1
KINDS = ("drawn", "folder", "torchvision", "scikit-learn")
_OPTION_TYPES: dict[str, type] = {"int": int, "float": float, "str": str}
_REQUIRED = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class CardOption:
    """One typed choice a dataset offers, such as how many images to draw."""

    type: str
    default: int | float | str
    help: str
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> int | float | str:
        """Turn the text a user typed into the option's type; ValueError when it does not fit."""
        value: int | float | str = _OPTION_TYPES[self.type](text)
        if self.choices and value not in self.choices:
            raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """How a dataset's files are fetched and known to be the right ones.

    `sha256` lists the archives known to be good. `files_sha256` is over the kept files' list in
    the form of `sha256sum`, sorted by path; it also vouches for an archive that is not listed,
    such as one that its server packs anew. `keep` are patterns of paths below the archive's
    single top folder; nothing else is unpacked. `archive_bytes` is about how much is downloaded.
    """

    url: str
    sha256: tuple[str, ...]
    archive_bytes: int
    keep: tuple[str, ...]
    files: int
    files_sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownResult:
    """A published or measured result: `top1` in [0, 1] over `n` test images."""

    method: str
    top1: float
    n: int
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One dataset's facts; `mean` and `std` are per RGB channel in [0, 1], empty when unknown."""

    name: str
    title: str
    kind: str
    drawn: bool
    source: str
    licence: str
    citation: str
    classes: tuple[str, ...]
    splits: Mapping[str, int]
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    options: Mapping[str, CardOption]
    known_results: tuple[KnownResult, ...]
    folder: str
    below: str
    loader: str
    download: Download | None
    path: Path


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
        raise DataError(
            f"unknown dataset {name_or_path!r}{hint(name_or_path, shipped) or ';'} "
            "`cnnbench datasets` lists all; a folder path works too"
        )
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


class _Table:
    """One TOML table being read: every key is taken once, and what is left over is an error."""

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, dict):
            raise DataError(f"{where}: expected a table, saw {type(table).__name__}")
        self._left = dict(table)
        self._known: list[str] = []
        self.where = where

    def take(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        """Return the value of `key`, which must be of `kind` (an int passes for a float)."""
        self._known.append(key)
        value = self._left.pop(key, default)
        if value is _REQUIRED:
            raise DataError(f"{self.where}: {key!r} is missing; see datasets/README.md")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise DataError(f"{self.where}: {key!r} must be of type {kind.__name__}, saw {value!r}")
        return value

    def take_list(self, key: str, kind: type) -> tuple[Any, ...]:
        """Return a list of `kind` as a tuple; an absent key is the empty tuple."""
        values = self.take(key, list, [])
        items = _Table({str(i): value for i, value in enumerate(values)}, f"{self.where}: {key!r}")
        return tuple(items.take(str(i), kind) for i in range(len(values)))

    def finish(self) -> None:
        """Raise DataError when a key was not taken."""
        for key in self._left:
            raise DataError(f"{self.where}: unknown key {key!r}{hint(key, self._known)}")


def _read(file: Traversable) -> Card:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"card {str(file)!r} cannot be read: {error}") from error
    table = _Table(content, f"card {str(file)!r}")
    version = table.take("version", int)
    if version != CARD_VERSION:
        raise DataError(
            f"{table.where}: version {version}; this cnnbench reads version {CARD_VERSION}"
        )
    card = _card(table, Path(str(file)))
    table.finish()
    return card


def _card(table: _Table, path: Path) -> Card:
    kind = table.take("kind", str)
    if kind not in KINDS:
        raise DataError(
            f"{table.where}: unknown kind {kind!r}; one of {', '.join(KINDS)} is needed"
        )
    image = _Table(table.take("image", dict, {}), f"{table.where}: [image]")
    card = Card(
        name=table.take("name", str),
        title=table.take("title", str),
        kind=kind,
        drawn=table.take("drawn", bool, False),
        source=table.take("source", str, ""),
        licence=table.take("licence", str, ""),
        citation=table.take("citation", str, ""),
        classes=table.take_list("classes", str),
        splits=_splits(table),
        image_size=image.take("size", int, 0),
        mean=image.take_list("mean", float),
        std=image.take_list("std", float),
        options=_options(table),
        known_results=tuple(
            _known_result(row, f"{table.where}: [[known_results]]")
            for row in table.take("known_results", list, [])
        ),
        folder=table.take("folder", str, ""),
        below=table.take("below", str, ""),
        loader=table.take("loader", str, ""),
        download=_download(table),
        path=path,
    )
    image.finish()
    return card


def _download(table: _Table) -> Download | None:
    content = table.take("fetch", dict, {})
    if not content:
        return None
    facts = _Table(content, f"{table.where}: [fetch]")
    download = Download(
        url=facts.take("url", str),
        sha256=facts.take_list("sha256", str),
        archive_bytes=facts.take("archive_bytes", int, 0),
        keep=facts.take_list("keep", str) or ("*",),
        files=facts.take("files", int, 0),
        files_sha256=facts.take("files_sha256", str, ""),
    )
    if not (download.sha256 or download.files_sha256):
        raise DataError(f"{facts.where}: 'sha256' or 'files_sha256' is needed to trust a download")
    facts.finish()
    return download


def _splits(table: _Table) -> dict[str, int]:
    splits = _Table(table.take("splits", dict, {}), f"{table.where}: [splits]")
    counts = {name: splits.take(name, int, 0) for name in ("train", "val", "test")}
    splits.finish()
    return {name: count for name, count in counts.items() if count}


def _options(table: _Table) -> dict[str, CardOption]:
    options = {}
    for name, value in table.take("options", dict, {}).items():
        option = _Table(value, f"{table.where}: [options.{name}]")
        type_name = option.take("type", str)
        if type_name not in _OPTION_TYPES:
            raise DataError(
                f"{option.where}: unknown type {type_name!r}; "
                f"one of {', '.join(_OPTION_TYPES)} is needed"
            )
        options[name] = CardOption(
            type=type_name,
            default=option.take("default", _OPTION_TYPES[type_name]),
            help=option.take("help", str, ""),
            choices=option.take_list("choices", str),
        )
        option.finish()
    return options


def _known_result(row: object, where: str) -> KnownResult:
    table = _Table(row, where)
    result = KnownResult(
        method=table.take("method", str),
        top1=table.take("top1", float),
        n=table.take("n", int),
        note=table.take("note", str, ""),
    )
    table.finish()
    return result
