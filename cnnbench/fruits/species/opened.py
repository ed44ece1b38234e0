"""What are the fruit like that come whole or cut: a kiwi and a watermelon?"""

import math

import numpy as np

from cnnbench.fruits.render.light import Surface, blend, linear, step, vary
from cnnbench.fruits.render.noise import FloatArray, Rng, Vector, near, polar, solid, waves
from cnnbench.fruits.render.shapes import Cut, Plane, Revolved, Walk, measured
from cnnbench.fruits.render.solids import Body, Fruit, Painter, Spots, ball, carved, lump

_FACE = 0.12  # height of the cut through a kiwi
_FIBRES = np.array([[1.0], [0.35], [1.0]], np.float32)


def _piece(variety: str, body: Body, face: Vector, downs: tuple[Vector, ...]) -> Fruit:
    """Return a fruit that was cut: `face` has to be seen, and it comes to rest on `downs`."""
    balls, support = carved(body)
    return Fruit(
        variety=variety, bodies=(body,), balls=balls, face=face, downs=downs, support=support
    )


# -- kiwi -----------------------------------------------------------------------------------------


def kiwi(choice: float, rng: Rng) -> Fruit:
    """Return a kiwi: whole, halved or a slice, green or golden inside."""
    shape = measured(
        Revolved(polynomial=(0.97, 0.0, 0.03), top=0.02, top_rate=60.0, lump=lump(0.02, rng))
    )
    stretch = (near(0.9, 0.05, rng), near(1.15, 0.08, rng), near(0.88, 0.05, rng))
    if choice < 0.45:
        body = Body(shape=shape, paint=_kiwi_skin(rng), stretch=stretch)
        return Fruit(variety="whole", bodies=(body,), balls=ball(0.92), lies=0.85, end_on=0.85)
    planes: tuple[Plane, ...] = ((0.0, 1.0, 0.0, _FACE),)
    if rng.random() < 0.35:
        planes = (*planes, (0.0, -1.0, 0.0, 0.25))
    golden = choice > 0.88
    body = Body(
        shape=Cut(body=shape, planes=planes),
        paint=_kiwi_flesh(golden=golden, rng=rng),
        stretch=stretch,
        offset=(0.0, 0.3, 0.0),
    )
    downs = ((0.0, -1.0, 0.0), (0.8, -0.6, 0.0))
    return _piece("golden" if golden else "green", body, (0.0, 1.0, 0.0), downs)


def _kiwi_skin(rng: Rng) -> Painter:
    base, dark, end = vary((140, 110, 68), rng), vary((92, 70, 40), rng), linear((50, 36, 22))

    def paint(spots: Spots) -> Surface:
        """Paint brown fuzz and two dark ends."""
        hair = solid(spots.unit * _FIBRES, 20.0, 1.0, spots.pixel)
        patch = solid(spots.unit, 2.5, 8.0)
        c, _ = polar(spots.unit)
        albedo = blend(base, dark, np.clip(0.4 + 0.25 * hair + 0.12 * patch, 0.0, 1.0))
        albedo = blend(albedo, end, step(np.abs(c), 0.975, 0.99))
        return Surface(albedo=albedo, height=hair * 0.006, gloss=0.02, tight=8.0, fuzz=0.3)

    return paint


def _kiwi_flesh(*, golden: bool, rng: Rng) -> Painter:
    skin, seed_colour, pale = _kiwi_skin(rng), linear((28, 20, 14)), linear((236, 236, 180))
    flesh = vary((226, 190, 50) if golden else (128, 168, 40), rng)
    phase = float(rng.uniform(0.0, 6.28))

    def paint(spots: Spots) -> Surface:
        """Paint a kiwi cut across: skin, flesh with rays, a ring of seeds and a pale core."""
        x, y, z = spots.unit
        outer = skin(spots)
        radius = np.sqrt(x * x + z * z)
        angle = np.arctan2(z, x) + phase
        wheel = np.cos(angle * 22.0)
        rays = 0.5 + 0.5 * np.cos(angle * 22.0 + 1.5 * np.sin(3 * angle))
        inside = blend(flesh * 0.8, flesh * 1.35, rays * step(radius, 0.15, 0.6))
        inside = blend(inside, flesh * 0.72, step(radius, 0.78, 0.93))
        inside = blend(inside, pale, step(radius + 0.03 * rays, 0.33, 0.22))
        row = np.where(wheel > 0, np.float32(0.40), np.float32(0.50))
        across = (1.0 - np.abs(np.sin(angle * 22.0))) * (1 / 0.45)
        seeds = ((radius - row) * (1 / 0.075)) ** 2 + across**2
        inside = blend(inside, seed_colour, step(seeds, 1.2, 0.7))
        face = step(radius, 0.965, 0.945) * step(y, _FACE - 0.02, _FACE - 0.008)
        fuzz = np.zeros_like(radius) if outer.height is None else outer.height
        height = blend(fuzz, 0.004 * rays, face)
        return Surface(
            albedo=blend(outer.albedo, inside, face),
            height=height,
            gloss=0.02 + 0.22 * face,
            tight=24.0,
            fuzz=0.1,
        )

    return paint


