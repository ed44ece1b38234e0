"""What are a cherry, a bunch of grapes and a strawberry like?"""

import math

import numpy as np

from cnnbench.fruits.render.light import Surface, blend, linear, step, vary
from cnnbench.fruits.render.noise import FloatArray, Rng, Vector, lean_of, near, solid, waves
from cnnbench.fruits.render.parts import Sheet, blades, leaf, stem, tube, whorl
from cnnbench.fruits.render.shapes import Balls, Revolved, measured, rotation
from cnnbench.fruits.render.solids import Body, Fruit, Painter, Spots, Variety, lump, pick

_CHERRIES = (
    Variety(name="red", colours=((190, 20, 30), (150, 14, 26)), share=0.45),
    Variety(name="dark", colours=((92, 10, 26), (60, 8, 20)), share=0.3),
    Variety(name="blushed", colours=((232, 176, 80), (206, 50, 40)), share=0.25),
)
_GRAPES = (
    Variety(name="green", colours=((176, 190, 84), (150, 172, 70)), share=0.35, amount=0.05),
    Variety(name="purple", colours=((66, 34, 74), (44, 26, 60)), share=0.25, amount=0.3),
    Variety(name="red", colours=((150, 50, 62), (112, 34, 60)), share=0.25, amount=0.12),
    Variety(name="blue", colours=((34, 32, 56), (50, 50, 90)), share=0.15, amount=0.4),
)


def cherry(choice: float, rng: Rng) -> Fruit:
    """Return one, two or three cherries whose long stems meet."""
    variety = pick(_CHERRIES, choice)
    count = int(rng.choice([1, 2, 3], p=[0.15, 0.62, 0.23]))
    size = (0.8, 0.62, 0.55)[count - 1]
    knot = np.array([float(rng.normal(0.0, 0.15)), 1.55, float(rng.normal(0.0, 0.15))])
    bodies, sheets, balls = [], [], []
    for k in range(count):
        angle = 2 * math.pi * k / count + float(rng.uniform(0.0, 0.6))
        reach = (0.0, size * 1.02, size * 1.18)[count - 1]
        drop = -0.35 + float(rng.normal(0.0, 0.1))
        offset = (reach * math.cos(angle), drop, reach * math.sin(angle))
        body = _cherry_body(variety, size, offset, rng)
        bodies.append(body)
        balls.append([*offset, size * 0.95])
        foot = np.array(offset) + body.turn @ np.array([0.0, size * 0.58, 0.0])
        sheets.append(_cherry_stem(foot, knot, rng))
    x, y, z = (float(v) for v in knot)
    sheets.extend(leaf(0.4, (x, y, z), 0.9, rng))
    return Fruit(
        variety=variety.name,
        bodies=tuple(bodies),
        sheets=tuple(sheets),
        balls=np.array(balls),
        lies=0.75,
        tilt=0.9,
    )


def _cherry_body(variety: Variety, size: float, offset: Vector, rng: Rng) -> Body:
    dimple = -near(0.34, 0.2, rng)
    shape = Revolved(polynomial=(0.98, 0.04), top=dimple, top_rate=8.0)
    lean = rotation((float(rng.normal()), 0.0, float(rng.normal())), near(0.2, 1.0, rng))
    return Body(
        shape=measured(shape),
        paint=_cherry_skin(variety, rng),
        stretch=(size, size * 0.94, size * 0.96),
        offset=offset,
        turn=lean,
    )


def _cherry_stem(foot: FloatArray, knot: FloatArray, rng: Rng) -> Sheet:
    """Return a thin stem that bows from a cherry's dimple to the knot."""
    u = np.linspace(0.0, 1.0, 12)
    bow = np.array([foot[0] * 0.6, 0.25, foot[2] * 0.6])
    path = foot[:, None] * (1 - u) + knot[:, None] * u + bow[:, None] * (u * (1 - u))
    radii = 0.035 + 0.07 * (u - 0.4) ** 2
    return tube(path, radii, np.repeat(vary((112, 128, 52), rng), 12, axis=1))


def _cherry_skin(variety: Variety, rng: Rng) -> Painter:
    base, cheek = (vary(colour, rng) for colour in variety.colours)
    lean = lean_of(rng)

    def paint(spots: Spots) -> Surface:
        """Paint one glossy colour, or yellow with a red cheek."""
        x, y, z = spots.unit
        side = lean[0] * x + lean[1] * y + lean[2] * z + 0.12 * solid(spots.unit, 4.0, 5.0)
        albedo = blend(base, cheek, step(side, -0.6, 1.0))
        return Surface(albedo=albedo, gloss=0.6, tight=70.0, glow=0.05)

    return paint


