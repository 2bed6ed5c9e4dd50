"""Draws one picture of the demo set: a creature in a habitat with random position, pose and light."""

import math

import numpy as np
from PIL import Image

from zslpipe.demo.attributes import HOME_SHARE
from zslpipe.demo.classes import creatures
from zslpipe.demo.creature import draw_creature
from zslpipe.demo.pen import Pen
from zslpipe.demo.scene import SCENES, apply_light, backdrop, scatter
from zslpipe.demo.sky import shadow

OVERSAMPLE = 2  # draw larger and average, because Pillow does not antialias polygons


def draw_picture(seed: int, which: int, number: int, size: int) -> Image.Image:
    """Picture `number` of class `which`; it depends on the arguments only.

    Returns:
        RGB image of (size, size) pixels.
    """
    rng = np.random.default_rng((seed, which, number))
    creature, side = creatures()[which], size * OVERSAMPLE
    scene = SCENES[creature.traits["habitat"] if rng.random() < HOME_SHARE else creature.visits]
    light = float(rng.choice((-1, 1)))

    image, horizon = backdrop(scene, rng, side)
    unit = side * _body_scale(creature.traits["body"]) * math.exp(rng.uniform(math.log(0.36), math.log(0.52)))
    nearness = (unit / side - 0.31) / 0.21  # nearer creatures are lower in the picture
    position = (side * rng.uniform(0.38, 0.62), side * (0.70 + 0.20 * nearness + rng.uniform(-0.05, 0.03)))
    far, near = (horizon, position[1] - 0.04 * side), (position[1] + 0.02 * side, 1.04 * side)  # rows of pixels
    scatter(image, scene.behind, rng, int(rng.integers(2, 6)), far, light)
    shadow(image, position, 1.9 * unit)
    turn, flip = rng.normal(0, 0.07), bool(rng.random() < 0.5)
    pen = Pen(image, position, unit, turn, flip, light, line=0.023 * unit + 0.002 * side)
    draw_creature(pen, rng, creature.traits)
    scatter(image, scene.before, rng, int(rng.integers(1, 5)), near, light)
    return apply_light(image.reduce(OVERSAMPLE), scene, rng)


def _body_scale(body: str) -> float:
    """Long and tall creatures are drawn slightly smaller, so that they stay inside the picture."""
    return {"long": 0.88, "tall": 0.9}.get(body, 1.0)
