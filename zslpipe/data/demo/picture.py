"""One picture of the demo set: a creature somewhere in a habitat, in some pose and some light."""

import numpy as np
from PIL import Image

from zslpipe.data.demo.attributes import HOME
from zslpipe.data.demo.classes import creatures
from zslpipe.data.demo.creature import draw_creature
from zslpipe.data.demo.pen import Pen
from zslpipe.data.demo.scene import SCENES, backdrop, lit, scatter, shadow

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
    stand = (side * rng.uniform(0.38, 0.62), side * rng.uniform(0.78, 0.92))
    scatter(image, scene.behind, rng, int(rng.integers(2, 6)), stand[1] - 0.06 * side, horizon, light)
    unit = side * rng.uniform(0.36, 0.52)
    shadow(image, stand, 1.9 * unit)
    turn, flip = rng.normal(0, 0.07), bool(rng.random() < 0.5)
    draw_creature(Pen(image, stand, unit, turn, flip, light, line=0.011 * side), rng, creature.traits)
    scatter(image, scene.before, rng, int(rng.integers(1, 5)), side * 1.04, stand[1] + 0.02 * side, light)
    return lit(image.reduce(OVERSAMPLE), scene, rng)
