"""How are all images of a split decoded into one file with every core and little memory?"""

from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from cnnbench.base.processes import spawned_pool, usable_cores
from cnnbench.data import DataError, Progress
from cnnbench.data.dataset import ImageSource

_CHUNK = 8  # images a task: under a second of drawing, so that progress moves
_FAULTS_SHOWN = 10


def write_images(
    source: ImageSource, count: int, size: int, path: Path, *, progress: Progress | None = None
) -> None:
    """Write images 0..count-1 to `path` as one uint8 `.npy` array `(count, size, size, 3)`.

    Workers write each into its own place of the file, so memory does not grow with `count`.
    `progress` counts images, in the calling thread. Raises DataError that names the unreadable
    images, after every image was tried.
    """
    offset = _allocate(path, (count, size, size, 3))
    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    faults: dict[int, str] = {}
    pool = _pool(source, len(chunks))
    try:
        tasks: dict[Future[dict[int, str]], int] = {
            pool.submit(_write_chunk, source, chunk, size, path, offset): len(chunk)
            for chunk in chunks
        }
        done = 0
        for task in as_completed(tasks):
            faults |= task.result()
            done += tasks[task]
            if progress is not None:
                progress(done, count)
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that draws images ended early: out of memory, or it was started from a "
            "script without `if __name__ == '__main__':` around its work"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
    if faults:
        raise DataError(_summary(faults, count))


def _allocate(path: Path, shape: tuple[int, int, int, int]) -> int:
    """Write the header of a `.npy` file, make room for the array, and return where it starts."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        offset = file.tell()
        file.truncate(offset + int(np.prod(shape, dtype=np.int64)))
    return offset


def _pool(source: ImageSource, chunks: int) -> Executor:
    workers = min(usable_cores(), chunks)
    if source.releases_gil or workers == 1:
        return ThreadPoolExecutor(workers)
    return spawned_pool(workers)


def _write_chunk(
    source: ImageSource, chunk: range, size: int, path: Path, offset: int
) -> dict[int, str]:
    """Write some images to their place and return what was wrong with the others."""
    faults = {}
    image_bytes = size * size * 3
    with path.open("r+b") as file:
        for index in chunk:
            try:
                image = source.image(index, size)
            except DataError as error:
                faults[index] = str(error)
                continue
            file.seek(offset + index * image_bytes)
            file.write(np.ascontiguousarray(image).data)
    return faults


def _summary(faults: dict[int, str], count: int) -> str:
    lines = [faults[index] for index in sorted(faults)[:_FAULTS_SHOWN]]
    if len(faults) > _FAULTS_SHOWN:
        lines.append(f"... and {len(faults) - _FAULTS_SHOWN} more")
    head = (
        f"{len(faults)} of {count} images cannot be used; repair or remove them, "
        "or leave them out for every model with --skip-broken N (`cnnbench check` looks at every "
        "split):"
    )
    return "\n  ".join([head, *lines])
