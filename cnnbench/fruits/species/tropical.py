"""What are a banana, a mango and a pineapple like?"""

import math

import numpy as np

from cnnbench.fruits.render.light import Surface, blend, linear, step, vary
from cnnbench.fruits.render.noise import Rng, lean_of, near, solid, waves
from cnnbench.fruits.render.parts import BARK, Sheet, blades, stem, whorl
from cnnbench.fruits.render.shapes import Arc, Revolved, measured, rotation
from cnnbench.fruits.render.solids import Body, Fruit, Painter, Spots, Variety, ball, lump, pick

_BANANAS = (
    Variety(name="yellow", colours=((232, 196, 60),), share=0.45, amount=0.55),
    Variety(name="green", colours=((214, 196, 70),), share=0.25, amount=0.15),
    Variety(name="spotted", colours=((226, 180, 56),), share=0.2, amount=0.95),
    Variety(name="red", colours=((150, 62, 44),), share=0.1, amount=0.6),
)
_MANGOES = (
    Variety(name="red", colours=((232, 170, 56), (196, 56, 44)), share=0.45),
    Variety(name="yellow", colours=((236, 180, 60), (236, 150, 56)), share=0.3),
    Variety(name="green", colours=((130, 150, 60), (150, 80, 60)), share=0.25),
)
_ALONG = np.array([[1.0], [0.5], [1.0]], np.float32)


def banana(choice: float, rng: Rng) -> Fruit:
    """Return a hand of one to four bananas: the stems together, the flower ends fanned out."""
    variety = pick(_BANANAS, choice)
    count = int(rng.choice([1, 2, 3, 4], p=[0.3, 0.25, 0.27, 0.18]))
    curve, half = near(1.3, 0.2, rng), near(0.84, 0.1, rng)
    thick, ripeness = near(0.245, 0.1, rng), variety.amount + float(rng.normal(0.0, 0.1))
    bodies, balls = [], []
    for k in range(count):
        place = k - (count - 1) / 2
        fan = place * 0.26 + float(rng.normal(0.0, 0.03))
        shape = Arc(
            curve=near(curve, 0.05, rng),
            half_angle=near(half, 0.05, rng),
            thick=near(thick, 0.06, rng),
            twist=float(rng.uniform(0.0, 1.0)),
        )
        turn = rotation((0.2, 0.0, 1.0), 0.1) @ rotation((1.0, 0.1, 0.0), fan)
        offset = (0.12 * abs(fan), 0.0, place * 0.26)
        paint = _banana_skin(variety, ripeness, rng)
        bodies.append(Body(shape=shape, paint=paint, turn=turn, offset=offset))
        for t in (-0.75, -0.25, 0.25, 0.75):
            a = t * shape.half_angle
            point = turn @ np.array([curve * (math.cos(a) - 1.0), curve * math.sin(a), 0.0])
            balls.append([*(point + np.array(offset)), thick * 0.9])
    return Fruit(
        variety=variety.name,
        bodies=tuple(bodies),
        balls=np.array(balls),
        lies=0.9,
        tilt=1.3,
        end_on=0.5,
    )


def _banana_skin(variety: Variety, ripeness: float, rng: Rng) -> Painter:
    base, green = vary(variety.colours[0], rng, 0.05), vary((130, 160, 52), rng)
    brown, tip = vary((84, 52, 26), rng), linear((60, 44, 24))
    offset = float(rng.uniform(0.0, 50.0))

    def paint(spots: Spots) -> Surface:
        """Paint green ends when young, brown flecks when old, dark tips always."""
        end = np.abs(spots.unit[1])
        young = np.clip(step(end, 0.3, 1.0) * (1.3 - 2.2 * ripeness), 0.0, 1.0)
        albedo = blend(base, green, young)
        stretched = spots.unit * _ALONG
        fleck = solid(stretched, 7.0, offset) + 0.7 * solid(stretched, 2.5, offset)
        mottle = step(fleck, 2.6 - 1.5 * ripeness, 3.0 - 1.5 * ripeness)
        albedo = blend(albedo, brown, mottle * 0.8)
        albedo = blend(albedo, tip, step(end, 0.93, 0.99) * 0.9)
        return Surface(albedo=albedo, gloss=0.12, tight=12.0)

    return paint


def mango(choice: float, rng: Rng) -> Fruit:
    """Return a mango: a flattened, lopsided egg."""
    variety = pick(_MANGOES, choice)
    shape = Revolved(
        lump=lump(0.025, rng),
        polynomial=(0.92, -0.06, 0.0),
        tail=near(0.12, 0.4, rng),
        tail_rate=7.0,
        bend=near(0.26, 0.25, rng),
    )
    body = Body(
        shape=measured(shape),
        paint=_mango_skin(variety, rng),
        stretch=(near(0.92, 0.05, rng), near(1.28, 0.07, rng), near(0.80, 0.06, rng)),
        offset=(-0.12, 0.0, 0.0),
    )
    sheets: tuple[Sheet, ...] = ()
    if rng.random() < 0.7:
        sheets = (stem((0.02, 1.02, 0.0), 0.22, 0.06, BARK, rng),)
    return Fruit(
        variety=variety.name, bodies=(body,), sheets=sheets, balls=ball(0.85), lies=0.9, end_on=0.8
    )


