"""Does a dataset arrive whole over a line that is cut, and never when it is another one?"""

import hashlib
import io
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench.base.files import StoreError
from cnnbench.data import DataError, FetchError
from cnnbench.data.catalog.cards import load_card
from cnnbench.data.catalog.checksums import SUMS
from cnnbench.data.catalog.fetch import download, fetch, require_safe
from cnnbench.data.catalog.here import fetched_folder
from cnnbench.data.open import open_dataset

ARCHIVE = Path(__file__).resolve().parents[2] / "../shared/data/grocery-fruits.tar.gz"
QUICK = (0.0, 0.0, 0.0)


def test_a_line_cut_ten_times_still_brings_the_whole(tmp_path: Path, serve) -> None:
    content = os.urandom(900_000)
    cuts = np.random.default_rng(1).integers(1, 90_000, 10).tolist()
    server = serve(content, list(cuts))
    download(server.url, tmp_path / "a", most_bytes=10**6, pauses=QUICK)
    assert (tmp_path / "a").read_bytes() == content
    assert server.asked[-1] == f"bytes={sum(cuts)}-"  # only what was missing
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_stopped_download_is_continued_by_the_next_command(tmp_path: Path, serve) -> None:
    content = os.urandom(300_000)
    server = serve(content, [100_000, 0, 0])
    with pytest.raises(FetchError, match="100000 bytes are kept, the same command continues"):
        download(server.url, tmp_path / "a", most_bytes=10**6, pauses=(0.0,))
    download(server.url, tmp_path / "a", most_bytes=10**6, pauses=QUICK)
    assert (tmp_path / "a").read_bytes() == content
    assert server.asked[-1] == "bytes=100000-"


def test_a_file_that_changed_meanwhile_is_taken_from_its_start(tmp_path: Path, serve) -> None:
    old = serve(b"o" * 200_000, [50_000, 0, 0])
    with pytest.raises(FetchError):
        download(old.url, tmp_path / "a", most_bytes=10**6, pauses=(0.0,))
    old.content, old.tag = b"n" * 150_000, '"two"'
    download(old.url, tmp_path / "a", most_bytes=10**6, pauses=QUICK)
    assert (tmp_path / "a").read_bytes() == b"n" * 150_000


def test_a_server_without_ranges_sends_the_whole_again(tmp_path: Path, serve) -> None:
    server = serve(b"x" * 200_000, [50_000])
    server.ranges = False
    download(server.url, tmp_path / "a", most_bytes=10**6, pauses=QUICK)
    assert (tmp_path / "a").read_bytes() == b"x" * 200_000


def test_more_bytes_than_expected_are_refused(tmp_path: Path, serve) -> None:
    server = serve(b"x" * 200_000, [])
    with pytest.raises(FetchError, match="the most expected is 1000"):
        download(server.url, tmp_path / "a", most_bytes=1000, pauses=QUICK)


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "gopher://x"]
)
def test_only_https_leaves_this_machine(url: str) -> None:
    with pytest.raises(FetchError, match="only https"):
        require_safe(url)


