"""Which drawn images are alike in a nuisance, so that a report can say where a model fails?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

import numpy as np

from cnnbench.data.fruits.noise import BoolArray
from cnnbench.data.fruits.nuisances import Nuisances

Column = tuple[int | float | str, ...]
Columns = Mapping[str, Column]


def columns_of(rows: Sequence[Nuisances]) -> dict[str, Column]:
    """Return the rows of a split as one column a nuisance, in the order of the images."""
    values = [asdict(row) for row in rows]
    return {field.name: tuple(row[field.name] for row in values) for field in fields(Nuisances)}


def slices(columns: Columns) -> dict[str, BoolArray]:
    """Return named groups of images, each as a mask (N,), out of what `columns_of` returns.

    Groups may overlap and may be empty.
    """
    size = np.array(columns["size"], np.float64)
    hero = np.array(columns["hero_pixels"], np.float64) / size
    occluded = np.array(columns["occluded"], np.float64)
    exposure = np.array(columns["exposure"], np.float64)
    fruits = np.array(columns["fruits"], np.int64)
    blur = np.array(columns["blur_pixels"], np.float64) * 256.0 / size
    scene = np.array(columns["scene"])
    masks = {
        "fruit narrower than a third of the picture": hero < 1 / 3,
        "fruit wider than half of the picture": hero > 0.5,
        "hardly hidden (under 2 %)": occluded < 0.02,
        "partly hidden (over 10 %)": occluded > 0.10,
        "dark": exposure < 0.15,
        "bright": exposure > 0.27,
        "out of focus": blur > 1.0,
        "shaken": np.array(columns["motion_pixels"], np.float64) > 0.0,
        "noisy": np.array(columns["noise"], np.float64) > 5.0,
        "one fruit": fruits == 1,
        "two to five fruit": (fruits > 1) & (fruits < 6),
        "six fruit or more": fruits > 5,
        "beside another kind of fruit": np.array(columns["intruder"], np.int64) >= 0,
        "in a bowl or on a plate": scene == "dish",
        "in a crate": scene == "crate",
    }
    for name in ("light", "ground"):
        values = np.array(columns[name])
        masks |= {f"{name}: {value}": values == value for value in sorted(set(values.tolist()))}
    return masks
