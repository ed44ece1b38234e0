"""How do a card's files come onto this machine, verified, whole, and only when asked for?

A fetched dataset is a folder that appears in one rename, after every check. Beside its files lies
`SHA256SUMS`, in the form of `sha256sum`, so that `cnnbench check` can say later what has changed.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from platformdirs import user_data_path

from cnnbench.data.cards import Card, Download, list_cards
from cnnbench.data.dataset import fingerprint_of
from cnnbench.data.download import download, require_safe
from cnnbench.data.errors import DataError, FetchError, listed
from cnnbench.data.sums import SUMS, sums_of, text_of
from cnnbench.data.unpack import drop_top_folder, unpack

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all or 0 when unknown)."""

_ROOM_TO_GROW = 8  # times the size a card states: a server may pack the same files less well


def data_folder() -> Path:
    """Return where fetched datasets are kept: `$CNNBENCH_DATA`, or the platform's place."""
    chosen = os.environ.get("CNNBENCH_DATA")
    return Path(chosen) if chosen else user_data_path("cnnbench")


def fetched_folder(card: Card) -> Path:
    """Return where a card's files lie once fetched; another version of the files lies elsewhere."""
    facts = card.download
    identity = [facts.files_sha256 or facts.sha256] if facts else [card.loader]
    return data_folder() / f"{card.name}-{fingerprint_of([card.name, *identity])[:10]}"


def require_fetched(card: Card) -> Path:
    """Return the folder of a card's files; DataError that says what to type when there is none."""
    folder = fetched_folder(card)
    if folder.is_dir():
        return folder
    size = card.download.archive_bytes if card.download else 0
    words = card.name if card.name in list_cards() else str(card.path)
    raise DataError(
        f"dataset {card.name!r} is not on this machine yet; type: cnnbench fetch {words}"
        + (f" (about {size / 1e6:.0f} MB)" if size else "")
    )


def fetch(card: Card, *, source: str | None = None, progress: Progress | None = None) -> Path:
    """Bring a card's files and return their folder; what is there already is left as it is.

    `source` is a file or an address to use in place of the card's. Raises DataError for a card
    with nothing to fetch, FetchError when the content is not what the card promises; then nothing
    is left behind but the part of a download that can be continued.
    """
    target = fetched_folder(card)
    if card.kind == "torchvision":
        from cnnbench.data.torchvision_sets import fetch_torchvision

        def bring(folder: Path) -> Path:
            return fetch_torchvision(card.loader, folder, source)
    elif card.download is not None:
        facts = card.download

        def bring(folder: Path) -> Path:
            return _bring_archive(facts, folder, source, progress)
    else:
        by_hand = "folder" in card.options
        raise DataError(
            f"dataset {card.name!r} has nothing to fetch; "
            + (f"see {card.source}; then --data folder=PATH" if by_hand else "use it as it is")
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
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
    facts: Download, folder: Path, source: str | None, progress: Progress | None
) -> Path:
    chosen = source or facts.url
    is_address = "://" in chosen
    archive = data_folder() / "downloads" / _file_name(chosen) if is_address else Path(chosen)
    if is_address:
        require_safe(chosen)
        archive.parent.mkdir(parents=True, exist_ok=True)
        most = _ROOM_TO_GROW * facts.archive_bytes or 2**40
        download(chosen, archive, most_bytes=most, progress=progress)
    try:
        _require_archive(facts, archive)
        unpack(archive, folder, keep=facts.keep)
    finally:
        if is_address:
            archive.unlink(missing_ok=True)
    content = drop_top_folder(folder)
    _require_files(facts, content, chosen)
    return content


def _file_name(url: str) -> str:
    return f"{fingerprint_of([url])[:16]}.archive"


def _require_archive(facts: Download, archive: Path) -> None:
    """Refuse an archive that neither its own sha256 nor, later, its files can vouch for."""
    try:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FetchError(f"cannot read {str(archive)!r}: {error.strerror}") from error
    if digest not in facts.sha256 and not facts.files_sha256:
        raise FetchError(
            f"the archive's sha256 is {digest}, the card expects {' or '.join(facts.sha256)}; "
            "it was removed if it had been downloaded, so that nothing unknown is used"
        )


def _require_files(facts: Download, folder: Path, chosen: str) -> None:
    """Compare what was unpacked with the card's list of files."""
    if not facts.files_sha256:
        return
    sums = sums_of(folder)
    digest = hashlib.sha256(text_of(sums).encode()).hexdigest()
    if digest != facts.files_sha256:
        raise FetchError(
            f"the files in {chosen!r} are not the card's: {len(sums)} files with sha256 {digest} "
            f"over their list, expected {facts.files} with {facts.files_sha256}; first of them: "
            f"{listed(sums, at_most=3) or 'none'}"
        )
