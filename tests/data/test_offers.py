"""Whoever has no network learns what can be trained on without one."""

import sys
from pathlib import Path

import pytest

import zoo
from cnnbench.base.files import StoreError
from cnnbench.data import DataError, FetchError
from cnnbench.data.catalog import here
from cnnbench.data.catalog.cards import Card, load_card
from cnnbench.data.catalog.fetch import download
from cnnbench.data.catalog.torchvision_sets import SETS, card_for
from cnnbench.data.open import open_dataset
from cnnbench.data.sources.libraries import fetch_torchvision


@pytest.fixture(autouse=True)
def nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path / "data"))


@pytest.fixture
def no_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def scikit_learn() -> None:
    pytest.importorskip("sklearn")


def offered(text: str) -> list[str]:
    """Return the names that a message offers, in its order."""
    return [line.split()[0] for line in text.splitlines() if line.startswith("  ")]


def put(card: Card) -> None:
    here.fetched_folder(card).mkdir(parents=True)


@pytest.mark.usefixtures("scikit_learn")
@pytest.mark.parametrize("name", ["cifar10", "torchvision:MNIST", "grocery-fruits", "imagenet"])
def test_a_set_that_is_not_here_is_met_with_those_that_are(name: str) -> None:
    with pytest.raises(DataError) as caught:
        open_dataset(name)
    assert offered(str(caught.value)) == ["digits", "fruits"]
    last = str(caught.value).splitlines()[-1]
    assert last.startswith("a quick first run: cnnbench run --dataset digits ")


@pytest.mark.usefixtures("no_scikit_learn")
def test_without_scikit_learn_the_digits_are_a_command_away() -> None:
    for name in ("cifar10", "digits"):
        with pytest.raises(DataError, match="pip install scikit-learn") as caught:
            open_dataset(name)
        assert offered(str(caught.value)) == ["fruits"]
        assert "run --dataset fruits" in str(caught.value)


@pytest.mark.usefixtures("no_scikit_learn")
def test_what_was_fetched_before_is_offered_as_it_is_typed() -> None:
    put(load_card("fashion-mnist"))
    put(card_for("KMNIST"))
    assert offered(here.offers()) == ["fashion-mnist", "fruits", "torchvision:KMNIST"]


@pytest.mark.usefixtures("scikit_learn")
def test_the_offer_fits_on_a_screen_however_much_was_fetched() -> None:
    for loader in SETS:
        put(card_for(loader))
    assert len(here.offers().splitlines()) <= 12
    assert f"and {len(SETS) - 4} more" in here.offers()


def test_a_user_who_can_keep_no_files_is_offered_what_needs_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_home() -> Path:
        raise StoreError("no home")

    monkeypatch.setattr(here, "data_folder", no_home)
    assert "fruits" in offered(here.offers())


def test_a_download_without_a_network_ends_with_the_offer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*words: object, **settings: object) -> None:
        raise OSError("Name or service not known")

    with pytest.raises(FetchError, match="cannot be downloaded") as caught:
        download("https://localhost:9/x", tmp_path / "x", most_bytes=9, pauses=())
    assert "fruits" in offered(str(caught.value))
    monkeypatch.setattr("cnnbench.data.sources.libraries._load", no_network)
    with pytest.raises(FetchError, match="cannot bring MNIST") as caught:
        fetch_torchvision("MNIST", tmp_path / "mnist", None)
    assert "fruits" in offered(str(caught.value))


def test_the_first_run_that_is_offered_names_networks_of_the_zoo() -> None:
    words = here.offers().splitlines()[-1].split()
    models = words[words.index("--models") + 1].split(",")
    assert set(models) <= set(zoo.list_models())
