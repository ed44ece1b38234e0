"""What is a builder told?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Init = Literal["paper", "common"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSpec:
    """What a builder is told: classes, square image side in pixels, and the initial state."""

    num_classes: int
    image_size: int
    init: Init
