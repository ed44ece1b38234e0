"""What `cnnbench` and `python -m cnnbench` start, whatever the folder and the terminal are.

Nothing of weight is imported before the working folder has left the path of modules.
"""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with the documented exit code."""
    _open_closed_streams()
    if not __package__:  # started by its path, as `verb_command` does
        _put_own_packages_first()
    from cnnbench.base.environment import is_working_folder, isolated_environment

    _start_again_where_needed(isolated_environment())
    sys.path[:] = [p for p in sys.path if _is_installed(p) or not is_working_folder(p)]
    _put_own_packages_first()
    from cnnbench.cli import main as run_command_line

    run_command_line()


def _open_closed_streams() -> None:
    """Let a stream that a daemon or a cron job closed lead nowhere.

    The next file that is opened would get its number otherwise, and all that is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _start_again_where_needed(better: dict[str, str]) -> None:
    """Replace this process where its start went wrong already; `better` is its new environment.

    Python has read modules of the working folder if PYTHONPATH names it, and the names of files in
    another code than their own where the locale is not UTF-8.
    """
    if sys.getfilesystemencoding() != "utf-8":
        better = {"PYTHONIOENCODING": sys.stdout.encoding} | better | {"PYTHONUTF8": "1"}
    is_fine = all(os.environ.get(k, "") == better.get(k, "") for k in ("PYTHONPATH", "PYTHONUTF8"))
    if not is_fine and not sys.flags.ignore_environment:
        os.execve(sys.executable, [sys.executable, __file__, *sys.argv[1:]], better)


def _put_own_packages_first() -> None:
    """Put a checkout ahead of what is installed, which may hold another cnnbench or zoo."""
    root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
    if not _is_installed(root):
        sys.path.insert([*map(_is_installed, sys.path), True].index(True), root)


def _is_installed(path: str) -> bool:
    return path.endswith(("site-packages", "dist-packages"))


if __name__ == "__main__":
    main()
