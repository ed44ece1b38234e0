"""Do trained weights arrive whole and as they were published, or not at all?"""

import errno
import json
import os
import sys

import pytest

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import StoreError
from cnnbench.cli import main
from cnnbench.data import DataError, FetchError
from cnnbench.data.catalog import weights as catalog
from cnnbench.data.catalog.weights import fetch_weights
from zoo.weights import (
    BadWeights,
    MissingWeights,
    WeightsCard,
    fetched_file,
    record_of,
    weights_file,
    weights_sha256,
)

CONTENT = os.urandom(300_000)
DIGEST = sha256_of(CONTENT)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


def card_of(url, sha256=""):
    return WeightsCard(name="net@start", url=url, sha256=sha256)


def left_in(folder):
    """Return the names of what lies in a folder, but for locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("digits", [64, 8])
def test_weights_arrive_over_a_line_that_is_cut_and_are_recorded(serve, home, digits) -> None:
    server = serve(CONTENT, [1000, 100_000])
    card = card_of(server.url, DIGEST[:digits])
    with pytest.raises(MissingWeights, match="cnnbench fetch weights net@start"):
        weights_file(card)
    file = fetch_weights(card)
    assert file.read_bytes() == CONTENT
    assert weights_file(card) == file
    assert weights_sha256(card, file) == DIGEST
    assert left_in(home) == sorted([file.name, record_of(file).name])
    assert json.loads(record_of(file).read_bytes())["from"] == server.url
    before = len(server.asked)
    assert before == 3
    assert fetch_weights(card) == file  # there already: nothing is asked for again
    assert len(server.asked) == before


def test_other_weights_are_refused_and_leave_nothing(serve, home) -> None:
    server = serve(CONTENT, [])
    with pytest.raises(FetchError, match=f"its sha256 is {DIGEST}, expected 00000000..."):
        fetch_weights(card_of(server.url, "0" * 8))
    assert left_in(home) == []


@pytest.mark.parametrize("quote", ['"{}"', 'W/"{}"', "{}"])
def test_what_no_card_promises_is_held_against_what_the_server_states(serve, quote) -> None:
    server = serve(CONTENT, [1000])
    server.headers["X-Linked-Etag"] = quote.format(DIGEST)
    file = fetch_weights(card_of(server.url))
    assert json.loads(record_of(file).read_bytes())["sha256"] == DIGEST
    file.write_bytes(b"changed")
    with pytest.raises(BadWeights, match="damaged or another file"):
        weights_sha256(card_of(server.url), file)


def test_a_hub_states_the_sum_before_it_sends_on_to_the_file(serve) -> None:
    files, hub = serve(CONTENT, []), serve(b"", [])
    files.tag = f'"{"0" * 64}"'  # what such a server calls the file is its own affair
    hub.sends_on_to, hub.headers["X-Linked-Etag"] = files.url, f'"{DIGEST}"'
    assert fetch_weights(card_of(hub.url)).read_bytes() == CONTENT
    del hub.headers["X-Linked-Etag"]
    with pytest.raises(FetchError, match="states no sha256"):
        fetch_weights(card_of(hub.url + "?another"))


def test_a_server_that_states_another_sum_than_that_of_its_file_is_refused(serve, home) -> None:
    server = serve(CONTENT, [])
    server.tag = f'"{"0" * 64}"'
    with pytest.raises(FetchError, match="is not what net@start promises"):
        fetch_weights(card_of(server.url))
    assert left_in(home) == []


def test_a_file_of_which_nothing_vouches_is_not_even_asked_for(serve, home) -> None:
    server = serve(CONTENT, [])
    with pytest.raises(FetchError, match="states no sha256"):
        fetch_weights(card_of(server.url))
    assert server.asked == []
    assert left_in(home) == []


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(FetchError, match="does not answer"):
        fetch_weights(card_of("http://127.0.0.1:1/a.pth"))


def test_only_https_leaves_this_machine() -> None:
    with pytest.raises(FetchError, match="only https"):
        fetch_weights(card_of("http://example.org/a.pth"))


def test_a_download_that_stops_is_continued_and_says_what_else_there_is(serve, monkeypatch) -> None:
    server = serve(CONTENT, [100_000, 0])
    monkeypatch.setattr(catalog, "PAUSES_SECONDS", ())
    card = card_of(server.url, DIGEST)
    with pytest.raises(FetchError, match=r"100000 bytes are kept, .* `--from FILE` takes a file"):
        fetch_weights(card)
    assert fetch_weights(card).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=100000-"


def test_a_file_that_came_another_way_is_held_against_the_card(tmp_path, home) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    card = card_of("https://example.org/a.pth", DIGEST)
    with pytest.raises(FetchError, match="cannot read '/no/such'"):
        fetch_weights(card, source="/no/such")
    assert fetch_weights(card, source=str(tmp_path / "a")).read_bytes() == CONTENT
    other = card_of("https://example.org/b.pth", "0" * 64)
    with pytest.raises(FetchError, match="is not what net@start promises"):
        fetch_weights(other, source=str(tmp_path / "a"))
    assert not fetched_file(other).exists()


def test_where_no_card_promises_anything_the_users_file_is_taken_and_recorded(tmp_path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    card = card_of("https://example.org/a.pth")
    file = fetch_weights(card, source=str(tmp_path / "a"))
    assert json.loads(record_of(file).read_bytes())["sha256"] == DIGEST


def test_a_full_disk_leaves_nothing_and_says_where_there_may_be_room(
    tmp_path, home, monkeypatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a").write_bytes(CONTENT)
    monkeypatch.setattr(catalog.shutil, "copyfile", full)
    with pytest.raises(StoreError, match=r"No space left .* set CNNBENCH_DATA to a folder with"):
        fetch_weights(card_of("https://example.org/a.pth"), source=str(tmp_path / "a"))
    assert left_in(home) == []


def test_weights_that_are_not_fetched_lie_where_they_are(tmp_path) -> None:
    card = WeightsCard(name="a@b.pth", path=tmp_path / "b.pth")
    assert fetch_weights(card) == tmp_path / "b.pth"
    with pytest.raises(DataError, match="not fetched, but used as it lies"):
        fetch_weights(card, source="c.pth")
    with pytest.raises(MissingWeights, match="pip install cnnbench-no-such-package"):
        fetch_weights(WeightsCard(name="a@b", package="cnnbench-no-such-package", file="x"))


# -- the verb -------------------------------------------------------------------------------------


@pytest.fixture
def cnnbench(monkeypatch, capsys):
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cnnbench", *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def test_the_verb_brings_weights_and_says_what_to_type_next(cnnbench, tmp_path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    typed = ("fetch", "weights", "timm:resnet18.a1_in1k@pretrained", "--from", str(tmp_path / "a"))
    code, out, _ = cnnbench(*typed)
    assert code == 0
    assert DIGEST in out
    assert "next: cnnbench run --models timm:resnet18,timm:resnet18@a1_in1k" in out
    code, out, _ = cnnbench(*typed, "--json")
    assert json.loads(out)["sha256"] == DIGEST


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("fetch", "weights", "resnet18@torchvison"), 2, "did you mean 'resnet18@torchvision'"),
        (("fetch", "weights", "resnet18"), 2, "names no weights"),
        (("fetch", "weights", "resnet18@/no/such.pth"), 3, "there is no file"),
        (("fetch", "cifar10", "digits"), 2, "one thing is fetched at a time"),
        (("fetch", "weights"), 2, "one thing is fetched at a time"),
        (("fetch", "nothing"), 3, "unknown dataset 'nothing'"),
    ],
)
def test_a_mistake_is_said_with_what_to_type(cnnbench, words, code, said) -> None:
    left, _, err = cnnbench(*words)
    assert (left, said in err) == (code, True), err


def test_a_network_is_shown_with_its_weights(cnnbench) -> None:
    code, out, _ = cnnbench("models", "resnet18@torchvision")
    assert code == 0
    assert "weights behind an @: torchvision, a file" in out
    assert "resnet18@torchvision was trained on: ImageNet-1k, 1,281,167 images" in out
    assert "on this machine: no; the weights of resnet18@torchvision" in out
    code, out, _ = cnnbench("models", "lenet5", "--json")
    assert json.loads(out)["starts"] == []
