"""Is every image decoded once, written whole, and given back exactly?"""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cnnbench.base.files import StoreError
from cnnbench.data import DataError
from cnnbench.data.augment import channel_statistics
from cnnbench.data.dataset import Dataset, Split
from cnnbench.data.open import open_dataset
from cnnbench.data.pixels import cache
from cnnbench.data.pixels.cache import cache_folder, cache_key, clean_cache, decoded
from cnnbench.data.pixels.ingest import write_images

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Painted:
    """Images of one grey each; those in `broken` cannot be read."""

    broken: frozenset[int] = frozenset()
    releases_gil: bool = True
    calls: list[int] = field(default_factory=list)

    def image(self, index: int, size: int) -> np.ndarray:
        self.calls.append(index)
        if index in self.broken:
            raise DataError(f"cannot read image 'photo-{index}.jpg': damaged")
        return np.full((size, size, 3), index % 256, dtype=np.uint8)


def painted_dataset(source: Painted, count: int = 21) -> Dataset:
    split = Split(
        names=tuple(map(str, range(count))),
        labels=np.arange(count) % 3,
        source=source,
        digests=(),
        fingerprint="painted",
    )
    return Dataset(
        name="painted",
        title="Painted",
        classes=("a", "b", "c"),
        drawn=True,
        splits={"train": split, "test": split},
        notices=(),
    )


def files_in(folder: Path) -> set[str]:
    return {path.suffix for path in folder.rglob("*") if path.is_file()} - {".lock"}


def test_images_come_back_in_order_with_their_labels(tmp_path: Path) -> None:
    result = decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)
    assert result.images.shape == (21, 4, 4, 3)
    assert result.images.dtype == np.uint8
    assert result.images[:, 0, 0, 0].tolist() == list(range(21))
    assert result.labels.tolist() == [i % 3 for i in range(21)]
    assert not result.images.flags.writeable


def test_second_call_decodes_nothing(tmp_path: Path) -> None:
    first = decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)
    untouched = Painted()
    second = decoded(painted_dataset(untouched), "train", 4, folder=tmp_path)
    assert untouched.calls == []
    assert second.sha256 == first.sha256
    assert (second.images == first.images).all()


def test_another_size_is_another_entry(make_tree, tmp_path: Path) -> None:
    dataset = open_dataset(str(make_tree({"apple": 3, "plum": 3})))
    for size in (8, 5):
        result = decoded(dataset, "train", size, folder=tmp_path / "cache")
        assert result.images.shape[1:] == (size, size, 3)
    assert cache_key(dataset.splits["train"], 8) != cache_key(dataset.splits["test"], 8)


def test_progress_ends_at_the_number_of_images(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    dataset = painted_dataset(Painted())
    decoded(dataset, "train", 4, folder=tmp_path, progress=lambda *now: seen.append(now))
    assert seen[-1] == (21, 21)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_all_unreadable_images_are_reported_together(tmp_path: Path) -> None:
    source = Painted(broken=frozenset(range(3, 15)))
    with pytest.raises(DataError, match="12 of 21 images cannot be used") as caught:
        decoded(painted_dataset(source), "train", 4, folder=tmp_path)
    lines = str(caught.value).splitlines()
    assert "photo-3.jpg" in lines[1]
    assert lines[-1].strip() == "... and 2 more"
    assert files_in(tmp_path) == set()


def test_a_stopped_build_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path, progress=stop)
    assert files_in(tmp_path) == set()


def test_what_a_killed_build_left_is_swept(tmp_path: Path) -> None:
    dataset = painted_dataset(Painted())
    left = tmp_path / "decoded" / f"{cache_key(dataset.splits['train'], 4)}.part"
    left.parent.mkdir()
    left.write_bytes(b"half an image" * 1000)
    assert decoded(dataset, "train", 4, folder=tmp_path).images[3, 0, 0, 0] == 3
    assert files_in(tmp_path) == {".npy", ".json"}


