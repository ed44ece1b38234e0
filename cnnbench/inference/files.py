"""Which image files do the words of a command name?"""

from collections.abc import Iterable
from pathlib import Path

from cnnbench.data import DataError
from cnnbench.data.sources.scan import scan_tree

__all__ = ["image_files"]


def image_files(words: Iterable[str | Path]) -> list[Path]:
    """Return the files that are named, and the images at any depth of folders that are.

    A folder is read as a dataset's folder is: what is hidden, no image, or put there by a program
    is passed over, and links in a loop end. A file is taken whatever it is called, also one that
    does not exist: it then has no answer, with the reason.

    Raises:
        DataError: if a folder cannot be read, or there is no image in any.
    """
    files: list[Path] = []
    for word in map(Path, words):
        if word.is_dir():
            files += [word / name for name in scan_tree(word).images]
        else:
            files.append(word)
    if not files:
        raise DataError("no image lies in what was named; `cnnbench check FOLDER` says what does")
    return files
