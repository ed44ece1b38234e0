"""What are a lemon, an orange, an apple and a pear like?"""

import numpy as np

from cnnbench.fruits.render.light import Colour, Surface, blend, linear, step, vary
from cnnbench.fruits.render.noise import Rng, lean_of, near, polar, solid, waves
from cnnbench.fruits.render.parts import BARK, leaf, stem
from cnnbench.fruits.render.shapes import Revolved, measured
from cnnbench.fruits.render.solids import Body, Fruit, Painter, Spots, Variety, ball, lump, pick

# -- lemon and orange -----------------------------------------------------------------------------

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
    shape = Revolved(
        lump=lump(0.018, rng),
        polynomial=(0.78, 0.0, 0.13),
        top=near(0.12, 0.3, rng),
        top_rate=26.0,
        tail=near(0.30, 0.2, rng),
        tail_rate=near(21.0, 0.25, rng),
    )
    long = near(1.14, 0.06, rng)
    sheets = leaf(0.3, (0.0, 1.03 * long, 0.0), 1.0, rng)
    body = Body(shape=measured(shape), paint=_peel(variety, 0.006, rng), stretch=(1.0, long, 1.0))
    return Fruit(
        variety=variety.name, bodies=(body,), sheets=sheets, balls=ball(0.85), lies=0.9, end_on=0.8
    )


def orange(choice: float, rng: Rng) -> Fruit:
    """Return an orange: nearly a ball, with pores and a green button."""
    variety = pick(_ORANGES, choice)
    shape = Revolved(
        lump=lump(0.012, rng),
        polynomial=(0.97, 0.0, near(0.02, 1.0, rng)),
        top=-0.06,
        top_rate=30.0,
        tail=-0.05,
        tail_rate=60.0,
    )
    height = near(0.95, 0.06, rng)
    sheets = leaf(0.35, (0.0, 0.93 * height, 0.0), 1.0, rng)
    body = Body(shape=measured(shape), paint=_peel(variety, 0.009, rng), stretch=(1.0, height, 1.0))
    return Fruit(variety=variety.name, bodies=(body,), sheets=sheets, balls=ball(0.95), lies=0.5)


def _peel(variety: Variety, depth: float, rng: Rng) -> Painter:
    base, end = (vary(colour, rng, 0.06) for colour in variety.colours)
    button, rim = linear((92, 98, 44)), linear((150, 150, 60))
    seed, lean = int(rng.integers(1 << 30)), lean_of(rng)
    frequency = float(rng.uniform(13.0, 18.0))

    def paint(spots: Spots) -> Surface:
        """Paint pores, a slow change of colour and a green button with a pale star."""
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


# -- apple and pear -------------------------------------------------------------------------------

_APPLES = (
    Variety(name="red", colours=((214, 180, 84), (170, 24, 32)), share=0.26, amount=1.0),
    Variety(name="striped", colours=((222, 190, 90), (196, 52, 40)), share=0.22, amount=0.6),
    Variety(name="green", colours=((140, 176, 60), (150, 180, 70)), share=0.22, amount=0.2),
    Variety(name="yellow", colours=((222, 196, 80), (226, 170, 80)), share=0.2, amount=0.35),
    Variety(name="dark", colours=((120, 22, 30), (84, 12, 24)), share=0.1, amount=0.7),
)
_PEARS = (
    Variety(name="green", colours=((160, 176, 72),), share=0.35),
    Variety(name="yellow", colours=((222, 190, 84),), share=0.3, amount=0.05),
    Variety(name="russet", colours=((176, 130, 66),), share=0.25, amount=0.6),
    Variety(name="red", colours=((150, 50, 44),), share=0.1),
)
_STREAKS = np.array([[6.0], [0.8], [6.0]], np.float32)


def apple(choice: float, rng: Rng) -> Fruit:
    """Return an apple: a dimple with a stem above, a smaller one below."""
    variety = pick(_APPLES, choice)
    top = -near(0.40, 0.2, rng)
    shape = Revolved(
        lump=lump(0.015, rng),
        polynomial=(0.97, near(0.05, 0.9, rng), 0.04),
        top=top,
        top_rate=near(9.0, 0.2, rng),
        tail=-near(0.20, 0.4, rng),
        tail_rate=13.0,
    )
    height = near(0.92, 0.1, rng)
    foot = (0.0, (1.02 + top) * height - 0.02, 0.0)
    twig = stem(foot, near(0.62, 0.3, rng), 0.045, BARK, rng)
    sheets = (twig, *leaf(0.35, (0.0, foot[1] + 0.3, 0.0), 0.9, rng))
    body = Body(shape=measured(shape), paint=_apple_skin(variety, rng), stretch=(1.0, height, 1.0))
    return Fruit(variety=variety.name, bodies=(body,), sheets=sheets, balls=ball(0.95), lies=0.3)


