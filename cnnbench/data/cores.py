"""How many cores may this process use?"""

import os


def usable_cores() -> int:
    """Return the number of cores this process is allowed on, which can be fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
