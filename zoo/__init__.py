"""Which classic networks are there, built exactly as their papers published them?

Importing this package does not import torch: `list_models`, `card` and `resolve` read one data
file, `build` and `describe` import torch when they are called.
"""

from zoo.cards import (
    CannotBuild,
    ModelCard,
    UnknownModel,
    ablations,
    is_external,
    list_models,
    paper_recipe,
    resolve,
)
from zoo.registry import Init, build, card, describe, probe

__all__ = [
    "CannotBuild",
    "Init",
    "ModelCard",
    "UnknownModel",
    "ablations",
    "build",
    "card",
    "describe",
    "is_external",
    "list_models",
    "paper_recipe",
    "probe",
    "resolve",
]
