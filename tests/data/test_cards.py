"""Is a card read strictly, and a wrong name met with the nearest right one?"""

from pathlib import Path

import pytest

from cnnbench.data.catalog.cards import list_cards, load_card
from cnnbench.data.errors import DataError
from cnnbench.data.open import open_dataset

CARD = """
version = 1
name = "photos"
title = "Some photos"
kind = "folder"
folder = "images"
classes = ["apple", "plum"]

[splits]
train = 4
test = 2

[image]
size = 32
mean = [0.5, 0.5, 1]
std = [0.2, 0.2, 0.2]

[options.colour]
type = "str"
default = "any"
help = "which ones"

[[known_results]]
method = "chance"
top1 = 0.5
n = 2
"""


@pytest.fixture
def card_file(tmp_path: Path) -> Path:
    path = tmp_path / "photos.toml"
    path.write_text(CARD)
    return path


def test_every_fact_of_a_card_is_read(card_file: Path) -> None:
    card = load_card(str(card_file))
    assert (card.name, card.title, card.kind, card.drawn) == (
        "photos",
        "Some photos",
        "folder",
        False,
    )
    assert card.splits == {"train": 4, "test": 2}
    assert card.mean == (0.5, 0.5, 1.0)
    assert card.options["colour"].default == "any"
    assert card.known_results[0].top1 == 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Some photos"', 'titel = "Some photos"', "'title' is missing"),
        ("classes =", "clases =", "unknown key 'clases'; did you mean 'classes'?"),
        ("mean =", "means =", r"\[image\]: unknown key 'means'; did you mean 'mean'?"),
        ("train = 4", 'train = "4"', r"\[splits\]: 'train' must be of type int, saw '4'"),
        ("[0.5, 0.5, 1]", '[0.5, "x", 1]', "'mean': '1' must be of type float, saw 'x'"),
        ('kind = "folder"', 'kind = "floder"', "unknown kind 'floder'"),
        ("version = 1", "version = 9", "version 9; this cnnbench reads version 1"),
        ('type = "str"', 'type = "text"', "unknown type 'text'"),
        ("top1 = 0.5", "top1 = true", "'top1' must be of type float, saw True"),
        ("[splits]", "[splits", "cannot be read"),
        ("[splits]\ntrain = 4\ntest = 2", "", None),
    ],
)
def test_mistakes_in_a_card_are_named(card_file: Path, old: str, new: str, message) -> None:
    card_file.write_text(CARD.replace(old, new))
    if message is None:
        assert load_card(str(card_file)).splits == {}
    else:
        with pytest.raises(DataError, match=message):
            load_card(str(card_file))


def test_missing_card_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.toml' cannot be read"):
        load_card(str(tmp_path / "none.toml"))


def test_every_shipped_card_is_valid_and_named_like_its_file() -> None:
    for name in list_cards():
        assert load_card(name).name == name


def test_card_of_a_folder_opens_it(make_tree) -> None:
    root = make_tree({"apple": 3, "plum": 3})
    (root.parent / "my.toml").write_text(CARD.replace('"images"', '"photos"'))
    dataset = open_dataset(str(root.parent / "my.toml"))
    assert (dataset.name, dataset.title) == ("photos", "Some photos")
    assert dataset.classes == ("apple", "plum")


def test_unknown_option_of_a_card_is_named(card_file: Path) -> None:
    with pytest.raises(DataError, match="has no option 'color'; did you mean 'colour'"):
        open_dataset(str(card_file), options={"color": "red"})
