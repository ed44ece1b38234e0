"""With which versions, threads and machine did a process train?"""

from collections.abc import Sequence
from typing import Any

from cnnbench.schema import Value
from cnnbench.schema.names import changes

__all__ = ["NOT_RECORDED", "VERSIONED", "Origin", "continued_words", "origin_fields"]

VERSIONED = ("cnnbench", "python", "torch", "torchvision", "timm", "numpy", "pillow")
NOT_RECORDED = "not recorded"


class Origin(Value):
    """What one process trained with; None is what was not recorded, as in older folders.

    `versions` has those of `VERSIONED` that are installed. `gpu` is None on a processor. `machine`
    is a line for people, the same for machines that are alike; `host` is the name of one.
    """

    versions: dict[str, str] | None = None
    threads: int | None = None
    cpu: str | None = None
    gpu: str | None = None
    machine: str | None = None
    host: str | None = None

    def facts(self) -> dict[str, str]:
        """Return what can make the bits of two trainings differ, by words for people."""
        known = {"threads": self.threads, "gpu": self.gpu, "ran on": self.machine}
        words = {key: str(value) for key, value in known.items() if value is not None}
        versions = self.versions or {}
        named = {name: versions.get(name, "not installed") for name in VERSIONED if versions}
        return named | words


def origin_fields(origins: Sequence[Origin]) -> dict[str, Any]:
    """Return the fields of a result for the processes that trained its cell, the last one last.

    One that was like the last, or like another, is not told twice.
    """
    if not origins:
        return {}
    *earlier, last = origins
    others = [one for i, one in enumerate(earlier) if one != last and one not in earlier[:i]]
    own = {key: getattr(last, key) for key in Origin.model_fields}
    return own | {"earlier_origins": tuple(others)}


def continued_words(origins: Sequence[Origin]) -> str:
    """Say what was not the same when a cell was continued; empty where nothing differed."""
    *earlier, last = origins
    changed = [
        f"{key} {before}, then {after}"
        for one in earlier
        for key, before, after in changes(one.facts(), last.facts(), missing=NOT_RECORDED)
    ]
    if not changed:
        return ""
    return f"continued with {'; '.join(changed)}: the bits may differ from those of one go"
