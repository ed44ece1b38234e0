"""Small image folders for the tests of the data room."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from servers import Server


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the tests decode and fetch out of the user's folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CNNBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        yield


TreeMaker = Callable[[Mapping[str, int]], Path]


def paint(path: Path, value: int, *, size: tuple[int, int] = (12, 9)) -> None:
    """Write a PNG whose pixels, and so whose bytes, follow from `value`."""
    rng = np.random.default_rng(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)


@pytest.fixture
def make_tree(tmp_path: Path) -> TreeMaker:
    """Return a maker of folders: `{"train/apple": 3}` becomes three different pictures."""

    def make(counts: Mapping[str, int]) -> Path:
        root = tmp_path / "photos"
        for place, (folder, count) in enumerate(counts.items()):
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                paint(root / folder / f"{number}.png", 1000 * place + number)
        return root

    return make


@pytest.fixture
def picture() -> Callable[[Path, int], None]:
    """Return the painter of one small picture."""
    return paint


@pytest.fixture
def serve() -> Iterator[Callable[[bytes, list[int]], Server]]:
    """Return what starts a server of some content whose line is cut."""
    running: list[Server] = []

    def start(content: bytes, cuts: list[int]) -> Server:
        running.append(Server(content, cuts))
        return running[-1]

    yield start
    for server in running:
        server.http.shutdown()
        server.http.server_close()
