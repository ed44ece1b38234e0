"""Are the decoding rules kept for every kind of file people bring?"""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from cnnbench.data import DataError
from cnnbench.data.pixels.decode import decode_square

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(size: int = 32) -> Image.Image:
    """Return a square of four colours: red, green above blue, white."""
    half = size // 2
    pixels = np.zeros((size, size, 3), dtype=np.uint8)
    pixels[:half, :half], pixels[:half, half:] = RED, GREEN
    pixels[half:, :half], pixels[half:, half:] = BLUE, WHITE
    return Image.fromarray(pixels)


def corners(image: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(image[y, x].tolist()) for y in (0, -1) for x in (0, -1)]


def header_only_png(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


def test_result_is_rgb_bytes_of_the_size(tmp_path: Path) -> None:
    Image.new("RGB", (40, 25), RED).save(tmp_path / "a.png")
    square = decode_square(tmp_path / "a.png", 16)
    assert square.shape == (16, 16, 3)
    assert square.dtype == np.uint8
    assert (square == RED).all()


def test_the_central_square_is_kept(tmp_path: Path) -> None:
    wide = Image.new("RGB", (64, 32), BLUE)
    wide.paste(quarters(), (16, 0))
    wide.save(tmp_path / "wide.png")
    assert (decode_square(tmp_path / "wide.png", 32) == np.asarray(quarters())).all()


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_exif_orientation_is_applied_once(tmp_path: Path, suffix, orientation, expected) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"turned.{suffix}"
    options = (
        {"quality": 100} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
    )
    quarters(64).save(path, exif=exif, **options)
    difference = np.array(corners(decode_square(path, 64))) - np.array(expected)
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("suffix", ["png", "tif", "ppm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / f"ramp.{suffix}")
    decoded = decode_square(tmp_path / f"ramp.{suffix}", 64).astype(np.float64)
    assert np.abs(decoded - ramp[..., None] / 257).max() <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_without_a_range_are_refused_by_name(tmp_path: Path, dtype) -> None:
    Image.fromarray(np.zeros((8, 8), dtype=dtype)).save(tmp_path / "deep.tif")
    with pytest.raises(DataError, match=r"deep.tif'.*no single 8-bit form"):
        decode_square(tmp_path / "deep.tif", 8)


def test_alpha_is_laid_over_white(tmp_path: Path) -> None:
    layer = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    layer.paste((0, 0, 0, 128), (0, 0, 4, 8))
    layer.save(tmp_path / "layer.png")
    square = decode_square(tmp_path / "layer.png", 8)
    assert square[0, -1].tolist() == [255, 255, 255]
    assert square[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_transparent_palette_colour_becomes_white(tmp_path: Path, suffix: str) -> None:
    flat = Image.new("P", (8, 8), 1)
    flat.putpalette([255, 0, 0, 0, 0, 255])
    flat.paste(0, (0, 0, 4, 8))
    flat.save(tmp_path / f"flat.{suffix}", transparency=0)
    square = decode_square(tmp_path / f"flat.{suffix}", 8)
    assert square[0, 0].tolist() == list(WHITE)
    assert square[0, -1].tolist() == list(BLUE)


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", "tif"), ("YCbCr", "tif"), ("1", "png")])
def test_other_colour_models_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    source = Image.new("RGB", (8, 8), WHITE).convert(mode)
    source.save(tmp_path / f"other.{suffix}")
    assert (decode_square(tmp_path / f"other.{suffix}", 8) == 255).all()


def test_cmyk_jpeg_keeps_its_colour(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), RED).convert("CMYK").save(tmp_path / "ink.jpg", quality=100)
    colour = decode_square(tmp_path / "ink.jpg", 32).reshape(-1, 3).mean(axis=0)
    assert np.abs(colour - RED).max() <= 3


def test_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (GREEN, RED)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert decode_square(tmp_path / "film.gif", 8)[0, 0].tolist() == list(GREEN)


def test_large_jpeg_is_scaled_like_the_full_decode(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    smooth.resize((960, 640), Image.Resampling.BICUBIC).save(tmp_path / "big.jpg", quality=95)
    with Image.open(tmp_path / "big.jpg") as image:
        full = image.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR, (160, 0, 800, 640))
    difference = decode_square(tmp_path / "big.jpg", 64).astype(int) - np.asarray(full)
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize(("width", "height"), [(9_000, 6_000), (12_000, 9_000), (60_000, 60_000)])
def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path, width, height) -> None:
    (tmp_path / "bomb.png").write_bytes(header_only_png(width, height))
    with pytest.raises(DataError, match=r"bomb.png'.*megapixels"):
        decode_square(tmp_path / "bomb.png", 8)


def test_damaged_files_are_refused_with_name_and_reason(tmp_path: Path) -> None:
    quarters(256).save(tmp_path / "good.jpg", quality=95)
    whole = (tmp_path / "good.jpg").read_bytes()
    cases = {
        "empty.jpg": (b"", "empty \\(0 bytes\\)"),
        "page.jpg": (b"<html><body>not found", "not an image of a known format.*<html>"),
        "half.jpg": (whole[: len(whole) // 2], "damaged or incomplete"),
        "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not an image"),
    }
    for name, (content, reason) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}'.*{reason}"):
            decode_square(tmp_path / name, 8)
    with pytest.raises(DataError, match=r"gone.jpg'.*No such file"):
        decode_square(tmp_path / "gone.jpg", 8)
