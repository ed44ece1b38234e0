"""What was done to the pixels of each image, and of which was too much lost to learn from?"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cnnbench.base.words import plural
from cnnbench.data import shortlist
from cnnbench.data.pixels.hashes import ImageHash
from cnnbench.data.pixels.rgb import FEW_LEVELS
from cnnbench.data.quick_check import Finding, Severity

_CONVERSIONS: Mapping[str, str] = {
    "16-bit": "is scaled from 16 to 8 bits",
    "animated": "has several frames; the first counts",
    "cmyk": "is converted from CMYK to RGB",
    "elongated": "is over three times as long as wide; the central square shows under a third",
    "metadata": "has metadata that cannot be read and is ignored",
    "palette": "has a palette and is converted to RGB",
    "rotated": "is turned upright by its EXIF orientation, once",
    "tiny": "is under 32 pixels high or wide and is enlarged",
    "transparent": "is laid over white",
    "wrong extension": "has a name that does not fit its format; the content counts",
}


_LOSSES: Mapping[str, tuple[Severity, tuple[str, str], str]] = {
    "emptied": (
        "warning",
        ("image is", "images are"),
        f"left with one colour or under {FEW_LEVELS} levels in 8-bit RGB over white, where the "
        "file holds more",
    ),
    "alpha unused": (
        "note",
        ("image has", "images have"),
        "an alpha of 0 everywhere above colours; the colours are used without it",
    ),
}


def findings_on_losses(hashes: Mapping[str, ImageHash]) -> list[Finding]:
    """Say of which images the conversion left little, or an alpha channel was left out.

    A report has to print the details, so they carry their counts.
    """
    by_note = _names_by_note(hashes)
    noted = [
        on_files(severity, note, f"{plural(len(by_note[note]), *subject)} {what}", by_note[note])
        for note, (severity, subject, what) in _LOSSES.items()
        if note in by_note
    ]
    return [*_narrow(hashes), *noted]


def _narrow(hashes: Mapping[str, ImageHash]) -> Iterable[Finding]:
    """Say that all files of 16 bits use a small part of them, as those of 10 to 14 bits do."""
    used = {name: each.used_bits for name, each in hashes.items() if each.used_bits}
    top = max(used.values(), default=16)
    if top <= 14:
        bits = max(top, 9)
        yield on_files(
            "warning",
            "narrow",
            f"the values of all {plural(len(used), 'image')} of 16 bits stay below {2**bits}, so "
            f"that they turn dark: at most 1/{2 ** (16 - bits)} of the range is used; if they hold "
            f"{bits} bits, multiply them by {2 ** (16 - bits)} or state the depth (PNG sBIT, TIFF "
            "MaxSampleValue, PGM's header)",
            sorted(used),
        )


def conversions(hashes: Mapping[str, ImageHash]) -> list[Finding]:
    """Return one finding for each conversion that some images need."""
    return [
        on_files("note", note, f"each {_CONVERSIONS[note]}", names)
        for note, names in _names_by_note(hashes).items()
        if note in _CONVERSIONS
    ]


def _names_by_note(hashes: Mapping[str, ImageHash]) -> dict[str, list[str]]:
    return dict(grouped((note, name) for name in sorted(hashes) for note in hashes[name].notes))


def on_files(severity: Severity, verdict: str, what: str, names: Sequence[str]) -> Finding:
    """Return a finding on named files, a few of which its detail shows."""
    detail = f"{what}: {shortlist(names, at_most=3)}"
    return Finding(severity=severity, verdict=verdict, detail=detail, names=tuple(names))


def grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Gather (verdict, name) by verdict, in alphabetical order."""
    names = defaultdict(list)
    for verdict, name in pairs:
        names[verdict].append(name)
    return sorted(names.items())
