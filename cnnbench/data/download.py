"""How does a file come over an unreliable line, whole or not at all?

The bytes go to a `.part` file beside the target. When the line is cut, the next attempt asks for
the rest; `If-Range` with the server's own mark makes it send the whole again if the file has
changed meanwhile. A `.part` left by an earlier command is continued in the same way.
"""

import errno
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from cnnbench.data.errors import FetchError

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all or 0 when unknown)."""

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)  # between attempts that bring nothing new
_CHUNK = 1 << 18
_TIMEOUT_SECONDS = 30.0
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)  # waiting mends none
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def download(
    url: str,
    target: Path,
    *,
    most_bytes: int,
    progress: Progress | None = None,
    pauses: Sequence[float] = PAUSES_SECONDS,
) -> None:
    """Download `url` to `target`, over https, or over http from this machine itself.

    `pauses` are the seconds waited after each attempt in a row that brings no byte; after the last
    FetchError is raised, and the `.part` stays for the next command. More than `most_bytes` is
    refused.
    """
    require_safe(url)
    part, mark = target.with_name(target.name + ".part"), target.with_name(target.name + ".mark")
    idle = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
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
                "command continues"
            ) from cause
        time.sleep(pauses[idle - 1] if idle else 0)
    part.replace(target)
    mark.unlink(missing_ok=True)


def require_safe(url: str) -> None:
    """Raise FetchError unless `url` is https, or http from this machine itself."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise FetchError(f"{url!r} is refused: only https is used, and http from this machine itself")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
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
    opener = urllib.request.build_opener(_SafeRedirects)
    with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
        continues = answer.status == 206 and _starts_at(answer, have)
        have = have if continues else 0
        mark.write_text(_mark_of(answer))
        total = have + int(answer.headers.get("Content-Length") or 0)
        total = total if answer.headers.get("Content-Length") else 0
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


def _starts_at(answer: http.client.HTTPResponse, place: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {place}-")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
