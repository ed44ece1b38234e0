"""How does a cell that was trained out of sight of the run folder come home?"""

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from cnnbench.base.files import commit, disk_errors

__all__ = ["pack", "unpack"]

LAST = "result.json"  # a cell counts as ended once it is there
LEFT_OUT = ("cell.json", "checkpoint")


def pack(folder: Path) -> bytes:
    """Return the files of a cell's folder, but for checkpoints and what begins with a dot."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.iterdir(), key=lambda each: (each.name == LAST, each.name)):
            if path.is_file() and not path.name.startswith(".") and path.name not in LEFT_OUT:
                archive.add(path, arcname=path.name)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Put what `pack` returned into a cell's folder, each file whole, the result last.

    The caller holds the folder. Raises StoreError if the disk refuses.
    """
    with disk_errors(folder), tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            path = folder / Path(member.name).name
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.", suffix=".tmp")
            with os.fdopen(handle, "wb") as temporary:
                shutil.copyfileobj(file, temporary)
            commit(Path(name), path)