def archive_of_photos(seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for split, count in (("train", 3), ("test", 2)):
            for label in ("Apple/Red", "Apple/Green", "Plum"):
                for number in range(count):
                    photo = io.BytesIO()
                    pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(photo, "PNG")
                    info = tarfile.TarInfo(f"set-1/data/{split}/Fruit/{label}/{number}.png")
                    info.size = len(photo.getvalue())
                    archive.addfile(info, io.BytesIO(photo.getvalue()))
        extra = tarfile.TarInfo("set-1/data/README")
        archive.addfile(extra, io.BytesIO(b""))
    return file.getvalue()


def card_text(url: str, trust: str) -> str:
    return f"""
version = 1
name = "mine"
title = "My fruit"
kind = "folder"
folder = "data"
below = "Fruit"

[fetch]
url = "{url}"
keep = ["data/*/Fruit/*"]
{trust}

[options.labels]
type = "str"
default = "coarse"
choices = ["coarse", "fine"]
help = "how fine"
"""


@pytest.fixture
def make_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path / "home"))

    def make(url: str, trust: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(card_text(url, trust))
        return str(path)

    return make


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_fetched_card_opens_with_coarse_and_fine_labels(make_card, serve) -> None:
    content = archive_of_photos()
    server = serve(content, [300, 1000])
    card = make_card(server.url, f'sha256 = ["{sha256_of(content)}"]')
    folder = fetch(load_card(card))
    assert not (folder / "data/README").exists()
    assert (folder / SUMS).read_text().count("\n") == 15
    assert open_dataset(card).classes == ("Apple", "Plum")
    fine = open_dataset(card, options={"labels": "fine"})
    assert fine.classes == ("Green", "Plum", "Red")
    assert [len(split) for split in fine.splits.values()] == [9, 6]
    before = len(server.asked)
    assert fetch(load_card(card)) == folder  # there already: nothing is asked for again
    assert len(server.asked) == before


def test_a_card_that_is_not_fetched_says_what_to_type(make_card) -> None:
    card = make_card("https://example.org/set.tar.gz", f'sha256 = ["{"0" * 64}"]')
    with pytest.raises(DataError, match=rf"type: cnnbench fetch {re.escape(card)}"):
        open_dataset(card)
    with pytest.raises(DataError, match="type: cnnbench fetch grocery-fruits"):
        open_dataset("grocery-fruits")


def test_another_archive_is_refused_and_leaves_nothing(make_card, serve, tmp_path) -> None:
    server = serve(archive_of_photos(1), [])
    card = load_card(make_card(server.url, f'sha256 = ["{"0" * 64}"]'))
    with pytest.raises(FetchError, match=r"sha256 is [0-9a-f]{64}, the card expects 0000"):
        fetch(card)
    assert not fetched_folder(card).exists()
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".lock"]


def test_an_archive_packed_anew_is_trusted_by_its_files(make_card, tmp_path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(archive_of_photos())
    card = load_card(make_card("https://example.org/a", f'files_sha256 = "{"0" * 64}"'))
    with pytest.raises(FetchError, match=r"15 files with sha256 ([0-9a-f]{64})") as refusal:
        fetch(card, source=str(tmp_path / "a.tar.gz"))
    assert not fetched_folder(card).exists()
    seen = re.search("sha256 ([0-9a-f]{64})", str(refusal.value))
    assert seen
    card = load_card(make_card("https://example.org/a", f'files_sha256 = "{seen[1]}"'))
    unzipped = tmp_path / "a.tar"
    with tarfile.open(tmp_path / "a.tar.gz") as old, tarfile.open(unzipped, "w") as new:
        for member in reversed(old.getmembers()):
            new.addfile(member, old.extractfile(member))
    assert fetch(card, source=str(unzipped)).is_dir()


def test_a_missing_file_is_named(make_card) -> None:
    card = load_card(make_card("https://example.org/a", f'files_sha256 = "{"0" * 64}"'))
    with pytest.raises(FetchError, match=r"cannot read '/no/such\.tar'"):
        fetch(card, source="/no/such.tar")


def test_a_place_that_cannot_be_made_is_told_with_the_variable_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(StoreError, match="set CNNBENCH_DATA to a folder with room"):
        fetch(load_card("cifar10"))


def test_a_card_without_files_has_nothing_to_fetch() -> None:
    with pytest.raises(DataError, match="nothing to fetch"):
        fetch(load_card("fruits"))


@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVE.exists(), reason="the archive of photos is absent")
def test_the_real_photos_arrive_over_a_line_that_is_cut(tmp_path, serve, monkeypatch) -> None:
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path))
    server = serve(ARCHIVE.read_bytes(), [20_000_000, 1, 7_000_000])
    fetch(load_card("grocery-fruits"), source=server.url)
    coarse = open_dataset("grocery-fruits")
    fine = open_dataset("grocery-fruits", options={"labels": "fine"})
    assert len(server.asked) == 4
    assert coarse.classes == load_card("grocery-fruits").classes
    assert {name: len(split) for name, split in coarse.splits.items()} == {
        "train": 1142,
        "val": 111,
        "test": 1117,
    }
    assert len(fine.classes) == 28
