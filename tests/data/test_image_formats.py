"""Which files are taken for images, whatever they are called, and what is said of the others?"""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from cnnbench.data.open import open_dataset
from cnnbench.data.pixels import formats
from cnnbench.data.pixels.decode import decode_square
from cnnbench.data.pixels.formats import why_no_image
from cnnbench.data.pixels.hashes import hash_file
from cnnbench.data.thorough_check import examine

PHOTO = Image.fromarray(np.random.default_rng(5).integers(0, 256, (40, 40, 3), dtype=np.uint8))
HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(12)
JXL = b"\xff\x0a" + bytes(20)
CR2 = b"II*\0"


def encoded(kind: str, image: Image.Image = PHOTO) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.fixture
def without_plugins(monkeypatch: pytest.MonkeyPatch):
    """Stand for a machine on which no plug-in of Pillow is installed."""
    kept = tuple(name for name in formats.readable_formats() if name not in ("HEIF", "JXL"))
    known = {k: v for k, v in formats._known_suffixes().items() if v not in ("HEIF", "JXL")}
    monkeypatch.setattr(formats, "readable_formats", lambda: kept)
    monkeypatch.setattr(formats, "_known_suffixes", lambda: known)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jfif", "JPEG"), ("a.jpe", "JPEG"), ("a", "JPEG"), ("a.jpg_", "JPEG"),
        ("a.JPG ", "JPEG"), ("a.jpeg?w=200", "JPEG"), ("photo.2024", "PNG"),
        ("a.pgm", "PPM"), ("a.pbm", "PPM"),
        ("a.jp2", "JPEG2000"), ("a.tga", "TGA"), ("a.txt", "WEBP"),
        pytest.param("a.avif", "AVIF", marks=pytest.mark.skipif(
            not features.check("avif"), reason="this Pillow has no AVIF")),
    ],
)  # fmt: skip
def test_an_image_is_one_by_its_name_or_its_content(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(kind, PHOTO.convert("L") if kind == "PPM" else PHOTO))
    assert why_no_image(path) == ""
    assert decode_square(path, 40).shape == (40, 40, 3)
    assert ("wrong extension" in hash_file(path).notes) == (
        path.suffix.strip().lower() not in formats._known_suffixes()
    )


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_under_another_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("AVIF"))
    assert hash_file(tmp_path / "a.jpg").notes == ("wrong extension",)


@pytest.mark.parametrize(
    "content",
    [b"", b"P2P networks", b"BMW and others", b"P5", b"GIF is a format", b"II", b"{}", b"a,b\n"],
)
@pytest.mark.parametrize("name", ["labels.txt", "README", "x.csv", "notes.jpg.x"])
def test_words_are_never_taken_for_an_image(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert why_no_image(tmp_path / name) == "not images"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.jpg.part", "unfinished downloads"), ("a.png.crdownload", "unfinished downloads"),
        ("a.jpg~", "backup copies"), ("a.JPG_original", "backup copies"),
        ("a.jpg.BAK", "backup copies"),
    ],
)  # fmt: skip
def test_what_programs_leave_of_an_image_is_named_and_not_one(tmp_path, name, said) -> None:
    (tmp_path / name).write_bytes(encoded("JPEG"))
    assert why_no_image(tmp_path / name) == said


def test_programs_are_never_run_for_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    assert why_no_image(tmp_path / "a.eps") == "not images"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.heic", HEIC, ".heic files (pip install pillow-heif)"),
        ("a.HEIF", b"", ".heic files (pip install pillow-heif)"),
        ("IMG_1", HEIC, ".heic files (pip install pillow-heif)"),
        ("a.jxl", JXL, ".jxl files (pip install pillow-jxl-plugin)"),
        ("IMG_2.dat", JXL, ".jxl files (pip install pillow-jxl-plugin)"),
        ("a.CR2", encoded("TIFF"), "camera raw files (save them as images first)"),
        ("a.dng", encoded("TIFF"), "camera raw files (save them as images first)"),
    ],
)
@pytest.mark.usefixtures("without_plugins")
def test_what_cannot_be_read_here_is_named(tmp_path: Path, name, content, said) -> None:
    (tmp_path / name).write_bytes(content)
    assert why_no_image(tmp_path / name) == said


