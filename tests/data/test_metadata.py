"""Do sound pixels survive unsound metadata of every kind?"""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, TiffImagePlugin

from cnnbench.data.pixels.decode import decode_square
from cnnbench.data.pixels.hashes import hash_file

NOISE = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
PHOTO = Image.fromarray(NOISE).resize((80, 60), Image.Resampling.BICUBIC)


def ifd(kind: int, count: int, raw: bytes, *, tag: int = 0x112) -> bytes:
    entry = struct.pack("<HHHI", 1, tag, kind, count) + raw
    return b"Exif\0\0II*\0\x08\0\0\0" + entry + bytes(20)


EXIF = {
    "blank": b"Exif\0\0",
    "nothing": b"",
    "words": b"Exif\0\0this is no directory",
    "cut": b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01",
    "text": ifd(2, 4, b"top\0"),
    "text of a number": ifd(2, 2, b"6\0\0\0"),
    "bytes": ifd(1, 1, b"\x06\0\0\0"),
    "no count": ifd(3, 0, bytes(4)),
    "two": ifd(3, 2, struct.pack("<HH", 6, 6)),
    "zero": ifd(3, 1, bytes(4)),
    "nine": ifd(3, 1, struct.pack("<HH", 9, 0)),
    "0/0": ifd(5, 1, struct.pack("<I", 26)),
    "far away": ifd(5, 1, struct.pack("<I", 2**31)),
    "loop": ifd(4, 1, struct.pack("<I", 8), tag=0x8769),
    "kind of none": ifd(99, 1, bytes(4)),
    "huge count": ifd(3, 2**31, bytes(4)),
}


def saved(path: Path, image: Image.Image = PHOTO, **options: object) -> Path:
    image.save(path, **options)
    return path


def plain(path: Path) -> np.ndarray:
    """Decode the same pixels without any metadata."""
    with Image.open(path) as image:
        image.load()
        kept = saved(path.with_name("plain.png"), image.convert("RGB"))
    return decode_square(kept, 60)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("kind", EXIF)
def test_exif_that_cannot_be_read_is_ignored(tmp_path: Path, kind: str, suffix: str) -> None:
    path = saved(tmp_path / f"a.{suffix}", exif=EXIF[kind])
    assert not hash_file(path).verdict
    assert "rotated" not in set(hash_file(path).notes) - ({"rotated"} if kind == "two" else set())
    if kind != "two":
        bare = saved(tmp_path / f"bare.{suffix}")
        assert (decode_square(path, 60) == decode_square(bare, 60)).all()


def test_what_was_ignored_is_noted_and_what_is_sound_is_not(tmp_path: Path) -> None:
    assert hash_file(saved(tmp_path / "a.jpg", exif=EXIF["nine"])).notes == ("metadata",)
    assert hash_file(saved(tmp_path / "b.jpg", exif=ifd(3, 1, b"\1\0\0\0"))).notes == ()
    assert hash_file(saved(tmp_path / "c.jpg", exif=ifd(3, 1, b"\6\0\0\0"))).notes == ("rotated",)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_change_inside_exif_refuses_a_photo(tmp_path_factory, data: st.DataObject) -> None:
    exif = Image.Exif()
    exif[0x112], exif[0x10F], exif[0x11A], exif[0x8769] = 6, "camera", 72.0, {0x9003: "2020"}
    raw = bytearray(exif.tobytes())
    for place in data.draw(st.lists(st.integers(6, len(raw) - 1), min_size=1, max_size=6)):
        raw[place] = data.draw(st.integers(0, 255))
    path = saved(tmp_path_factory.mktemp("x") / "a.jpg", exif=bytes(raw))
    assert not hash_file(path).verdict


