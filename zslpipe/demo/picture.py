"""One picture of the demo set: a creature somewhere in a habitat, in some pose and some light."""

import math

import numpy as np
from PIL import Image

from zslpipe.demo.attributes import HOME
from zslpipe.demo.classes import creatures
from zslpipe.demo.creature import draw_creature
from zslpipe.demo.pen import Pen
from zslpipe.demo.scene import SCENES, backdrop, lit, scatter
from zslpipe.demo.sky import shadow

OVERSAMPLE = 2  # drawn larger and averaged: Pillow's polygons have no smooth edges


def draw_picture(seed: int, which: int, number: int, size: int) -> Image.Image:
    """Picture `number` of class `which`: it depends on these and on nothing else.

    Returns:
        (size, size) RGB image.
    """
    rng = np.random.default_rng((seed, which, number))
    creature, side = creatures()[which], size * OVERSAMPLE
    scene = SCENES[creature.traits["habitat"] if rng.random() < HOME else creature.visits]
    light = float(rng.choice((-1, 1)))

    image, horizon = backdrop(scene, rng, side)
    unit = side * _fits(creature.traits["body"]) * math.exp(rng.uniform(math.log(0.36), math.log(0.52)))
    nearness = (unit / side - 0.31) / 0.21  # the nearer the lower in the picture, as far as it goes
    stand = (side * rng.uniform(0.38, 0.62), side * (0.70 + 0.20 * nearness + rng.uniform(-0.05, 0.03)))
    far, near = (horizon, stand[1] - 0.04 * side), (stand[1] + 0.02 * side, 1.04 * side)  # rows of pixels
    scatter(image, scene.behind, rng, int(rng.integers(2, 6)), far, light)
    shadow(image, stand, 1.9 * unit)
    turn, flip = rng.normal(0, 0.07), bool(rng.random() < 0.5)
    draw_creature(Pen(image, stand, unit, turn, flip, light, line=0.023 * unit + 0.002 * side), rng, creature.traits)
    scatter(image, scene.before, rng, int(rng.integers(1, 5)), near, light)
    return lit(image.reduce(OVERSAMPLE), scene, rng)


def _fits(body: str) -> float:
    """Long and tall creatures are drawn a little smaller, so that they stay in the picture."""
    return {"long": 0.88, "tall": 0.9}.get(body, 1.0)
