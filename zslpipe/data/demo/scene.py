"""Where the creatures live: six habitats with their light, their ground and their clutter."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from zslpipe.data.demo import plants
from zslpipe.data.demo.pen import WHITE, Colour, Pen, mix, to_bytes

Rng = np.random.Generator
Thing = Callable[[Pen, Rng], None]


@dataclass(frozen=True)
class Habitat:
    """Colours from the top of the sky to the horizon, of the hills behind, of the ground from far to near.

    Args:
        tint: the light's colour, 255 a channel for daylight.
        above: draws what is in the sky (or in the water).
        behind, before: what stands around.
    """

    sky: tuple[Colour, Colour]
    hills: Colour
    ground: tuple[Colour, Colour]
    tint: Colour
    above: Callable[[Image.Image, Rng], None]
    behind: tuple[Thing, ...]
    before: tuple[Thing, ...]


def backdrop(habitat: Habitat, rng: Rng, side: int) -> tuple[Image.Image, float]:
    """A (side, side) picture of the empty habitat, and the height of its horizon in pixels from the top."""
    image = _gradient(*(_near(c, rng, 12) for c in habitat.sky), side)
    habitat.above(image, rng)
    horizon = side * rng.uniform(0.45, 0.66)
    for rise, depth in ((0.16, 0.45), (0.07, 0.8)):
        _land(image, _hills(rng, side, horizon, rise), _plain(mix(habitat.sky[1], _near(habitat.hills, rng, 10), depth), side))
    ground = _mottled(_gradient(*(_near(c, rng, 10) for c in habitat.ground), side, int(horizon)), rng)
    _land(image, _hills(rng, side, horizon, 0.02), ground)
    return image, horizon


def scatter(image: Image.Image, things: tuple[Thing, ...], rng: Rng, count: int, near: float, far: float, light: float) -> None:
    """Things on the ground between the heights `far` and `near` (pixels from the top), the farther the smaller."""
    side = image.width
    for y in np.sort(rng.uniform(far, near, count)):
        unit = side * (0.10 + 0.16 * (y / side) ** 2) * rng.uniform(0.8, 1.3)
        at = (rng.uniform(-0.02, 1.02) * side, float(y))
        pen = Pen(image, at, unit, rng.uniform(-0.06, 0.06), rng.random() < 0.5, light, max(1.0, 0.02 * unit))
        things[rng.integers(len(things))](pen, rng)


def shadow(image: Image.Image, at: tuple[float, float], width: float) -> None:
    """A soft dark pool on the ground under a figure."""
    height = width * 0.22
    soft = _disc().resize((round(width), round(height)), Image.Resampling.BILINEAR)
    image.paste((20, 15, 40), (round(at[0] - width / 2), round(at[1] - height / 2)), soft)


def lit(image: Image.Image, habitat: Habitat, rng: Rng) -> Image.Image:
    """The picture in the habitat's light, brighter or darker as the hour has it."""
    exposure, contrast = rng.uniform(0.82, 1.12), rng.uniform(0.9, 1.08)
    warmth = rng.uniform(-8, 8)
    levels = np.arange(256)
    tables = [
        np.clip(((levels - 128) * contrast + 128) * exposure * (tint + shift) / 255, 0, 255)
        for tint, shift in zip(habitat.tint, (warmth, 0, -warmth), strict=True)
    ]
    return image.point(np.round(np.concatenate(tables)).astype(int).tolist())


def _near(colour: Colour, rng: Rng, spread: float) -> Colour:
    r, g, b = np.array(colour) + rng.uniform(-spread, spread, 3)
    return r, g, b


def _plain(colour: Colour, side: int) -> Image.Image:
    return Image.new("RGB", (side, side), to_bytes(colour))


def _gradient(top: Colour, bottom: Colour, side: int, start: int = 0) -> Image.Image:
    """From `top` (down to the row `start`) to `bottom` at the lower edge."""
    share = np.clip((np.arange(side) - start) / (side - start), 0, 1)[:, None]
    column = (1 - share) * np.array(top) + share * np.array(bottom)
    return Image.fromarray(np.clip(column, 0, 255).astype(np.uint8)[:, None]).resize((side, side))


