"""Which classic networks are there, built exactly as their papers published them?

Importing this package does not import torch: `list_models`, `card` and `resolve` read one data
file, `build` and `describe` import torch when they are called.
"""

from zoo.cards import ModelCard, UnknownModel, ablations, list_models, paper_recipe, resolve
from zoo.registry import Init, build, card, describe

__all__ = [
    "Init",
    "ModelCard",
    "UnknownModel",
    "ablations",
    "build",
    "card",
    "describe",
    "list_models",
    "paper_recipe",
    "resolve",
]
