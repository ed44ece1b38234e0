"""Does an archive from a stranger stay inside its folder, or is it refused whole?"""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnbench.data import FetchError
from cnnbench.data.catalog.unpack import Limits, drop_top_folder, unpack

Maker = Callable[[Path], None]


def tar_of(*members: tuple[str, bytes | str], mode: str = "w:gz") -> Maker:
    """Make a tar: bytes are a file's content, a word is the kind of a member without one."""
    kinds = {
        "link": tarfile.SYMTYPE,
        "hard link": tarfile.LNKTYPE,
        "device": tarfile.CHRTYPE,
        "pipe": tarfile.FIFOTYPE,
        "folder": tarfile.DIRTYPE,
    }

    def make(path: Path) -> None:
        with tarfile.open(path, mode) as archive:
            for name, content in members:
                info = tarfile.TarInfo(name)
                if isinstance(content, str):
                    info.type = kinds[content]
                    info.linkname = "/etc/passwd"
                    archive.addfile(info)
                else:
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))

    return make


def zip_of(*members: tuple[str, bytes], mode: int = 0) -> Maker:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = mode << 16
                archive.writestr(info, content)

    return make


def header_of_gigabytes(path: Path) -> None:
    """A tar whose first member claims a name of eight gigabytes."""
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 8 * 2**30
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def understated_zip(path: Path) -> None:
    """A zip that claims one byte a member and holds four million."""
    zip_of(("top/a", b"\0" * 4_000_000))(path)
    whole = path.read_bytes().replace((4_000_000).to_bytes(4, "little"), (1).to_bytes(4, "little"))
    path.write_bytes(whole)


HOSTILE: dict[str, tuple[Maker, str]] = {
    "leads up": (tar_of(("top/../../up.txt", b"x")), "leads out"),
    "is absolute": (tar_of(("/up.txt", b"x")), "absolute"),
    "leads up in a zip": (zip_of(("top/../../up.txt", b"x")), "leads out"),
    "is absolute in a zip": (zip_of(("/up.txt", b"x")), "absolute"),
    "has a drive": (zip_of(("C:/up.txt", b"x")), "absolute"),
    "has backslashes": (tar_of(("top\\..\\..\\up.txt", b"x")), "character"),
    "is a link": (tar_of(("top/a", "link"), ("top/a/up.txt", b"x")), "link or a device"),
    "is a hard link": (tar_of(("top/a", "hard link")), "link or a device"),
    "is a device": (tar_of(("top/a", "device")), "link or a device"),
    "is a pipe": (tar_of(("top/a", "pipe")), "link or a device"),
    "is a link in a zip": (zip_of(("top/a", b"/etc"), mode=stat.S_IFLNK), "link or a device"),
    "comes twice": (tar_of(("top/a", b"1"), ("top/a", b"2")), "occurs twice"),
    "differs in case": (tar_of(("top/Ab", b"1"), ("top/aB", b"2")), "occurs twice"),
    "is a file and a folder": (tar_of(("top/a", b"1"), ("top/a/b", b"2")), "occurs twice"),
    "is a bomb": (tar_of(("top/a", b"\0" * 4_000_000)), "bytes"),
    "is a bomb of many": (tar_of(*((f"top/{i}", b"\0" * 90_000) for i in range(40))), "bytes"),
    "is a bomb in a zip": (zip_of(("top/a", b"\0" * 4_000_000)), "bytes"),
    "lies about its size": (understated_zip, "archive"),
    "claims a long name": (header_of_gigabytes, "claims"),
    "is cut": (lambda path: _cut(tar_of(("top/a", b"1" * 9000)), path), "archive"),
    "is no archive": (lambda path: path.write_bytes(b"<html>" * 99) and None, "no tar or zip"),
    "is empty": (lambda path: path.write_bytes(b"") and None, "no tar or zip"),
}


def _cut(make: Maker, path: Path) -> None:
    make(path)
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_writes_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    make, said = HOSTILE[name]
    home = tmp_path / "home"
    home.mkdir()
    make(home / "archive")
    with pytest.raises(FetchError, match=said):
        unpack(home / "archive", home / "deep" / "out")
    outside = [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()]
    inside = [path for path in outside if (home / "deep" / "out") in path.parents]
    assert set(outside) - set(inside) == {home / "archive"}
    assert not any(path.is_symlink() for path in inside)
    assert sum(path.stat().st_size for path in inside) < 2_000_000


def test_more_files_than_allowed_are_refused(tmp_path: Path) -> None:
    tar_of(*((f"top/{i}", b"") for i in range(9)))(tmp_path / "a.tar.gz")
    with pytest.raises(FetchError, match="more than 5 files"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", limits=Limits(files=5))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_good_tar_is_unpacked_whatever_its_compression(tmp_path: Path, mode: str) -> None:
    members = (("top", "folder"), ("top/a/1.txt", b"one"), ("top/é b/2.txt", b"two"))
    tar_of(*members, mode=mode)(tmp_path / "archive")
    unpack(tmp_path / "archive", tmp_path / "out")
    top = drop_top_folder(tmp_path / "out")
    assert (top / "a/1.txt").read_bytes() == b"one"
    assert (top / "é b/2.txt").read_bytes() == b"two"


def test_only_what_is_kept_is_unpacked(tmp_path: Path) -> None:
    zip_of(("top/a/1.txt", b"1"), ("top/b/2.txt", b"2"), ("top/c.txt", b"3"))(tmp_path / "z.zip")
    unpack(tmp_path / "z.zip", tmp_path / "out", keep=("a/*", "c.txt"))
    found = sorted(p.relative_to(tmp_path / "out").as_posix() for p in _files(tmp_path / "out"))
    assert found == ["top/a/1.txt", "top/c.txt"]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