def _apple_skin(variety: Variety, rng: Rng) -> Painter:
    base, over = (vary(colour, rng) for colour in variety.colours)
    russet_colour, bruise_colour = linear((112, 100, 52)), linear((118, 76, 40))
    seed, dots = int(rng.integers(1 << 30)), float(rng.uniform(0.3, 1.0))
    lean, spot = lean_of(rng), lean_of(rng)
    bruised = rng.random() < 0.25
    spot /= np.sqrt((spot * spot).sum())

    def paint(spots: Spots) -> Surface:
        """Paint a ground colour, streaks of blush, pale dots, a russet dimple, perhaps a bruise."""
        local = np.random.default_rng(seed)
        c, longitude = polar(spots.unit)
        x, y, z = spots.unit
        side = (lean[0] * x + lean[1] * y + lean[2] * z) * 0.35
        streak = 0.5 * np.sin(longitude * 23.0 + 2.0 * np.sin(longitude * 7.0))
        streak += solid(spots.unit * _STREAKS, 1.2, 11.0)
        share = step(side + 0.22 * streak + 0.3 * waves(spots.unit, 1.0, local), 0.9, -0.5)
        albedo = blend(base, over, np.clip(share * 2.0 * variety.amount, 0.0, 1.0))
        speck = step(solid(spots.unit, 9.0, 5.0), 1.7, 2.3) * dots
        albedo = blend(albedo, base * 1.25, speck * 0.7)
        albedo = blend(albedo, russet_colour, step(c + 0.05 * streak, 0.86, 0.985) * 0.75)
        if bruised:
            close = spot[0] * x + spot[1] * y + spot[2] * z
            albedo = blend(albedo, bruise_colour, step(close, 0.88, 0.95) * 0.7)
        return Surface(albedo=albedo, gloss=0.32, tight=38.0)

    return paint


def pear(choice: float, rng: Rng) -> Fruit:
    """Return a pear: a round belly and a neck that runs into the stem."""
    variety = pick(_PEARS, choice)
    neck = near(0.68, 0.15, rng)
    shape = Revolved(
        lump=lump(0.02, rng),
        polynomial=(0.80, -0.03, 0.03),
        top=neck,
        top_rate=near(9.5, 0.3, rng),
        tail=-0.13,
        tail_rate=12.0,
        bend=float(rng.normal(0.0, 0.05)),
    )
    drop = 0.36
    body = Body(shape=measured(shape), paint=_pear_skin(variety, rng), offset=(0.0, -drop, 0.0))
    top = 0.80 + neck - drop
    twig = stem((0.0, top - 0.06, 0.0), near(0.42, 0.3, rng), 0.045, BARK, rng)
    sheets = (twig, *leaf(0.25, (0.0, top + 0.1, 0.0), 0.9, rng))
    return Fruit(
        variety=variety.name,
        bodies=(body,),
        sheets=sheets,
        balls=np.array([[0.0, -drop, 0.0, 0.78], [0.0, 0.5, 0.0, 0.40]]),
        lies=0.6,
        tilt=0.4,
        end_on=0.7,
    )


def _pear_skin(variety: Variety, rng: Rng) -> Painter:
    ground: Colour = variety.colours[0]
    base, brown, red = vary(ground, rng), vary((140, 96, 48), rng), vary((172, 66, 44), rng)
    dot_colour = linear((104, 80, 40))
    seed, lean = int(rng.integers(1 << 30)), lean_of(rng)
    blushed = rng.random() < 0.3

    def paint(spots: Spots) -> Surface:
        """Paint a matt skin, dotted with brown, with a veil of russet, at times a red cheek."""
        local = np.random.default_rng(seed)
        x, y, z = spots.unit
        veil = waves(spots.unit, 1.2, local) + 0.35 * solid(spots.unit, 7.0, 2.0)
        albedo = blend(base, brown, step(veil + 2.4 * variety.amount, 0.9, 1.9) * 0.85)
        if blushed:
            side = lean[0] * x + lean[2] * z + 0.4 * veil
            albedo = blend(albedo, red, step(side, 0.4, 1.6) * 0.7)
        dots = step(solid(spots.unit, 12.0, 9.0), 1.5, 2.0)
        albedo = blend(albedo, dot_colour, dots * 0.6)
        albedo = blend(albedo, brown, step(y, 1.1, 1.45) * 0.5)
        return Surface(albedo=albedo, gloss=0.12, tight=14.0)

    return paint
