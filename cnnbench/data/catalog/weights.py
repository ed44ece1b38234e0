"""How do trained weights come onto this machine, verified, whole, and only when asked for?

They are known by the sha256 that their card states, whole or its first digits, or that the server
of a model hub states for the file. What came is recorded beside the file, and each later use is
held against that.
"""

import json
import shutil
import urllib.error
import urllib.request
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from filelock import FileLock

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import commit, disk_errors, write_text
from cnnbench.data import DataError, FetchError, Progress
from cnnbench.data.catalog.fetch import (
    PAUSES_SECONDS,
    TIMEOUT_SECONDS,
    SafeRedirects,
    download,
    require_safe,
)
from zoo.weights import WeightsCard, fetched_file, record_of, weights_file

__all__ = ["fetch_weights"]

_MOST_BYTES = 2**35  # the largest networks of timm have some 2**34
_ROOM = "set CNNBENCH_DATA to a folder with room"


def fetch_weights(
    card: WeightsCard, *, source: str | None = None, progress: Progress | None = None
) -> Path:
    """Bring the weights of a card and return their file; what is there already is left as it is.

    So it is with weights in a package and with a file given by its path. `source` is a file or an
    address to use in place of the card's; `progress` counts bytes.

    Raises:
        DataError: there is nothing to fetch, and `source` has something else.
        MissingWeights: the package is not installed.
        FetchError: nothing vouches for the content, or it is another than what is promised. Then
            nothing is left but the part of a download that can be continued.
        StoreError: the disk refuses.
    """
    if card.url is None:
        if source is not None:
            raise DataError(f"--from: {card.name} is not fetched, but used as it lies")
        return weights_file(card)
    target = fetched_file(card)
    with disk_errors(target, advice=_ROOM):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock")).acquire()
    with lock:
        if not target.is_file():
            _bring(card, target, source or card.url, progress)
    return target


def _bring(card: WeightsCard, target: Path, place: str, progress: Progress | None) -> None:
    """Bring the content beside the target, hold it against what is promised, and rename it."""
    incoming = target.with_name(f".{target.name}.incoming")
    promised = card.sha256
    try:
        if "://" in place:
            promised = promised or _stated_sha256(place)
            download(
                place,
                incoming,
                most_bytes=_MOST_BYTES,
                progress=progress,
                pauses=PAUSES_SECONDS,
                without_network=lambda: "; `--from FILE` takes a file that came another way",
            )
        else:  # where the card states nothing, the user's own word for a file counts
            _copy(Path(place), incoming)
        digest = sha256_of(incoming)
        if not digest.startswith(promised):
            raise FetchError(
                f"{place!r} is not what {card.name} promises: its sha256 is {digest}, expected "
                f"{promised}{'' if len(promised) == 64 else '...'}; nothing of it is kept"
            )
        facts = {"version": 1, "name": card.name, "from": place, "sha256": digest}
        write_text(record_of(target), json.dumps(facts, indent=1) + "\n", advice=_ROOM)
        commit(incoming, target)
    except FetchError:
        raise
    except OSError:
        with disk_errors(target, advice=_ROOM):
            raise
    finally:
        incoming.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    try:
        with source.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise FetchError(f"cannot read {str(source)!r}: {error.strerror}") from error
    shutil.copyfile(source, target)


class _Answers(SafeRedirects):
    """Follows redirections, and keeps what each server on the way said in its headers."""

    def __init__(self) -> None:
        self.said: list[Message] = []

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Keep the headers and follow."""
        self.said.append(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _stated_sha256(url: str) -> str:
    """Ask a server for the sha256 of a file, without the file.

    A hub of models states it as `X-Linked-Etag` before it sends on to where files lie. The `ETag`
    of a server that is sent to is its own affair, and may be another 64 digits.
    """
    require_safe(url)
    answers = _Answers()
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "cnnbench"})
    try:
        opener = urllib.request.build_opener(answers)
        with opener.open(request, timeout=TIMEOUT_SECONDS) as last:
            answers.said.append(last.headers)
    except (urllib.error.URLError, TimeoutError) as error:
        raise FetchError(f"{url} does not answer: {error}") from error
    first = answers.said[0].get("ETag", "") if len(answers.said) == 1 else ""
    stated = [*(each.get("X-Linked-Etag", "") for each in answers.said), first]
    for tag in stated:
        digest = tag.removeprefix("W/").strip('"').lower()
        if len(digest) == 64 and not digest.strip("0123456789abcdef"):
            return digest
    raise FetchError(
        f"{url} states no sha256, so nothing would tell a wrong file; bring the file yourself and "
        "use --from FILE, or type it behind the @"
    )
