"""In which environment does Python take no module from the folder that the user works in?

A user's `random.py` or `timm/` there would be taken for the modules of those names. This file is
imported while they still could be, so it needs `os` alone.
"""

import os

__all__ = ["is_working_folder", "isolated_environment"]


def isolated_environment() -> dict[str, str]:
    """Return this process's environment without the working folder on the path of modules.

    An empty entry of PYTHONPATH, as `export PYTHONPATH=$PYTHONPATH:/lib` leaves it, means that
    folder too.
    """
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join(name for name in named if not is_working_folder(name))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def is_working_folder(path: str) -> bool:
    """Tell whether an entry of a path of modules is the working folder, however it is spelled."""
    try:
        return os.path.samefile(path or os.curdir, os.curdir)  # noqa: PTH121
    except OSError:  # one of the two does not exist, and holds no modules
        return False
