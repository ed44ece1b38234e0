"""Do 10 to 16 bits, and pictures under an alpha of 0, arrive as pictures; is it said if not?"""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from cnnbench.data.open import open_dataset
from cnnbench.data.pixels.decode import decode_square
from cnnbench.data.pixels.hashes import hash_file
from cnnbench.data.thorough_check import examine

RAMP = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)


def scaled(wide: np.ndarray, bits: int) -> np.ndarray:
    return wide / (2**bits - 1) * 255


def png(path: Path, samples: np.ndarray, *, colour: int, sbit: bytes = b"") -> Path:
    """Write a PNG of 16 bits a sample, `colour` 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    stated = chunk(b"sBIT", sbit) if sbit else b""
    pixels = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + stated + pixels)
    return path


def tiff(path: Path, wide: np.ndarray, **tags: object) -> Path:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        info[getattr(TiffImagePlugin, name, None) or {"MAX": 281, "SMAX": 341}[name]] = value
    Image.fromarray(wide).save(path, tiffinfo=info)
    return path


def packed_tiff(path: Path, wide: np.ndarray) -> Path:
    """Write a TIFF of 12 bits a sample, two samples in three bytes."""
    pairs = wide.reshape(-1, 2).astype(int)
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1
    )
    data = packed.astype(np.uint8).tobytes()
    height, width = wide.shape
    entries = [
        (256, width), (257, height), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1),
        (278, height), (279, len(data)),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries
    )
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4))
    return path


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_depth_that_a_png_states_is_its_scale(tmp_path: Path, bits: int) -> None:
    wide = RAMP >> (12 - bits) if bits < 12 else RAMP << (bits - 12)
    path = png(tmp_path / "a.png", wide, colour=0, sbit=bytes([bits]))
    assert np.abs(decode_square(path, 64)[..., 0] - scaled(wide, bits)).max() <= 1
    assert hash_file(path).notes == ("16-bit",)


@pytest.mark.parametrize("tag", ["MAX", "SMAX"])
def test_the_maximal_value_that_a_tiff_states_is_its_scale(tmp_path: Path, tag: str) -> None:
    path = tiff(tmp_path / "a.tif", RAMP, **{tag: 4095})
    assert np.abs(decode_square(path, 64)[..., 0] - scaled(RAMP, 12)).max() <= 1


def test_the_brightest_value_of_one_image_is_no_scale(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", RAMP, MAX=int(RAMP.max()) - 95)
    assert np.abs(decode_square(path, 64)[..., 0] - scaled(RAMP, 16)).max() <= 1


def test_a_tiff_of_twelve_packed_bits_is_scaled_by_them(tmp_path: Path) -> None:
    path = packed_tiff(tmp_path / "a.tif", RAMP)
    assert np.abs(decode_square(path, 64)[..., 0] - scaled(RAMP, 12)).max() <= 1
    assert hash_file(path).used_bits == 0


def test_a_pgm_is_scaled_by_its_maximum(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 64 64 4095\n" + RAMP.astype(">u2").tobytes())
    assert np.abs(decode_square(path, 64)[..., 0] - scaled(RAMP, 12)).max() <= 1


def test_values_above_the_stated_depth_are_never_clipped(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", RAMP * 16, colour=0, sbit=bytes([12]))
    assert np.abs(decode_square(path, 64)[..., 0] - scaled(RAMP, 12)).max() <= 1


def test_white_is_zero_is_turned_round_in_any_depth(tmp_path: Path) -> None:
    wide = tiff(tmp_path / "wide.tif", RAMP * 16, PHOTOMETRIC_INTERPRETATION=0)
    plain = tmp_path / "plain.tif"
    Image.fromarray((RAMP >> 4).astype(np.uint8)).save(
        plain, tiffinfo={TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: 0}
    )
    with Image.open(wide) as image:
        assert image.tag_v2[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] == 0
    assert np.abs(decode_square(wide, 64)[..., 0] - (255 - scaled(RAMP, 12))).max() <= 1
    with Image.open(plain) as image:
        expected = np.asarray(image)
    assert (decode_square(plain, 64)[..., 0] == expected).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(9, 16), st.integers(0, 2**32 - 1))
def test_scaling_keeps_order_and_ends(tmp_path_factory, bits: int, seed: int) -> None:
    wide = np.random.default_rng(seed).integers(0, 2**bits, (40, 40)).astype(np.uint16)
    wide[0, :2] = 0, 2**bits - 1
    path = png(tmp_path_factory.mktemp("x") / "a.png", wide, colour=0, sbit=bytes([bits]))
    grey = decode_square(path, 40)[..., 0]
    assert grey[0, 0] == 0
    assert grey[0, 1] == 255
    order = np.argsort(wide.ravel(), kind="stable")
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()


def folder_of(root: Path, write) -> Path:
    """Make a set of two classes, `write(path, number)` each file."""
    for split, count in (("train", 4), ("val", 2)):
        for place, label in enumerate(("a", "b")):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                write(root / split / label / f"{number}.png", 10 * place + number + count)
    return root


def test_a_set_of_twelve_bits_in_sixteen_is_named_before_training(tmp_path: Path) -> None:
    def write(path: Path, number: int) -> None:
        Image.fromarray(np.roll(RAMP, 100 * number)).save(path)

    root = folder_of(tmp_path / "xrays", write)
    notices = open_dataset(str(root)).notices
    assert "all 12 images of 16 bits stay below 4096" in notices[0]
    assert "multiply them by 16" in notices[0]
    assert notices[1].startswith("12 images are left with one colour or under 32 levels")
    findings = {finding.verdict: finding for finding in examine(str(root)).findings}
    assert findings["narrow"].severity == findings["emptied"].severity == "warning"
    assert "notice" not in findings  # each is told once


@pytest.mark.parametrize("colour", [2, 6])
def test_dark_colours_of_sixteen_bits_are_named(tmp_path: Path, colour: int) -> None:
    def write(path: Path, number: int) -> None:
        samples = np.stack([np.roll(RAMP, 100 * number)] * 4, axis=2)
        samples[..., 3:] = 65535
        png(path, samples[..., : 3 if colour == 2 else 4], colour=colour)

    notices = open_dataset(str(folder_of(tmp_path / "colours", write))).notices
    assert any("stay below 4096" in notice for notice in notices)
    assert any("under 32 levels" in notice for notice in notices)


def test_full_depth_has_no_word(tmp_path: Path) -> None:
    def write(path: Path, number: int) -> None:
        Image.fromarray(np.roll(RAMP * 16, 100 * number)).save(path)

    assert open_dataset(str(folder_of(tmp_path / "full", write))).notices == ()


COLOURS = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def layer(alpha: int | np.ndarray) -> Image.Image:
    image = Image.fromarray(COLOURS).convert("RGBA")
    image.putalpha(Image.fromarray(np.broadcast_to(np.uint8(alpha), (40, 40)).copy()))
    return image


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_a_picture_under_an_alpha_of_zero_is_used(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    layer(0).save(path, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    assert (decode_square(path, 40) == COLOURS).all()
    assert hash_file(path).notes == ("alpha unused",)


def test_the_same_for_grey_and_for_a_palette(tmp_path: Path) -> None:
    grey = layer(0).convert("LA")
    grey.save(tmp_path / "grey.png")
    flat = Image.fromarray(COLOURS).quantize(16)
    flat.save(tmp_path / "flat.png", transparency=bytes(16))
    assert (decode_square(tmp_path / "grey.png", 40)[..., 0] == np.asarray(grey)[..., 0]).all()
    expected = np.asarray(flat.convert("RGB"))
    assert (decode_square(tmp_path / "flat.png", 40) == expected).all()


def test_one_visible_pixel_keeps_the_alpha(tmp_path: Path) -> None:
    alpha = np.zeros((40, 40), dtype=np.uint8)
    alpha[20, 20] = 255
    layer(alpha).save(tmp_path / "a.png")
    assert (decode_square(tmp_path / "a.png", 40) == 255).all(axis=2).sum() == 1599


def test_hidden_pictures_and_white_on_nothing_are_said_in_notices(tmp_path: Path) -> None:
    def write(path: Path, number: int) -> None:
        if number % 2:
            layer(0).rotate(number).save(path)
        else:
            icon = Image.new("RGBA", (40, 40), (255, 255, 255, 0))
            icon.putalpha(Image.fromarray(np.roll(COLOURS[..., 0], number)))
            icon.save(path)  # white, in a shape that only its alpha has

    notices = open_dataset(str(folder_of(tmp_path / "icons", write))).notices
    assert notices[0].startswith("6 images are left with one colour")
    assert notices[1].startswith("6 images have an alpha of 0 everywhere above colours")


def test_a_white_shape_in_the_alpha_of_sixteen_bits_is_emptied(tmp_path: Path) -> None:
    samples = np.full((64, 64, 4), 65535, dtype=np.uint16)
    samples[..., 3] = RAMP * 16
    path = png(tmp_path / "a.png", samples, colour=6)
    assert hash_file(path).notes == ("16-bit", "emptied", "transparent")


def test_a_transparent_grey_of_sixteen_bits_becomes_white(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", RAMP * 16, colour=0, sbit=bytes([16]))
    stated = struct.pack(">I", 2) + b"tRNS" + bytes(2)
    stated += struct.pack(">I", zlib.crc32(stated[4:]))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\0\0\0\x01sBIT", stated + b"\0\0\0\x01sBIT"))
    square = decode_square(path, 64)
    assert (square[RAMP == 0] == 255).all()
    assert (square[RAMP == 512] == 32).all()


def test_a_film_that_begins_blank_is_emptied(tmp_path: Path) -> None:
    blank = Image.new("RGB", (40, 40), "black")
    blank.save(tmp_path / "a.gif", save_all=True, append_images=[Image.fromarray(COLOURS)])
    assert "emptied" in hash_file(tmp_path / "a.gif").notes


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK"])
def test_flat_pictures_of_eight_bits_lose_nothing(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (40, 40), "white").convert(mode).save(tmp_path / "a.tif")
    assert "emptied" not in hash_file(tmp_path / "a.tif").notes