def test_warnings_of_pillow_are_neither_shown_nor_errors_in_any_thread(tmp_path: Path) -> None:
    for number in range(40):
        saved(tmp_path / f"{number}.jpg", exif=EXIF["cut"])
    program = (
        "import sys; from pathlib import Path; "
        "from cnnbench.data.pixels.hashes import hash_files; "
        "names = [f'{n}.jpg' for n in range(40)]; "
        "print({each.verdict for each in hash_files(Path(sys.argv[1]), names).values()})"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{''}\n", "")


def with_chunks(path: Path, *chunks: tuple[bytes, bytes], after_pixels: bool) -> Path:
    """Write the photo as a PNG with chunks after its header, or before its end."""
    file = io.BytesIO()
    PHOTO.save(file, "PNG")
    whole = file.getvalue()
    place = whole.index(b"IEND") - 4 if after_pixels else 33
    added = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    path.write_bytes(whole[:place] + added + whole[place:])
    return path


LARGE = zlib.compress(bytes(PngImagePlugin.MAX_TEXT_CHUNK + 1))
PNG_CHUNKS = {
    "zTXt bomb": [(b"zTXt", b"Comment\0\0" + LARGE)],
    "iTXt bomb": [(b"iTXt", b"Comment\0\1\0\0\0" + LARGE)],
    "XMP bomb": [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE)],
    "iCCP bomb": [(b"iCCP", b"profile\0\0" + LARGE)],
    "iCCP garbage": [(b"iCCP", b"profile\0\0 no stream")],
    "iCCP of no kind": [(b"iCCP", b"profile\0\x07")],
    "zTXt of no kind": [(b"zTXt", b"Comment\0\x07")],
    "raw EXIF of no digits": [(b"tEXt", b"Raw profile type exif\0\nexif\n 4\nxyz!")],
    "many texts": [(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(900_000)))] * 80,
    "EXIF garbage": [(b"eXIf", b"no directory")],
    "short resolution": [(b"pHYs", b"")],
    "short gamma": [(b"gAMA", b"\0")],
    "short primaries": [(b"cHRM", b"\0\0\0")],
    "frames that are not there": [(b"acTL", struct.pack(">II", 5, 0)), (b"fcTL", bytes(26))],
}


@pytest.mark.parametrize("after_pixels", [False, True])
@pytest.mark.parametrize("kind", PNG_CHUNKS)
def test_texts_and_profiles_of_a_png_never_refuse_it(
    tmp_path: Path, kind: str, after_pixels: bool
) -> None:
    path = with_chunks(tmp_path / "a.png", *PNG_CHUNKS[kind], after_pixels=after_pixels)
    assert hash_file(path).verdict == ""
    assert (decode_square(path, 60) == decode_square(saved(tmp_path / "b.png"), 60)).all()


@pytest.mark.parametrize("kind", [b"tIME", b"pHYs", b"bKGD", b"eXIf", b"tEXt", b"prVt"])
def test_a_wrong_checksum_of_metadata_refuses_no_png(tmp_path: Path, kind: bytes) -> None:
    path = with_chunks(tmp_path / "a.png", (kind, b"seven b"), after_pixels=False)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"seven b") + 7] ^= 1
    path.write_bytes(whole)
    assert hash_file(path).notes == ("metadata",)
    assert (decode_square(path, 60) == decode_square(saved(tmp_path / "b.png"), 60)).all()


def test_a_png_without_unsound_metadata_is_still_turned_upright(tmp_path: Path) -> None:
    turn = Image.Exif()
    turn[0x112] = 6
    body = turn.tobytes().removeprefix(b"Exif\0\0")
    chunks = [(b"eXIf", body), (b"pHYs", b"")]
    path = with_chunks(tmp_path / "a.png", *chunks, after_pixels=False)
    assert hash_file(path).notes == ("metadata", "rotated")


def test_a_png_with_a_damaged_header_is_called_damaged(tmp_path: Path) -> None:
    whole = bytearray(saved(tmp_path / "a.png").read_bytes())
    whole[30] ^= 1  # of the header's checksum
    (tmp_path / "a.png").write_bytes(whole)
    assert hash_file(tmp_path / "a.png").verdict == "damaged"


def test_a_damaged_png_stays_damaged_without_its_texts(tmp_path: Path) -> None:
    path = with_chunks(tmp_path / "a.png", *PNG_CHUNKS["zTXt bomb"], after_pixels=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 400])
    assert hash_file(path).verdict == "truncated"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_colour_profile_of_garbage_is_ignored(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"a.{suffix}", icc_profile=b"no profile at all" * 9)
    assert (decode_square(path, 60) == plain(path)).all()


def test_a_tiff_with_an_orientation_of_words_is_read(tmp_path: Path) -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info.tagtype[0x112] = 2
    info[0x112] = "top"
    path = saved(tmp_path / "a.tif", tiffinfo=info)
    assert (decode_square(path, 60) == plain(path)).all()


def test_the_second_picture_of_a_camera_file_may_be_missing(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[PHOTO])
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\xff\xd8") + 40])
    assert hash_file(path).verdict == ""
    assert "wrong extension" not in hash_file(path).notes