@pytest.mark.usefixtures("without_plugins")
def test_a_jpeg_under_the_name_of_another_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(encoded("JPEG"))
    assert why_no_image(tmp_path / "IMG_1.HEIC") == ""
    assert hash_file(tmp_path / "IMG_1.HEIC").notes == ("wrong extension",)


@pytest.mark.usefixtures("without_plugins")
def test_a_class_that_loses_files_says_so_in_notices_and_check(make_tree) -> None:
    root = make_tree({"train/a": 3, "train/b": 3, "val/a": 1, "val/b": 1})
    for number in range(4):
        (root / f"train/a/IMG_{number}.HEIC").write_bytes(HEIC)
    assert open_dataset(str(root)).notices == (
        "passed over: 4 .heic files (pip install pillow-heif)",
    )
    findings = {finding.verdict: finding for finding in examine(str(root)).findings}
    assert findings[".heic files (pip install pillow-heif)"].severity == "warning"


@pytest.mark.usefixtures("without_plugins")
def test_heic_under_the_name_of_a_jpeg_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.jpg").write_bytes(HEIC)
    assert ".heic by its content, which needs: pip install pillow-heif" in (
        hash_file(tmp_path / "IMG_1.jpg").reason
    )


@pytest.mark.parametrize(
    ("module", "kind", "suffix"), [("pillow_heif", "HEIF", ".heic"), ("pillow_jxl", "JXL", ".jxl")]
)
def test_formats_of_installed_plugins_are_read(tmp_path: Path, module, kind, suffix) -> None:
    pytest.importorskip(module)
    assert kind in formats.readable_formats()
    for name in (f"a{suffix}", "b", "c.jpg"):
        (tmp_path / name).write_bytes(encoded(kind))
        assert why_no_image(tmp_path / name) == ""
        assert decode_square(tmp_path / name, 40).shape == (40, 40, 3)


def test_a_pipe_is_never_opened_to_look_into_it(make_tree) -> None:
    root = make_tree({"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1})
    os.mkfifo(root / "train/a/pipe")
    assert open_dataset(str(root)).notices == ("passed over: 1 not images",)


def test_a_larger_bound_takes_larger_images_and_changes_no_others(make_tree) -> None:
    root = make_tree({"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1})
    before = open_dataset(str(root)).fingerprint
    wider = open_dataset(str(root), options={"max_megapixels": "120"})
    assert wider.fingerprint == before
    large = Image.new("L", (12_000, 9_000), 200)
    large.save(root / "train/a/large.jpg", quality=20)
    findings = {finding.verdict for finding in examine(str(root)).findings}
    assert "too large" in findings
    wide = {"max_megapixels": "120"}
    assert "too large" not in {f.verdict for f in examine(str(root), options=wide).findings}
    split = open_dataset(str(root), options=wide).splits["train"]
    square = split.source.image(split.names.index("train/a/large.jpg"), 32)
    assert np.abs(square.astype(int) - 200).max() <= 3


def test_a_large_jpeg_is_never_held_whole(tmp_path: Path, monkeypatch) -> None:
    Image.new("L", (8_000, 6_000), 90).save(tmp_path / "a.jpg", quality=20)
    sizes = []
    convert = Image.Image.convert
    monkeypatch.setattr(
        Image.Image,
        "convert",
        lambda self, *a, **k: sizes.append(self.size) or convert(self, *a, **k),
    )
    decode_square(tmp_path / "a.jpg", 64)
    assert sizes == [(1_000, 750)]


@pytest.mark.parametrize("value", ["0", "-3", "many", "1.5"])
def test_a_bound_that_is_no_count_is_refused(make_tree, value: str) -> None:
    root = make_tree({"train/a": 2, "train/b": 2, "val/a": 2})
    with pytest.raises(ValueError, match="max_megapixels"):
        open_dataset(str(root), options={"max_megapixels": value})
