"""Which classic networks are there, built exactly as their papers published them?

Importing this package does not import torch: `list_models`, `card` and `resolve` read one data
file, `build` and `describe` import torch when they are called.
"""

from zoo.cards import (
    CannotBuild,
    ModelCard,
    ModelName,
    UnknownModel,
    ablations,
    is_external,
    list_models,
    model_name,
    paper_recipe,
    resolve,
    split_start,
)
from zoo.registry import Init, build, card, describe, probe

__all__ = [
    "CannotBuild",
    "Init",
    "ModelCard",
    "ModelName",
    "UnknownModel",
    "ablations",
    "build",
    "card",
    "describe",
    "is_external",
    "list_models",
    "model_name",
    "paper_recipe",
    "probe",
    "resolve",
    "split_start",
]
