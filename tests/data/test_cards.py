"""Is a card read strictly, and a wrong name met with the nearest right one?"""

from pathlib import Path

import pytest

from cnnbench.data import DataError
from cnnbench.data.catalog.cards import list_cards, load_card
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
    assert card.image.mean == (0.5, 0.5, 1.0)
    assert card.options["colour"].default == "any"
    assert card.known_results[0].top1 == 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'title = "Some photos"',
            'titel = "Some photos"',
            "'title' is missing; see datasets/README",
        ),
        ("classes =", "clases =", r"unknown key 'clases'; did you mean 'classes'\?"),
        ("mean =", "means =", r"unknown key 'image\.means'; did you mean 'mean'\?"),
        ("train = 4", "trian = 4", r"unknown key 'splits\.trian'; did you mean 'train'\?"),
        ("help =", "hlep =", r"unknown key 'options\.colour\.hlep'; did you mean 'help'\?"),
        ("train = 4", 'train = "4"', r"'splits\.train' should be a valid integer, saw '4'"),
        ("[0.5, 0.5, 1]", '[0.5, "x", 1]', r"'image\.mean\.1' should be a valid number, saw 'x'"),
        ("[0.5, 0.5, 1]", "0.5", r"'image\.mean' should be a list, saw 0.5"),
        ('["apple", "plum"]', '["apple"]\nimage = 3', "cannot be read: Cannot overwrite a value"),
        ('["apple", "plum"]', '["apple"]\nfetch = 3', "'fetch' should be a table, saw 3"),
        ('["apple", "plum"]', '["apple"]\npath = "x"', "'path' should be .*, saw 'x'"),
        ('"images"', '"x"\nfetch = {url = "u"}', "'fetch': 'sha256' or 'files_sha256' is needed"),
        ('kind = "folder"', 'kind = "floder"', "unknown 'kind' 'floder'; .* 'drawn', 'folder', "),
        ("version = 1", "version = 9", "unknown 'version' 9; this cnnbench knows 1"),
        ('type = "str"', 'type = "text"', r"unknown 'options\.colour\.type' 'text'; .* 'int', "),
        ('type = "str"', 'type = "int"', r"'options\.colour\.default': type int .* saw 'any'"),
        ("top1 = 0.5", "top1 = true", r"'known_results\.0\.top1' should be a .*, saw True"),
        ("[splits]", "[splits", "cannot be read"),
        ("[splits]\ntrain = 4\ntest = 2", "", None),
    ],
)
def test_mistakes_in_a_card_are_named(card_file: Path, old: str, new: str, message) -> None:
    card_file.write_text(CARD.replace(old, new))
    if message is None:
        assert load_card(str(card_file)).splits == {}
    else:
        with pytest.raises(DataError, match=rf"card '.*photos\.toml'.*{message}"):
            load_card(str(card_file))


def test_an_int_passes_for_a_float(card_file: Path) -> None:
    card_file.write_text(CARD.replace('"str"\ndefault = "any"', '"float"\ndefault = 2'))
    default = load_card(str(card_file)).options["colour"].default
    assert (default, type(default)) == (2.0, float)


def test_a_card_as_json_is_flat_and_says_nothing_of_this_machine(card_file: Path) -> None:
    facts = load_card(str(card_file)).as_json()
    assert (facts["image_size"], facts["mean"], facts["download"]) == (32, (0.5, 0.5, 1.0), None)
    assert not {"image", "path", "version"} & set(facts)


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
