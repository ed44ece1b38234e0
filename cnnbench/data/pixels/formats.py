"""Which files are images that can be read here, and what is missing to read the others?

A known suffix says so; any other name, or none, is settled by the content. Formats of Pillow's
plug-ins count where the plug-in is installed, and are named where it is not.
"""

import importlib
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from PIL import Image

# Left out are formats that run other programs (EPS, WMF), hold no photos or only say that they
# cannot be read.
_BY_CONTENT = (
    *("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI"),
    *("HEIF", "JXL"),  # of plug-ins
)
_BY_SUFFIX = ("TGA", "PCX", "SGI")  # what they begin with is found in other files by chance
PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_FAMILY = {"MPO": "JPEG"}  # Pillow opens the former as the latter

_PLUGINS: Mapping[str, tuple[str, str]] = {
    "HEIF": (".heic", "pip install pillow-heif"),
    "JXL": (".jxl", "pip install pillow-jxl-plugin"),
    "AVIF": (".avif", "pip install --upgrade pillow"),
}
_SUFFIXES_WITHOUT_PLUGIN: Mapping[str, str] = {
    **dict.fromkeys((".heic", ".heif", ".heics", ".heifs", ".hif"), "HEIF"),
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
    ".jxl": "JXL",
}
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
)
# Most are TIFF inside: Pillow would take the small preview for the photo.
_CAMERA_RAW = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc"),
        *(".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl"),
        *(".sr2", ".srf", ".srw", ".x3f"),
    )
)
# Browsers, download tools, editors and exiftool put these behind a whole name, mostly an image's.
_UNFINISHED = (
    *(".part", ".partial", ".crdownload", ".download", ".opdownload", ".filepart", ".aria2"),
    *(".tmp", ".temp"),
)
_BACKUPS = ("~", ".bak", ".backup", ".old", ".orig", "_original", ".swp")


def why_no_image(path: Path) -> str:
    """Return "" for a regular file that is an image by its name or content, else what it is.

    The answer is in the plural, for a count before it: "camera raw files (...)". A file with an
    image's suffix is an image, so that a damaged one is reported and not passed over.
    """
    suffix = _suffix(path)
    if suffix in _known_suffixes():
        return ""
    if suffix in _CAMERA_RAW:
        return "camera raw files (save them as images first)"
    if path.name.lower().endswith(_UNFINISHED):
        return "unfinished downloads"
    if path.name.lower().endswith(_BACKUPS):
        return "backup copies"
    if _opens(path):
        return ""
    missing = missing_plugin(path)
    return "{} files ({})".format(*missing) if missing else "not images"


def has_image_suffix(name: str) -> bool:
    """Return whether a file's name says that it is an image."""
    return _suffix(Path(name)) in _known_suffixes()


def missing_plugin(path: Path) -> tuple[str, str] | None:
    """Return the suffix of a file's format and the command that makes it readable, if it is not."""
    start = start_of(path)
    if start[4:8] == b"ftyp" and start[8:] in _HEIF_BRANDS:
        kind = "HEIF"
    elif start[4:8] == b"ftyp" and start[8:] in (b"avif", b"avis"):
        kind = "AVIF"
    elif start.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        kind = "JXL"
    else:
        kind = _SUFFIXES_WITHOUT_PLUGIN.get(_suffix(path), "")
    return None if kind in readable_formats() else _PLUGINS.get(kind)


def formats_of(path: Path) -> tuple[str, ...]:
    """Return the formats of Pillow that are tried on a file, whatever it is called."""
    by_suffix = _known_suffixes().get(_suffix(path), "")
    return (*readable_formats(), by_suffix) if by_suffix in _BY_SUFFIX else readable_formats()


def is_suffix_of(path: Path, kind: str) -> bool:
    """Return whether a file's suffix is one of the format `kind`."""
    return _known_suffixes().get(_suffix(path)) == _JPEG_FAMILY.get(kind, kind)


def _suffix(path: Path) -> str:
    return path.suffix.strip().lower()


def _opens(path: Path) -> bool:
    """Return whether a file has the header of an image, be it damaged or too large."""
    try:
        with Image.open(path, formats=readable_formats()):
            return True
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return True
    except Exception:  # words may begin like an image ("P2P", "BMW") and fail in nearly any way
        return has_image_start(path)


def has_image_start(path: Path) -> bool:
    """Return whether a file begins as JPEG and PNG do, whatever follows."""
    return start_of(path).startswith((b"\xff\xd8\xff", PNG_START))


def start_of(path: Path) -> bytes:
    """Return the first 12 bytes of a file, none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(12)
    except OSError:
        return b""


@cache
def readable_formats() -> tuple[str, ...]:
    """Return the formats known by content that this machine reads; makes Pillow ready for them."""
    # Pillow warns of odd metadata in images it reads well; thousands of files would drown the user
    # in lines. What it cannot read, it raises. A filter around each image would not do: filters
    # are the process's, and threads would put back each other's.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.init()
    for module, register in (("pillow_heif", "register_heif_opener"), ("pillow_jxl", "")):
        try:
            plugin = importlib.import_module(module)
        except ImportError:
            continue
        if register:
            getattr(plugin, register)()
    return tuple(name for name in _BY_CONTENT if name in Image.OPEN)


@cache
def _known_suffixes() -> Mapping[str, str]:
    """Return the suffixes of the formats that are read, in lower case, with their format."""
    wanted = {*readable_formats(), *_BY_SUFFIX, *_JPEG_FAMILY}
    return {
        suffix: _JPEG_FAMILY.get(kind, kind)
        for suffix, kind in Image.registered_extensions().items()
        if kind in wanted
    }
