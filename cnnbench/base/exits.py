"""With which code does a process leave, and which error stands for which code?"""

from enum import IntEnum

__all__ = ["Exit", "exit_of"]


class Exit(IntEnum):
    """The documented exit codes. An error of ours names its own as `exit_code`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DATA = 3
    DISK = 4
    BUSY = 5
    INTERNAL = 70
    INTERRUPTED = 130  # 128 + SIGINT
    STOPPED = 143  # 128 + SIGTERM


def exit_of(error: BaseException) -> int:
    """Return the code of an error that a user can mend, `INTERNAL` for a fault of cnnbench."""
    otherwise = Exit.DISK if isinstance(error, OSError) else Exit.INTERNAL
    return int(getattr(error, "exit_code", otherwise))