def _mottled(image: Image.Image, rng: Rng) -> Image.Image:
    """The picture with light and dark patches, flat as on the ground."""
    grain = Image.fromarray(rng.integers(0, 256, (40, 14), dtype=np.uint8)).resize(image.size, Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(90, 166, (112, 56), dtype=np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    bright = Image.blend(image, Image.new("RGB", image.size, "white"), 0.13)
    dark = Image.blend(image, Image.new("RGB", image.size, "black"), 0.16)
    return Image.composite(bright, dark, Image.blend(grain, fine, 0.5))


def _hills(rng: Rng, side: int, base: float, rise: float) -> np.ndarray:
    """Heights (pixels from the top) of a rolling line, every few pixels."""
    x = np.linspace(0, 1, 40)
    waves = sum(rng.uniform(0.3, 1) / k * np.sin(2 * np.pi * (k * x * rng.uniform(0.6, 1.2) + rng.random())) for k in (1, 2, 4))
    return base - rise * side * (0.5 + 0.4 * np.asarray(waves))


def _land(image: Image.Image, line: np.ndarray, filling: Image.Image) -> None:
    side = image.width
    mask = Image.new("L", image.size)
    x = np.linspace(0, side, len(line))
    xy = np.column_stack([x, line]).ravel().tolist()
    ImageDraw.Draw(mask).polygon([*xy, side, side, 0, side], fill=255)
    image.paste(filling, (0, 0), mask)


def _disc() -> Image.Image:
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    return Image.fromarray((150 * np.clip(1.1 - np.hypot(x, y), 0, 1) ** 0.8 * (np.hypot(x, y) < 1)).astype(np.uint8))


def _glow(image: Image.Image, at: tuple[float, float], radius: float, colour: Colour) -> None:
    size = round(2 * radius)
    soft = _disc().resize((size, size), Image.Resampling.BILINEAR)
    image.paste(to_bytes(colour), (round(at[0] - radius), round(at[1] - radius)), soft)


def _orb(image: Image.Image, rng: Rng, radius: float, colour: Colour) -> None:
    """Sun or moon in its glow."""
    side = image.width
    x, y = side * rng.uniform(0.08, 0.92), side * rng.uniform(0.06, 0.28)
    r = radius * side
    _glow(image, (x, y), 2.6 * r, colour)
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=to_bytes(mix(colour, WHITE, 0.3)))


def _clouds(image: Image.Image, rng: Rng) -> None:
    side = image.width
    for _ in range(rng.integers(1, 4)):
        x, y, w = rng.uniform(0, side), rng.uniform(0.04, 0.32) * side, rng.uniform(0.12, 0.22) * side
        for _ in range(5):
            _glow(image, (x + rng.uniform(-w, w), y + rng.uniform(-0.12, 0.12) * w), w * rng.uniform(0.45, 0.7), (252, 252, 255))


def _dots(image: Image.Image, rng: Rng, count: int, size: tuple[float, float], colour: Colour, low: float = 1.0) -> None:
    """Stars, flakes and falling leaves."""
    side, draw = image.width, ImageDraw.Draw(image)
    for _ in range(count):
        x, y, r = rng.uniform(0, side), rng.uniform(0, low * side), side * rng.uniform(*size)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=to_bytes(colour))


def _bright_day(image: Image.Image, rng: Rng) -> None:
    _clouds(image, rng)


def _hot_day(image: Image.Image, rng: Rng) -> None:
    _orb(image, rng, 0.07, (255, 240, 170))


def _snowfall(image: Image.Image, rng: Rng) -> None:
    _clouds(image, rng)
    _dots(image, rng, 60, (0.002, 0.007), WHITE)


def _night_sky(image: Image.Image, rng: Rng) -> None:
    _dots(image, rng, 70, (0.001, 0.004), (255, 250, 220), 0.7)
    _orb(image, rng, 0.065, (235, 235, 205))


def _water(image: Image.Image, rng: Rng) -> None:
    """Shafts of light from the surface, and bubbles."""
    side = image.width
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    for _ in range(5):
        x, w, lean = rng.uniform(0, side), side * rng.uniform(0.03, 0.08), side * rng.uniform(-0.25, 0.25)
        draw.polygon([x, 0, x + w, 0, x + 2.2 * w + lean, side, x - w + lean, side], fill=42)
    image.paste((190, 250, 240), (0, 0), mask)
    bubbles = ImageDraw.Draw(image)
    for _ in range(16):
        x, y, r = rng.uniform(0, side), rng.uniform(0, 0.8 * side), side * rng.uniform(0.005, 0.022)
        bubbles.ellipse((x - r, y - r, x + r, y + r), outline=(210, 250, 250), width=2)
        bubbles.ellipse((x - 0.5 * r, y - 0.6 * r, x - 0.1 * r, y - 0.2 * r), fill=(240, 255, 255))


def _leaf_fall(image: Image.Image, rng: Rng) -> None:
    _clouds(image, rng)
    for colour in ((206, 92, 36), (226, 160, 48)):
        _dots(image, rng, 14, (0.004, 0.01), colour)


SCENES: dict[str, Habitat] = {
    "meadow": Habitat(
        ((96, 168, 236), (206, 234, 248)), (98, 164, 96), ((132, 196, 84), (70, 142, 52)), (255, 254, 246),
        _bright_day, (plants.bush, plants.tuft, plants.stone), (plants.tuft, plants.flower, plants.tuft, plants.flower),
    ),
    "desert": Habitat(
        ((250, 196, 110), (254, 232, 186)), (206, 138, 84), ((240, 200, 128), (216, 160, 86)), (255, 246, 226),
        _hot_day, (plants.cactus, plants.stone), (plants.stone, plants.dry_grass, plants.cactus),
    ),
    "snow": Habitat(
        ((164, 194, 226), (226, 236, 246)), (176, 196, 222), ((236, 242, 252), (206, 220, 240)), (246, 250, 255),
        _snowfall, (plants.snowy_pine,), (plants.snowball, plants.stone, plants.snowball),
    ),
    "night": Habitat(
        ((18, 20, 58), (70, 62, 122)), (32, 38, 76), ((54, 66, 96), (26, 34, 62)), (206, 206, 246),
        _night_sky, (plants.dark_tree,), (plants.mushroom, plants.dark_tuft),
    ),
    "sea bed": Habitat(
        ((62, 178, 196), (20, 104, 146)), (22, 92, 126), ((214, 202, 150), (150, 146, 112)), (214, 250, 250),
        _water, (plants.seaweed, plants.coral), (plants.seaweed, plants.starfish, plants.coral, plants.stone),
    ),
    "autumn": Habitat(
        ((206, 202, 204), (246, 226, 196)), (164, 106, 62), ((190, 122, 58), (128, 76, 38)), (255, 242, 226),
        _leaf_fall, (plants.autumn_tree,), (plants.leaves, plants.mushroom, plants.leaves),
    ),
}  # fmt: skip