def grape(choice: float, rng: Rng) -> Fruit:
    """Return a bunch of grapes: rings that get narrower down the bunch."""
    variety = pick(_GRAPES, choice)
    count = int(rng.integers(22, 40))
    u = (np.arange(count) + 0.5) / count
    rim = (0.78 - 0.62 * u) * np.sqrt(rng.uniform(0.25, 1.0, count))
    turn = np.arange(count) * 2.399963 + rng.normal(0.0, 0.3, count)
    centres = np.stack([rim * np.cos(turn), 0.75 - 1.75 * u**0.85, rim * np.sin(turn)], axis=1)
    centres += rng.normal(0.0, 0.05, centres.shape)
    radii = near(0.29, 0.12, rng) * rng.uniform(0.85, 1.1, count)
    twig = stem((0.0, 0.75, 0.0), near(0.7, 0.2, rng), 0.05, (120, 110, 56), rng)
    sheets = (twig, *leaf(0.4, (0.0, 1.0, 0.0), 1.0, rng))
    body = Body(shape=Balls(centres=centres, radii=radii), paint=_grape_skin(variety, rng))
    return Fruit(
        variety=variety.name,
        bodies=(body,),
        sheets=sheets,
        balls=np.array([[0.0, 0.4, 0.0, 0.75], [0.0, -0.3, 0.0, 0.6], [0.0, -0.8, 0.0, 0.35]]),
        lies=0.8,
        tilt=0.9,
    )


def _grape_skin(variety: Variety, rng: Rng) -> Painter:
    base, other = (vary(colour, rng) for colour in variety.colours)
    wax_colour = linear((165, 168, 190))
    seed = int(rng.integers(1 << 30))

    def paint(spots: Spots) -> Surface:
        """Paint glassy grapes, each a little different, under a patchy waxy bloom."""
        local = np.random.default_rng(seed)
        member = np.zeros(spots.unit.shape[1], np.int32) if spots.which is None else spots.which
        tones = local.uniform(0.0, 1.0, int(member.max()) + 1).astype(np.float32)
        albedo = blend(base, other, tones[member])
        albedo *= 0.85 + 0.3 * tones[(member * 7 + 3) % tones.size]
        patches = waves(spots.unit, 1.1, local) + 0.15 * solid(spots.unit, 4.0, 5.0)
        wax = np.clip(0.5 + 0.6 * patches, 0.0, 1.0) * variety.amount
        albedo = blend(albedo, wax_colour, wax)
        return Surface(albedo=albedo, gloss=0.45 * (1.0 - wax), tight=60.0, glow=0.22)

    return paint


def strawberry(choice: float, rng: Rng) -> Fruit:
    """Return a strawberry: a cone with seeds in pits, under a star of leaves."""
    shape = Revolved(
        lump=lump(0.03, rng),
        polynomial=(0.80, 0.02, -0.05),
        top=-0.12,
        top_rate=6.0,
        tail=near(0.42, 0.2, rng),
        tail_rate=near(2.6, 0.15, rng),
    )
    body = Body(
        shape=measured(shape),
        paint=_strawberry_skin(choice, rng),
        stretch=(1.05, 1.0, 0.98),
        offset=(0.0, 0.18, 0.0),
    )
    sheets = [_calyx(rng)]
    if rng.random() < 0.6:
        sheets.append(stem((0.0, 0.86, 0.0), near(0.4, 0.4, rng), 0.035, (120, 150, 66), rng))
    return Fruit(
        variety="ripe" if choice < 0.7 else "pale",
        bodies=(body,),
        sheets=tuple(sheets),
        balls=np.array([[0.0, 0.25, 0.0, 0.72], [0.0, -0.4, 0.0, 0.45]]),
        lies=0.7,
        tilt=1.2,
    )


def _calyx(rng: Rng) -> Sheet:
    """Return the star of small leaves on top of a strawberry."""
    count = int(rng.integers(8, 12))
    outward = whorl(count, -0.05, 0.5, rng)
    return blades(
        roots=np.stack([0.05 * outward[0], np.full(count, 0.86), 0.05 * outward[2]]),
        outward=outward,
        lengths=rng.uniform(0.55, 0.85, count),
        widths=rng.uniform(0.24, 0.34, count),
        droop=rng.uniform(-0.1, 0.45, count),
        colours=np.repeat(vary((74, 124, 42), rng, 0.12), count, axis=1),
        rng=rng,
        pointed=0.6,
    )


def _strawberry_skin(choice: float, rng: Rng) -> Painter:
    red, pale = vary((196, 24, 28), rng, 0.07), vary((238, 190, 120), rng)
    seed_colour, rows = vary((226, 186, 84), rng), float(rng.uniform(5.0, 6.5))
    unripe = float(rng.uniform(0.0, 0.3 if choice < 0.7 else 1.0))

    def paint(spots: Spots) -> Surface:
        """Paint red, pale at the shoulder where unripe, with rows of seeds in pits."""
        x, y, z = spots.unit
        girth = np.sqrt(x * x + z * z)
        line = np.round(y * rows)
        count = np.maximum(np.round(girth * rows * 4.6), 1.0)
        across = np.arctan2(z, x) / (2 * math.pi) * count + 0.5 * (line % 2)
        du = (across - np.round(across)) * 1.15
        dv = y * rows - line
        far = du * du + dv * dv * 0.7
        seed, pit = step(far, 0.030, 0.014), step(far, 0.16, 0.03)
        albedo = blend(
            red, pale, step(y, 0.75 - unripe, 0.95 - 0.3 * unripe) * min(1.0, unripe * 2)
        )
        albedo = blend(albedo * (1.0 - 0.35 * pit), seed_colour, seed)
        height = 0.035 * seed - 0.05 * pit
        return Surface(albedo=albedo, height=height, gloss=0.4 * (1.0 - 0.6 * pit), tight=30.0)

    return paint