def _mango_skin(variety: Variety, rng: Rng) -> Painter:
    base, over = (vary(colour, rng) for colour in variety.colours)
    green, pale, dark = vary((112, 134, 52), rng), linear((226, 196, 120)), linear((50, 36, 24))
    seed, lean = int(rng.integers(1 << 30)), lean_of(rng)
    greenness = max(0.0, float(rng.uniform(-0.2, 1.0)))

    def paint(spots: Spots) -> Surface:
        """Paint a blush on one shoulder that runs into the ground colour, and pale freckles."""
        local = np.random.default_rng(seed)
        x, y, z = spots.unit
        soft = waves(spots.unit, 0.7, local)
        side = lean[0] * x + 0.9 * y + lean[2] * z + 0.5 * soft
        albedo = blend(base, over, step(side, -0.1, 1.2) * 0.92)
        low = lean[1] * x - 0.5 * y - lean[0] * z + 0.4 * soft
        albedo = blend(albedo, green, step(low, 0.5, 1.6) * greenness)
        fleck = step(solid(spots.unit, 11.0, 7.0), 1.6, 2.2)
        albedo = blend(albedo, pale, fleck * 0.45)
        spot = step(solid(spots.unit, 5.0, 31.0), 2.2, 2.7)
        albedo = blend(albedo, dark, spot * 0.6)
        return Surface(albedo=albedo, gloss=0.16, tight=14.0)

    return paint


def pineapple(choice: float, rng: Rng) -> Fruit:
    """Return a pineapple: a barrel of lozenges under a crown of blades."""
    scales = (0.05, float(rng.integers(5, 7)), near(6.6, 0.1, rng))
    shape = Revolved(polynomial=(0.80, 0.0, 0.40, 0.0, -0.28), scales=scales)
    body = Body(
        shape=measured(shape),
        paint=_lozenges(scales, choice, rng),
        stretch=(0.86, 1.05, 0.86),
        offset=(0.0, -0.45, 0.0),
    )
    return Fruit(
        variety=("green", "turning", "golden")[min(2, int(choice * 3))],
        bodies=(body,),
        sheets=(_crown(0.42, rng),),
        balls=np.array([[0.0, -0.75, 0.0, 0.68], [0.0, -0.2, 0.0, 0.68], [0.0, 1.0, 0.0, 0.35]]),
        lies=0.55,
        tilt=0.5,
        end_on=0.85,
    )


def _crown(foot: float, rng: Rng) -> Sheet:
    """Return the crown of a pineapple, growing from height `foot`."""
    count = 34
    outward = whorl(count, 0.35, 1.5, rng)
    tones = rng.uniform(0.7, 1.3, count)
    return blades(
        roots=np.stack([0.16 * outward[0], np.full(count, foot), 0.16 * outward[2]]),
        outward=outward,
        lengths=np.linspace(0.55, 1.05, count) * rng.uniform(0.8, 1.15, count),
        widths=np.full(count, 0.24),
        droop=rng.uniform(0.05, 0.35, count),
        colours=vary((92, 118, 70), rng, 0.12) * tones,
        rng=rng,
        pointed=0.15,
    )


def _lozenges(scales: tuple[float, float, float], ripeness: float, rng: Rng) -> Painter:
    ripe, green = vary((206, 142, 40), rng), vary((118, 116, 44), rng)
    brown, spike = linear((150, 100, 60)), linear((70, 44, 26))
    _, around, along = scales

    def paint(spots: Spots) -> Surface:
        """Paint lozenges, golden or green, each with a dark rim and a brown spike."""
        x, y, z = spots.unit
        angle, rise = around * np.arctan2(z, x), along * y
        crest = np.abs(np.cos(angle + rise) * np.cos(angle - rise))
        upper = step(y * 0.8 + 0.2 * np.cos(rise * 0.3), -0.6, 0.3 + 1.5 * ripeness)
        albedo = blend(ripe, green, upper)
        albedo = albedo * (0.3 + 0.7 * step(crest, 0.02, 0.30))
        albedo = blend(albedo, brown, step(crest, 0.80, 0.9) * 0.6)
        albedo = blend(albedo, spike, step(crest, 0.93, 0.99))
        albedo = albedo * (1.0 + 0.1 * solid(spots.unit, 6.0, 4.0))
        return Surface(albedo=albedo, height=0.05 * np.sqrt(crest), gloss=0.15, tight=14.0)

    return paint
