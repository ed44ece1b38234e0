"""What varies in a picture besides its class, without drawing it, and which pictures share it?"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from cnnbench.fruits.render import trace_body
from cnnbench.fruits.render.noise import BoolArray, FloatArray, IntArray
from cnnbench.fruits.render.parts import splat
from cnnbench.fruits.render.solids import Body, Fruit
from cnnbench.fruits.render.trace import Placed
from cnnbench.fruits.scene import Arrangement, Key, Standing, arrange_scene

_SIDE = 96  # of the picture in which outlines are measured, whatever the size that is drawn

Outline = tuple[IntArray, FloatArray, FloatArray]  # flat index, cover and depth of N pixels


@dataclass(frozen=True, kw_only=True, slots=True)
class Nuisances:
    """What varies in a picture besides the class; lengths in pixels, shares in [0, 1].

    Attributes:
        label: the class, for joining tables.
        size: width and height of the picture in pixels.
        variety: of the hero, the fruit that the label speaks of.
        fruits: how many there are of the class.
        intruder: label of the smaller fruit of another class, -1 for none.
        hero_pixels: diameter of the disc as large as the hero's outline, hidden parts included.
        occluded: share of it, stem and leaves left out, that other things or the picture's edge
            hide. This leans on the class a little: long fruit are cut off more often.
        exposure: brightness that the camera aims at, mean of the picture in linear light.
        warmth: of the lamp; above zero is redder.
        noise: deviation in 8-bit steps at mid grey.
    """

    label: int
    size: int
    variety: str
    fruits: int
    intruder: int
    hero_pixels: float
    occluded: float
    scene: str
    container: str
    ground: str
    backdrop: str
    light: str
    lamp_elevation_degrees: float
    camera_elevation_degrees: float
    warmth: float
    exposure: float
    blur_pixels: float
    motion_pixels: float
    noise: float
    jpeg_quality: int


def measure(label: int, key: Key, size: int) -> Nuisances:
    """Return what is known of the picture that `compose` draws of the same arguments."""
    arranged = arrange_scene(label, key)
    scene, standing = arranged.scene, arranged.standing
    diameter, occluded = _visibility(arranged)
    others = [s.label for s in standing if s.label != label]
    return Nuisances(
        label=label,
        size=size,
        variety=standing[0].fruit.variety,
        fruits=len(standing) - len(others),
        intruder=others[0] if others else -1,
        hero_pixels=round(diameter * size, 1),
        occluded=round(occluded, 3),
        scene=scene.layout,
        container=scene.container,
        ground=scene.ground,
        backdrop=scene.backdrop,
        light=scene.light,
        lamp_elevation_degrees=round(math.degrees(scene.lamp_elevation), 1),
        camera_elevation_degrees=round(math.degrees(scene.elevation), 1),
        warmth=round(scene.warmth, 3),
        exposure=round(scene.camera.exposure, 3),
        blur_pixels=round(scene.camera.blur * size, 2),
        motion_pixels=round(math.hypot(*scene.camera.motion) * size, 2),
        noise=round(scene.camera.noise, 2),
        jpeg_quality=scene.camera.jpeg_quality,
    )


def _visibility(arranged: Arrangement) -> tuple[float, float]:
    """Return the hero's equal-area diameter in picture widths and the share that is hidden."""
    hero, *others = arranged.standing
    cover = np.zeros(_SIDE * _SIDE, np.float32)
    depth = np.full(_SIDE * _SIDE, np.inf, np.float32)
    for index, alpha, z in _bodies(hero.fruit, hero.placed):
        cover[index] = np.maximum(cover[index], alpha)
        depth[index] = np.minimum(depth[index], z)
    hidden = np.zeros_like(cover)
    for index, alpha, z in _before(hero, others, arranged):
        # Where the hero is not seen its depth is infinite, and nothing is before it.
        hidden[index] = np.maximum(hidden[index], alpha * (z > depth[index]))
    seen = float((cover * (1.0 - hidden)).sum()) / _SIDE**2
    whole, body = outline_areas(hero.fruit, hero.placed)
    return 2.0 * math.sqrt(whole / math.pi), min(1.0, max(0.0, 1.0 - seen / max(body, 1e-6)))


def outline_areas(fruit: Fruit, placed: Placed) -> tuple[float, float]:
    """Return the area of a fruit's outline, with and without stems and leaves, nothing cut off.

    Areas are shares of the picture's.
    """
    # Half as large in a picture twice as wide: whole, and with pixels as wide as elsewhere.
    side = 2 * _SIDE
    middle = Placed(centre=(0.0, 0.0, 0.0), linear=placed.linear * 0.5)
    cover = np.zeros(side * side, np.float32)
    for index, alpha, _ in _bodies(fruit, middle, side):
        cover[index] = np.maximum(cover[index], alpha)
    body = float(cover.sum())
    for index, alpha, _ in _sheets(fruit, middle, side):
        cover[index] = np.maximum(cover[index], alpha)
    return float(cover.sum()) / _SIDE**2, body / _SIDE**2


def _before(hero: Standing, others: list[Standing], arranged: Arrangement) -> Iterator[Outline]:
    """Yield the outlines of all that may stand before the hero."""
    for other in others:
        if _may_overlap(hero.placed, other.placed):
            yield from _bodies(other.fruit, other.placed)
            yield from _sheets(other.fruit, other.placed)
    for body in arranged.furniture.bodies:
        yield from _outline(body, body.placed(arranged.world))


def _may_overlap(first: Placed, second: Placed) -> bool:
    """Return whether two fruit can overlap in the picture; none reaches farther than 2.2 units."""
    far = first.reach(2.2)[0] + second.reach(2.2)[0]
    return math.dist(first.centre[:2], second.centre[:2]) < far


def _bodies(fruit: Fruit, placed: Placed, side: int = _SIDE) -> Iterator[Outline]:
    for body in fruit.bodies:
        yield from _outline(body, body.placed(placed), side)


def _sheets(fruit: Fruit, placed: Placed, side: int = _SIDE) -> Iterator[Outline]:
    for sheet in fruit.sheets:
        seen = splat(sheet, placed, side)
        if seen is not None:
            yield seen.index, seen.alpha, seen.position[2]


def _outline(body: Body, placed: Placed, side: int = _SIDE) -> Iterator[Outline]:
    hits = trace_body(body, placed, side, None)
    if hits is not None:
        yield hits.index, hits.alpha, hits.position[2]


# -- groups of images that are alike in a nuisance ------------------------------------------------

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
