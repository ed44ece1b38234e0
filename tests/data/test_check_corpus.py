"""Does `check` give every odd or broken file its right verdict, and agree with training?"""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench.data import DataError
from cnnbench.data.pixels.decode import decode_square
from cnnbench.data.thorough_check import Diagnosis, examine

RNG = np.random.default_rng(7)
PHOTO = Image.fromarray(RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png_bomb(side: int) -> bytes:
    """A PNG whose header claims `side` x `side` grey pixels and whose content is tiny."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bmp_bomb() -> bytes:
    whole = bytearray(encoded(PHOTO, "BMP"))
    whole[18:26] = struct.pack("<ii", 12000, 9000)
    return bytes(whole)


def with_bad_checksum() -> bytes:
    whole = bytearray(encoded(PHOTO, "PNG"))
    place = whole.index(b"IDAT") + 4
    whole[place + 40 : place + 44] = b"\0\0\0\0"
    return bytes(whole)


def frames(kind: str) -> bytes:
    other = Image.fromarray(RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    return encoded(PHOTO, kind, save_all=True, append_images=[other])


def of_mode(mode: str) -> Image.Image:
    return PHOTO.convert(mode)


def wide_grey(kind: str) -> bytes:
    ramp = np.linspace(0, 65535, 4800).reshape(60, 80)
    return encoded(Image.fromarray(ramp.astype(np.uint16)), kind)


Maker = Callable[[], bytes]
CORPUS: dict[str, tuple[Maker, tuple[str, ...]]] = {
    "empty.jpg": (lambda: b"", ("empty",)),
    "empty.png": (lambda: b"", ("empty",)),
    "text.jpg": (lambda: b"these are words, not pixels", ("not an image",)),
    "page.jpg": (lambda: b"<!DOCTYPE html><html>404 not found</html>", ("not an image",)),
    "noise.png": (lambda: bytes(RNG.bytes(900)), ("not an image",)),
    "drawing.png": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", ("not an image",)),
    "only-a-header.jpg": (lambda: encoded(PHOTO, "JPEG")[:4], ("damaged",)),
    "half.jpg": (lambda: encoded(PHOTO, "JPEG")[:1500], ("truncated",)),
    "half.png": (lambda: encoded(PHOTO, "PNG")[:5000], ("truncated",)),
    "half.gif": (lambda: encoded(PHOTO, "GIF")[:2000], ("truncated",)),
    "half.bmp": (lambda: encoded(PHOTO, "BMP")[:5000], ("truncated",)),
    "half.tif": (lambda: encoded(PHOTO, "TIFF")[:5000], ("truncated",)),
    "half.webp": (lambda: encoded(PHOTO, "WEBP")[:600], ("damaged",)),
    "checksum.png": (with_bad_checksum, ("damaged",)),
    "bomb.png": (lambda: png_bomb(20000), ("too large",)),
    "big.png": (lambda: png_bomb(9000), ("too large",)),
    "bomb.bmp": (bmp_bomb, ("too large",)),
    "float.tif": (lambda: encoded(of_mode("L").convert("F"), "TIFF"), ("unsupported",)),
    "int32.tif": (lambda: encoded(of_mode("L").convert("I"), "TIFF"), ("unsupported",)),
    "print.jpg": (lambda: encoded(of_mode("CMYK"), "JPEG"), ("cmyk",)),
    "palette.png": (lambda: encoded(of_mode("P"), "PNG"), ("palette",)),
    "palette.gif": (lambda: encoded(of_mode("P"), "GIF"), ("palette",)),
    "clear.png": (lambda: encoded(of_mode("RGBA"), "PNG"), ("transparent",)),
    "clear-grey.png": (lambda: encoded(of_mode("LA"), "PNG"), ("transparent",)),
    "wide.png": (lambda: wide_grey("PNG"), ("16-bit",)),
    "wide.tif": (lambda: wide_grey("TIFF"), ("16-bit",)),
    "turned.jpg": (lambda: encoded(PHOTO, "JPEG", exif=exif(6)), ("rotated",)),
    "mirrored.jpg": (lambda: encoded(PHOTO, "JPEG", exif=exif(2)), ("rotated",)),
    "moving.webp": (lambda: frames("WEBP"), ("animated",)),
    "pages.tif": (lambda: frames("TIFF"), ("animated",)),
    "is-a-png.jpg": (lambda: encoded(PHOTO, "PNG"), ("wrong extension",)),
    "is-a-jpeg.png": (lambda: encoded(PHOTO, "JPEG"), ("wrong extension",)),
    "thin.png": (lambda: encoded(PHOTO.resize((300, 40)), "PNG"), ("elongated",)),
    "dot.png": (lambda: encoded(PHOTO.resize((3, 3)), "PNG"), ("tiny",)),
    ".hidden.jpg": (lambda: encoded(PHOTO, "JPEG"), ("hidden",)),
    "notes.txt": (lambda: b"bought on Monday", ("not images",)),
    "archive.zip": (lambda: b"PK\x05\x06" + bytes(18), ("not images",)),
}
BROKEN = ("empty", "not an image", "truncated", "damaged", "too large", "unsupported")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus") / "photos"
    for label in ("odd", "plain"):
        (root / label).mkdir(parents=True)
        for number in range(3):
            noise = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / label / f"fine{number}.png")
    for name, (make, _) in CORPUS.items():
        (root / "odd" / name).write_bytes(make())
    (root / "odd" / "loop").symlink_to(root)
    (root / "odd" / "elsewhere.png").symlink_to(root.parent / "another.png")
    (root.parent / "another.png").write_bytes(encoded(PHOTO.rotate(180), "PNG"))
    (root / "stray.png").write_bytes(encoded(PHOTO, "PNG"))
    os.mkfifo(root / "odd" / "pipe.jpg")
    return root


@pytest.fixture(scope="module")
def diagnosis(corpus: Path) -> Diagnosis:
    return examine(str(corpus))


@pytest.mark.parametrize("name", CORPUS)
def test_every_file_has_its_verdict(diagnosis: Diagnosis, name: str) -> None:
    assert diagnosis.files[f"odd/{name}"] == CORPUS[name][1]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("odd/loop", "links in a loop"),
        ("odd/pipe.jpg", "not images"),
        ("stray.png", "images outside any class folder"),
    ],
)
def test_what_is_no_plain_file_of_a_class_is_passed_over(
    diagnosis: Diagnosis, name: str, verdict: str
) -> None:
    assert diagnosis.files[name] == (verdict,)


def test_a_fine_file_has_no_verdict(diagnosis: Diagnosis) -> None:
    assert "plain/fine0.png" not in diagnosis.files
    assert "odd/elsewhere.png" not in diagnosis.files


def test_training_refuses_exactly_what_check_calls_broken(corpus: Path) -> None:
    for name, (_, verdicts) in CORPUS.items():
        if Path(name).suffix in (".txt", ".zip"):
            continue
        broken = verdicts[0] in BROKEN
        try:
            decode_square(corpus / "odd" / name, 16)
        except DataError:
            assert broken, name
        else:
            assert not broken, name


def test_broken_files_make_a_set_unusable_until_they_are_removed(
    corpus: Path, diagnosis: Diagnosis
) -> None:
    broken = [name for name, (_, verdicts) in CORPUS.items() if verdicts[0] in BROKEN]
    errors = [finding for finding in diagnosis.findings if finding.severity == "error"]
    assert not diagnosis.usable
    assert sorted(error.names[0] for error in errors) == sorted(f"odd/{name}" for name in broken)


def test_a_layout_that_makes_no_dataset_is_a_finding(make_tree) -> None:
    root = make_tree({"train/apple": 2, "train/plum": 2, "val/durian": 1})
    diagnosis = examine(str(root))
    assert [f.verdict for f in diagnosis.findings if f.severity == "error"] == ["layout"]
    assert diagnosis.images == {}


def test_files_that_changed_since_they_were_listed_are_named(make_tree) -> None:
    from cnnbench.data.catalog.checksums import SUMS, sums_of, text_of

    root = make_tree({"train/apple": 9, "train/plum": 9, "val/apple": 4, "val/plum": 4})
    (root / SUMS).write_text(text_of(sums_of(root)))
    assert examine(str(root)).usable
    (root / "val/plum/3.png").unlink()
    for number in range(5):
        file = root / f"train/apple/{number}.png"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1  # inside the end mark's checksum, which decoding does not read
        file.write_bytes(content)
    by_verdict = {f.verdict: f for f in examine(str(root)).findings}
    assert by_verdict["changed"].names == tuple(f"train/apple/{number}.png" for number in range(5))
    assert by_verdict["missing"].names == ("val/plum/3.png",)