@pytest.mark.parametrize("damage", ["flip", "cut", "no json", "torn json"])
def test_damaged_entries_are_built_again(tmp_path: Path, damage: str) -> None:
    good = decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)
    (array,) = tmp_path.rglob("*.npy")
    content = array.read_bytes()
    if damage == "flip":
        array.write_bytes(content[:-1] + b"\xff")
    elif damage == "cut":
        array.write_bytes(content[:-5])
    elif damage == "no json":
        array.with_suffix(".json").unlink()
    else:
        array.with_suffix(".json").write_text('{"version": 1, "sha')
    again = decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)
    assert again.sha256 == good.sha256
    assert again.images[20, 3, 3, 2] == 20


def test_a_touched_but_equal_entry_is_kept(tmp_path: Path) -> None:
    decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)
    (array,) = tmp_path.rglob("*.npy")
    os.utime(array, (1, 1))
    untouched = Painted()
    decoded(painted_dataset(untouched), "train", 4, folder=tmp_path)
    assert untouched.calls == []


def test_two_at_once_build_one_entry(tmp_path: Path) -> None:
    source = Painted()
    results = []
    dataset = painted_dataset(source)
    threads = [
        threading.Thread(
            target=lambda: results.append(decoded(dataset, "train", 4, folder=tmp_path))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.sha256 for result in results}) == 1
    assert sorted(source.calls) == list(range(21))


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cache, "_SPARE_BYTES", 2**60)
    wanted = r"iB free; the decoded images need .*iB; set CNNBENCH_CACHE to a folder with room"
    with pytest.raises(StoreError, match=wanted):
        decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)
    assert files_in(tmp_path) == set()


def test_a_cache_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "decoded").write_text("a file where a folder is needed")
    wanted = r"cannot write .*\.npy: .*; set CNNBENCH_CACHE to a folder with room"
    with pytest.raises(StoreError, match=wanted):
        decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)


KILLED = """
import sys
from pathlib import Path
from tests.data.test_cache import Painted, painted_dataset
from cnnbench.data.pixels.cache import decoded
decoded(painted_dataset(Painted()), "train", 4, folder=Path(sys.argv[1]))
"""


@pytest.mark.parametrize("where", ["*.npy:synced:1", "*.npy:replaced:1", "*.json:written:1"])
def test_what_a_killed_writer_leaves_is_not_taken_for_whole(tmp_path: Path, where: str) -> None:
    env = {**os.environ, "CNNBENCH_FAILPOINT": where}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=env, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    source = Painted()
    result = decoded(painted_dataset(source), "train", 4, folder=tmp_path)
    assert sorted(source.calls) == list(range(21))
    assert result.images[:, 0, 0, 0].tolist() == list(range(21))
    clean_cache(tmp_path)
    assert files_in(tmp_path) == set()


def test_the_sidecar_says_what_the_array_is(tmp_path: Path) -> None:
    result = decoded(painted_dataset(Painted()), "train", 4, folder=tmp_path)
    (sidecar,) = tmp_path.rglob("*.json")
    facts = json.loads(sidecar.read_text())
    assert facts["version"] == 1
    assert facts["shape"] == [21, 4, 4, 3]
    assert facts["sha256"] == result.sha256


def test_the_environment_chooses_the_folder(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_processes_write_the_same_file_as_threads(tmp_path: Path) -> None:
    write_images(Painted(), 20, 4, tmp_path / "threads.npy")
    write_images(Painted(releases_gil=False), 20, 4, tmp_path / "processes.npy")
    assert (tmp_path / "threads.npy").read_bytes() == (tmp_path / "processes.npy").read_bytes()


def test_channel_statistics_are_those_of_the_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 6, 5, 3), dtype=np.uint8)
    images[..., 2] = 200
    mean, std = channel_statistics(images)
    pixels = images.reshape(-1, 3) / 255
    np.testing.assert_allclose(mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std[:2], pixels.std(axis=0)[:2], rtol=1e-9)
    assert std[2] == pytest.approx(1 / 255)


def test_channel_statistics_of_many_images_come_from_even_steps() -> None:
    images = np.zeros((5000, 1, 1, 3), dtype=np.uint8)
    images[::3] = 255
    mean, _ = channel_statistics(images)
    assert mean == channel_statistics(images[::3])[0]
