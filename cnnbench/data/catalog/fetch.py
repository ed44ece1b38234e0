"""How do a card's files come onto this machine, verified, whole, and only when asked for?

A fetched dataset is a folder that appears in one rename, after every check. It also holds a list of
its files, `SHA256SUMS`, so that `cnnbench check` can say later what has changed.
The second half downloads one file over a line that may be cut.
"""

import errno
import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from filelock import FileLock

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import commit, disk_errors
from cnnbench.data import DataError, FetchError, Progress, shortlist
from cnnbench.data.catalog.cards import Card, Download
from cnnbench.data.catalog.checksums import SUMS, sums_of, text_of
from cnnbench.data.catalog.here import data_folder, fetched_folder, offers
from cnnbench.data.catalog.unpack import drop_top_folder, unpack
from cnnbench.data.dataset import fingerprint_of

__all__ = ["fetch"]

_ROOM_TO_GROW = 8  # times the size a card states: a server may pack the same files less well


def fetch(card: Card, *, source: str | None = None, progress: Progress | None = None) -> Path:
    """Bring a card's files and return their folder; what is there already is left as it is.

    `source` is a file or an address to use in place of the card's; `progress` counts bytes. Raises
    DataError for a card with nothing to fetch, FetchError when the content is not what the card
    promises; then nothing is left behind but the part of a download that can be continued.
    """
    target = fetched_folder(card)
    bring: Callable[[Path], Path]
    if card.kind == "torchvision":
        from cnnbench.data.sources.libraries import fetch_torchvision

        bring = partial(fetch_torchvision, card.loader, source=source)
    elif card.download is not None:
        bring = partial(_bring_archive, card.download, source=source, progress=progress)
    else:
        by_hand = "folder" in card.options
        raise DataError(
            f"dataset {card.name!r} has nothing to fetch; "
            + (f"see {card.source}; then --data folder=PATH" if by_hand else "use it as it is")
        )
    with disk_errors(target, advice="set CNNBENCH_DATA to a folder with room"):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock")).acquire()
    with lock:
        if not target.is_dir():
            _place(target, bring)
    return target


def _place(target: Path, bring: Callable[[Path], Path]) -> None:
    """Let `bring` fill a folder beside the target, write its sums, and rename it into place."""
    work = target.with_name(f".{target.name}.part")
    shutil.rmtree(work, ignore_errors=True)  # what a killed process left
    try:
        content = bring(work)
        (content / SUMS).write_text(text_of(sums_of(content)), encoding="utf-8")
        content.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _bring_archive(
    facts: Download, folder: Path, *, source: str | None, progress: Progress | None
) -> Path:
    place = source or facts.url
    archive = Path(place)
    if "://" in place:
        require_safe(place)
        archive = data_folder() / "downloads" / f"{fingerprint_of([place])[:16]}.archive"
        archive.parent.mkdir(parents=True, exist_ok=True)
        most = _ROOM_TO_GROW * facts.archive_bytes or 2**40
        download(place, archive, most_bytes=most, progress=progress)
    try:
        _require_archive(facts, archive)
        unpack(archive, folder, keep=facts.keep)
    finally:
        if "://" in place:
            archive.unlink(missing_ok=True)
    content = drop_top_folder(folder)
    _require_files(facts, content, place)
    return content


def _require_archive(facts: Download, archive: Path) -> None:
    """Refuse an archive that neither its own sha256 nor, later, its files can vouch for."""
    try:
        digest = sha256_of(archive)
    except OSError as error:
        raise FetchError(f"cannot read {str(archive)!r}: {error.strerror}") from error
    if digest not in facts.sha256 and not facts.files_sha256:
        raise FetchError(
            f"the archive's sha256 is {digest}, the card expects {' or '.join(facts.sha256)}; "
            "it was removed if it had been downloaded, so that nothing unknown is used"
        )


def _require_files(facts: Download, folder: Path, place: str) -> None:
    """Compare what was unpacked with the card's list of files."""
    if not facts.files_sha256:
        return
    sums = sums_of(folder)
    digest = sha256_of(text_of(sums).encode())
    if digest != facts.files_sha256:
        raise FetchError(
            f"the files in {place!r} are not the card's: {len(sums)} files with sha256 {digest} "
            f"over their list, expected {facts.files} with {facts.files_sha256}; first of them: "
            f"{shortlist(sums, at_most=3) or 'none'}"
        )


# -- download -------------------------------------------------------------------------------------
#
# The bytes go to a `.part` file beside the target. When the line is cut, the next attempt asks
# for the rest; `If-Range` with the server's own mark makes it send the whole again if the file
# has changed meanwhile. A `.part` left by an earlier command is continued in the same way.

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)  # between attempts that bring nothing new
_CHUNK = 1 << 18
TIMEOUT_SECONDS = 30.0
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)  # waiting mends none
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def download(
    url: str,
    target: Path,
    *,
    most_bytes: int,
    progress: Progress | None = None,
    pauses: Sequence[float] = PAUSES_SECONDS,
    without_network: Callable[[], str] = offers,
) -> None:
    """Download `url` to `target`, over https, or over http from this machine itself.

    `pauses` are the seconds waited after each attempt in a row that brings no byte; after the last
    FetchError is raised, with what `without_network` says, and the `.part` stays for the next
    command. More than `most_bytes` is refused.
    """
    require_safe(url)
    part, mark = target.with_name(target.name + ".part"), target.with_name(target.name + ".mark")
    idle = 0
    while True:
        before = _size(part)
        try:
            _attempt(url, part, mark, most_bytes, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:  # no such range: the file has become shorter
                part.unlink()
            elif error.code < 500 and error.code != 429:
                raise FetchError(f"{url} answers {error.code} {error.reason}") from error
            cause: Exception = error
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, FetchError) or getattr(error, "errno", None) in _DISK_ERRORS:
                raise
            cause = error
        idle = idle + 1 if _size(part) <= before else 0
        if idle > len(pauses):
            raise FetchError(
                f"{url} cannot be downloaded: {cause}; {_size(part)} bytes are kept, the same "
                f"command continues{without_network()}"
            ) from cause
        time.sleep(pauses[idle - 1] if idle else 0)
    commit(part, target)
    mark.unlink(missing_ok=True)


def require_safe(url: str) -> None:
    """Raise FetchError unless `url` is https, or http from this machine itself."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise FetchError(f"{url!r} is refused: only https is used, and http from this machine itself")


class SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only where the first address could have led."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse to leave https."""
        require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _attempt(url: str, part: Path, mark: Path, most_bytes: int, progress: Progress | None) -> None:
    """Bring the bytes that are missing; raise when the line ends before the last."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "cnnbench"})
    known = mark.read_text() if have and mark.exists() else ""
    if known:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", known)
    opener = urllib.request.build_opener(SafeRedirects)
    with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
        starts = answer.headers.get("Content-Range", "")
        continues = answer.status == 206 and starts.startswith(f"bytes {have}-")
        have = have if continues else 0
        mark.write_text(_mark_of(answer))
        length = int(answer.headers.get("Content-Length") or 0)
        total = have + length if length else 0
        if total > most_bytes:
            raise FetchError(f"{url} is {total} bytes, the most expected is {most_bytes}")
        with part.open("ab" if continues else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > most_bytes:
                    raise FetchError(f"{url} sends over {most_bytes} bytes, the most expected")
                if progress is not None:
                    progress(have, total)
    if total and have < total:  # http.client ends such a file without a word
        raise http.client.IncompleteRead(b"", total - have)


def _mark_of(answer: http.client.HTTPResponse) -> str:
    """Return what names this version of the file; a weak tag does not promise the same bytes."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
