"""The six habitats: sky, ground, light and objects."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from zslpipe.demo import plants, sky
from zslpipe.demo.pen import Colour, Pen, mix, to_bytes

Rng = np.random.Generator
Prop = Callable[[Pen, Rng], None]


@dataclass(frozen=True)
class Habitat:
    """Colours and objects of a habitat.

    Args:
        sky: colours at the top and at the horizon.
        hills: colour of the hills.
        ground: colours in the distance and in the foreground.
        tint: colour of the light; daylight is 255 in every channel.
        above: draws what is in the sky (or in the water).
        behind, before: objects behind and in front of the creature.
    """

    sky: tuple[Colour, Colour]
    hills: Colour
    ground: tuple[Colour, Colour]
    tint: Colour
    above: Callable[[Image.Image, Rng], None]
    behind: tuple[Prop, ...]
    before: tuple[Prop, ...]


def backdrop(habitat: Habitat, rng: Rng, side: int) -> tuple[Image.Image, float]:
    """A (side, side) picture of the empty habitat, and the row of its horizon in pixels from the top."""
    top, bottom = (_jitter(colour, rng, 12) for colour in habitat.sky)
    image = _gradient(top, bottom, side)
    habitat.above(image, rng)
    horizon = side * rng.uniform(0.44, 0.6)
    for rise, depth in ((0.16, 0.45), (0.07, 0.8)):
        hazy = mix(habitat.sky[1], _jitter(habitat.hills, rng, 10), depth)  # distant hills are paler
        _fill_below(image, _hills(rng, side, horizon, rise), Image.new("RGB", image.size, to_bytes(hazy)))
    far, near = (_jitter(colour, rng, 10) for colour in habitat.ground)
    _fill_below(image, _hills(rng, side, horizon, 0.02), _add_patches(_gradient(far, near, side, int(horizon)), rng))
    return image, horizon


def scatter(
    image: Image.Image, props: tuple[Prop, ...], rng: Rng, count: int, rows: tuple[float, float], light: float
) -> None:
    """Draw `count` random objects on the ground between two rows of pixels, smaller in the distance."""
    side = image.width
    for y in np.sort(rng.uniform(*rows, count)):
        unit = side * (0.10 + 0.16 * (y / side) ** 2) * rng.uniform(0.8, 1.3)
        at = (rng.uniform(-0.02, 1.02) * side, float(y))
        pen = Pen(image, at, unit, rng.uniform(-0.06, 0.06), rng.random() < 0.5, light, max(1.0, 0.02 * unit))
        props[rng.integers(len(props))](pen, rng)


def apply_light(image: Image.Image, habitat: Habitat, rng: Rng) -> Image.Image:
    """The picture with the tint of the habitat and random exposure, warmth and haze."""
    exposure, haze = rng.uniform(0.78, 1.15), 0.4 * rng.beta(1, 2.5)
    warmth, tint = rng.uniform(-22, 22), rng.uniform(-8, 8)
    levels = np.arange(256)
    tables = [
        np.clip(((1 - haze) * levels + haze * air) * exposure * (light + shift) / 255, 0, 255)
        for light, air, shift in zip(habitat.tint, habitat.sky[1], (warmth, tint, -warmth), strict=True)
    ]
    return image.point(np.round(np.concatenate(tables)).astype(int).tolist())


def _jitter(colour: Colour, rng: Rng, spread: float) -> Colour:
    r, g, b = np.array(colour) + rng.uniform(-spread, spread, 3)
    return r, g, b


def _gradient(top: Colour, bottom: Colour, side: int, start: int = 0) -> Image.Image:
    """A vertical gradient: `top` down to the row `start`, then towards `bottom` at the lower edge."""
    share = np.clip((np.arange(side) - start) / (side - start), 0, 1)[:, None]
    column = (1 - share) * np.array(top) + share * np.array(bottom)
    return Image.fromarray(np.clip(column, 0, 255).astype(np.uint8)[:, None]).resize((side, side))


def _add_patches(image: Image.Image, rng: Rng) -> Image.Image:
    """The picture with light and dark patches, wider than high like patches on the ground."""
    grain, fine = rng.integers(0, 256, (40, 14), dtype=np.uint8), rng.integers(90, 166, (112, 56), dtype=np.uint8)
    coarse = Image.fromarray(grain).resize(image.size, Image.Resampling.BICUBIC)
    sand = Image.fromarray(fine).resize(image.size, Image.Resampling.BILINEAR)
    bright = Image.blend(image, Image.new("RGB", image.size, "white"), 0.13)
    dark = Image.blend(image, Image.new("RGB", image.size, "black"), 0.16)
    return Image.composite(bright, dark, Image.blend(coarse, sand, 0.5))


def _hills(rng: Rng, side: int, base: float, rise: float) -> np.ndarray:
    """A random hilly horizon: rows (pixels from the top) at equally spaced columns."""
    x = np.linspace(0, 1, 40)
    waves = np.zeros_like(x)
    for k in (1, 2, 4):
        waves += rng.uniform(0.3, 1) / k * np.sin(2 * np.pi * (k * x * rng.uniform(0.6, 1.2) + rng.random()))
    return base - rise * side * (0.5 + 0.4 * waves)


def _fill_below(image: Image.Image, line: np.ndarray, filling: Image.Image) -> None:
    """Paste `filling` into the part of the image below the line."""
    side = image.width
    mask = Image.new("L", image.size)
    x = np.linspace(0, side, len(line))
    xy = np.column_stack([x, line]).ravel().tolist()
    ImageDraw.Draw(mask).polygon([*xy, side, side, 0, side], fill=255)
    image.paste(filling, (0, 0), mask)


SCENES: dict[str, Habitat] = {
    "meadow": Habitat(
        ((96, 168, 236), (206, 234, 248)), (98, 164, 96), ((132, 196, 84), (70, 142, 52)), (255, 254, 246),
        sky.bright_day, (plants.bush, plants.tuft, plants.stone), (plants.tuft, plants.flower),
    ),
    "desert": Habitat(
        ((250, 196, 110), (254, 232, 186)), (206, 138, 84), ((240, 200, 128), (216, 160, 86)), (255, 246, 226),
        sky.hot_day, (plants.cactus, plants.stone), (plants.stone, plants.dry_grass, plants.dry_grass, plants.cactus),
    ),
    "snow": Habitat(
        ((164, 194, 226), (226, 236, 246)), (176, 196, 222), ((236, 242, 252), (206, 220, 240)), (246, 250, 255),
        sky.snowfall, (plants.snowy_pine,), (plants.snowball, plants.stone, plants.snowball),
    ),
    "night": Habitat(
        ((18, 20, 58), (70, 62, 122)), (32, 38, 76), ((54, 66, 96), (26, 34, 62)), (206, 206, 246),
        sky.night_sky, (plants.dark_tree,), (plants.mushroom, plants.dark_tuft),
    ),
    "sea bed": Habitat(
        ((62, 178, 196), (20, 104, 146)), (22, 92, 126), ((214, 202, 150), (150, 146, 112)), (214, 250, 250),
        sky.water, (plants.seaweed, plants.coral), (plants.seaweed, plants.starfish, plants.coral, plants.stone),
    ),
    "autumn": Habitat(
        ((206, 202, 204), (246, 226, 196)), (164, 106, 62), ((190, 122, 58), (128, 76, 38)), (255, 242, 226),
        sky.leaf_fall, (plants.autumn_tree,), (plants.leaves, plants.mushroom, plants.leaves),
    ),
}  # fmt: skip
