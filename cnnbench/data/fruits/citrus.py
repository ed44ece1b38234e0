"""What are a lemon and an orange like?"""

from __future__ import annotations

import numpy as np

from cnnbench.data.fruits.colours import blend, linear, step, vary
from cnnbench.data.fruits.growth import Rng, Variety, ball, leaf, lean_of, lumps, near, pick
from cnnbench.data.fruits.light import Surface
from cnnbench.data.fruits.noise import polar, solid, waves
from cnnbench.data.fruits.shapes import Revolved, bounded
from cnnbench.data.fruits.solids import Body, Fruit, Painter, Spots

_LEMONS = (
    Variety(name="yellow", colours=((240, 210, 50), (226, 206, 70)), share=0.5),
    Variety(name="greenish", colours=((222, 206, 60), (130, 160, 50)), share=0.2),
    Variety(name="amber", colours=((244, 184, 44), (240, 200, 60)), share=0.18),
    Variety(name="green", colours=((120, 158, 48), (150, 176, 60)), share=0.12),
)
_ORANGES = (
    Variety(name="orange", colours=((236, 134, 26), (240, 150, 40)), share=0.5),
    Variety(name="deep", colours=((230, 108, 30), (214, 90, 34)), share=0.25),
    Variety(name="pale", colours=((236, 170, 44), (170, 170, 60)), share=0.25),
)


def lemon(choice: float, rng: Rng) -> Fruit:
    """Return a lemon: a spindle with a nipple at one end and a button at the other."""
    variety = pick(_LEMONS, choice)
    lump, wave = lumps(0.018, rng)
    shape = bounded(
        Revolved(
            polynomial=(0.78, 0.0, 0.13),
            top=near(0.12, 0.3, rng),
            top_rate=26.0,
            tail=near(0.30, 0.2, rng),
            tail_rate=near(21.0, 0.25, rng),
            lump=lump,
            lump_wave=wave,
        )
    )
    long = near(1.14, 0.06, rng)
    sheets = []
    if rng.random() < 0.3:
        sheets.append(leaf((0.0, 1.03 * long, 0.0), near(1.0, 0.2, rng), rng))
    body = Body(shape=shape, paint=_peel(variety, 0.006, rng), stretch=(1.0, long, 1.0))
    return Fruit(
        variety=variety.name,
        bodies=(body,),
        sheets=tuple(sheets),
        balls=ball(0.85),
        lies=0.9,
        end_on=0.8,
    )


def orange(choice: float, rng: Rng) -> Fruit:
    """Return an orange: nearly a ball, with pores and a green button."""
    variety = pick(_ORANGES, choice)
    lump, wave = lumps(0.012, rng)
    shape = bounded(
        Revolved(
            polynomial=(0.97, 0.0, near(0.02, 1.0, rng)),
            top=-0.06,
            top_rate=30.0,
            tail=-0.05,
            tail_rate=60.0,
            lump=lump,
            lump_wave=wave,
        )
    )
    height = near(0.95, 0.06, rng)
    sheets = []
    if rng.random() < 0.35:
        sheets.append(leaf((0.0, 0.93 * height, 0.0), near(1.0, 0.2, rng), rng))
    body = Body(shape=shape, paint=_peel(variety, 0.009, rng), stretch=(1.0, height, 1.0))
    return Fruit(
        variety=variety.name, bodies=(body,), sheets=tuple(sheets), balls=ball(0.95), lies=0.5
    )


def _peel(variety: Variety, depth: float, rng: Rng) -> Painter:
    """Paint pores, a slow change of colour and a green button with a pale star."""
    base, end = (vary(colour, rng, 0.06) for colour in variety.colours)
    button, rim = linear((92, 98, 44)), linear((150, 150, 60))
    seed, lean = int(rng.integers(1 << 30)), lean_of(rng)
    frequency = float(rng.uniform(13.0, 18.0))

    def paint(spots: Spots) -> Surface:
        local = np.random.default_rng(seed)
        x, y, z = spots.unit
        c, _ = polar(spots.unit)
        side = lean[0] * x + lean[1] * y + lean[2] * z + waves(spots.unit, 0.8, local)
        albedo = blend(base, end, step(side, 0.6, 2.6))
        pores = np.minimum(solid(spots.unit, frequency, 3.0, spots.pixel), 0.5)
        albedo = albedo * (1.0 + 0.05 * pores)
        albedo = blend(albedo, rim, step(c, 0.965, 0.985) * 0.4)
        albedo = blend(albedo, button, step(c, 0.988, 0.994) * 0.85)
        return Surface(albedo=albedo, height=pores * depth, gloss=0.28, tight=24.0)

    return paint