# -- watermelon -----------------------------------------------------------------------------------


def watermelon(choice: float, rng: Rng) -> Fruit:
    """Return a watermelon: whole, halved, a wedge or a slice."""
    if choice < 0.4:
        shape = Revolved(polynomial=(1.0,), walk=Walk(bound=1.01))
        long = math.sqrt(float(rng.uniform(1.0, 1.4)))
        thin = 1.0 / long
        body = Body(shape=shape, paint=_melon(opened=False, rng=rng), stretch=(thin, long, thin))
        return Fruit(variety="whole", bodies=(body,), balls=ball(0.95), lies=0.9)
    if choice < 0.58:
        name, offset, face = "half", (0.0, 0.0, 0.3), (0.0, 0.0, 1.0)
        planes: tuple[Plane, ...] = ((0.0, 0.0, 1.0, 0.0),)
        downs: tuple[Vector, ...] = ((0.0, 0.0, -1.0), (0.7, 0.0, -0.7))
    elif choice < 0.8:
        half_angle = float(rng.uniform(0.35, 0.7))
        s, c = math.sin(half_angle), math.cos(half_angle)
        name, offset, face = "wedge", (-0.5, 0.0, 0.0), (-0.3, 0.0, 1.0)
        planes = ((-s, 0.0, c, 0.0), (-s, 0.0, -c, 0.0))
        downs = ((1.0, 0.0, 0.0), (-s, 0.0, -c))
    else:
        thin = float(rng.uniform(0.08, 0.16))
        name, offset, face = "slice", (-0.45, 0.0, 0.0), (0.0, 0.0, 1.0)
        planes = ((0.0, 0.0, 1.0, thin), (0.0, 0.0, -1.0, thin), (-1.0, 0.0, 0.0, 0.0))
        if rng.random() < 0.4:
            planes = (*planes, (0.0, -1.0, 0.0, 0.0))
        downs = ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0))
    cut = Cut(body=measured(Revolved(polynomial=(1.0,))), planes=planes)
    paint = _melon(opened=True, rng=rng)
    body = Body(shape=cut, paint=paint, stretch=(1.2, 1.2, 1.2), offset=offset)
    return _piece(name, body, face, downs)


def _melon(*, opened: bool, rng: Rng) -> Painter:
    pale, dark = vary((150, 176, 96), rng), vary((34, 66, 34), rng)
    flesh = vary((232, 190, 70) if rng.random() < 0.12 else (214, 44, 52), rng)
    stripes, seed = int(rng.integers(7, 12)), int(rng.integers(1 << 30))
    plain, pips = rng.random() < 0.12, rng.random() < 0.85

    def paint(spots: Spots) -> Surface:
        """Paint ragged stripes outside and, where it is opened, rind, flesh and pips."""
        local = np.random.default_rng(seed)
        x, y, z = spots.unit
        ragged = 0.35 * waves(spots.unit, 2.2, local) + 0.16 * solid(spots.unit, 4.0, 6.0)
        band = np.cos(stripes * np.arctan2(z, x) + 1.3 * ragged) + 0.5 * ragged
        skin = blend(pale, dark, step(band, -0.15, 0.25))
        skin = blend(skin, dark, step(np.abs(ragged), 0.10, 0.02) * 0.5)
        if plain:
            skin = blend(skin, dark * 1.6, 0.85)
        if not opened:
            return Surface(albedo=skin, gloss=0.2, tight=26.0)
        r = np.sqrt(x * x + y * y + z * z)
        face = step(r, 0.985, 0.965)
        albedo = blend(skin, _flesh(spots.unit, r, flesh, pips=pips), face)
        return Surface(albedo=albedo, gloss=0.2 + 0.1 * face, tight=26.0)

    return paint


def _flesh(unit: FloatArray, r: FloatArray, flesh: FloatArray, *, pips: bool) -> FloatArray:
    """Return the colour inside a watermelon at distance `r` from its middle."""
    grainy = flesh * (1.0 + 0.10 * solid(unit, 6.0, 12.0))
    rind = blend(linear((228, 236, 190)), linear((140, 176, 96)), step(r, 0.91, 0.97))
    inside = blend(grainy, rind, step(r, 0.82, 0.90))
    if not pips:
        return inside
    # One pip in every cell of a grid, off its middle by a hash of the cell.
    cell = np.floor(unit * 5.0)
    jitter = np.sin(cell[0] * 12.9 + cell[1] * 78.2 + cell[2] * 37.7) * 43.7
    jitter -= np.floor(jitter)
    offset = unit * 5.0 - cell - 0.5
    offset[0] += (jitter - 0.5) * 0.3
    far = offset[0] ** 2 + offset[1] ** 2 * 0.5 + offset[2] ** 2 * 0.6
    seed = step(far, 0.075, 0.045) * step(r, 0.78, 0.74) * step(r, 0.28, 0.34)
    return blend(inside, linear((26, 18, 14)), seed)
