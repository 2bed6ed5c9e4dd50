"""Draws clouds, sun, moon, stars, snow, falling leaves and, for the sea bed, light and bubbles; also shadows."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from zslpipe.demo.pen import WHITE, Colour, mix, to_bytes

Rng = np.random.Generator


def bright_day(image: Image.Image, rng: Rng) -> None:
    _clouds(image, rng)


def hot_day(image: Image.Image, rng: Rng) -> None:
    _orb(image, rng, 0.07, (255, 240, 170))


def snowfall(image: Image.Image, rng: Rng) -> None:
    _clouds(image, rng)
    _dots(image, rng, 60, (0.002, 0.007), WHITE)


def night_sky(image: Image.Image, rng: Rng) -> None:
    _dots(image, rng, 70, (0.001, 0.004), (255, 250, 220))
    _orb(image, rng, 0.065, (235, 235, 205))


def leaf_fall(image: Image.Image, rng: Rng) -> None:
    _clouds(image, rng)
    for colour in ((206, 92, 36), (226, 160, 48)):
        _dots(image, rng, 14, (0.004, 0.01), colour)


def water(image: Image.Image, rng: Rng) -> None:
    """Draw shafts of light from the surface, and bubbles."""
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


def shadow(image: Image.Image, at: tuple[float, float], width: float) -> None:
    """Draw a soft shadow on the ground under a figure."""
    _soft(image, at, width / 2, width * 0.11, (20, 15, 40), 0.65)


@cache
def _disc(opacity: float) -> Image.Image:
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    return Image.fromarray(np.round(255 * opacity * np.clip(1 - x * x - y * y, 0, 1) ** 1.2).astype(np.uint8))


def _soft(image: Image.Image, at: tuple[float, float], rx: float, ry: float, colour: Colour, opacity: float) -> None:
    """Draw an ellipse that fades towards its edge."""
    disc = _disc(opacity).resize((round(2 * rx), round(2 * ry)), Image.Resampling.BILINEAR)
    image.paste(to_bytes(colour), (round(at[0] - rx), round(at[1] - ry)), disc)


def _orb(image: Image.Image, rng: Rng, radius: float, colour: Colour) -> None:
    """Draw the sun or moon with its glow."""
    side = image.width
    x, y, r = side * rng.uniform(0.08, 0.92), side * rng.uniform(0.06, 0.28), radius * side
    _soft(image, (x, y), 3 * r, 3 * r, colour, 0.6)
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=to_bytes(mix(colour, WHITE, 0.3)))


def _clouds(image: Image.Image, rng: Rng) -> None:
    """Draw clouds as soft ellipses, flat at the bottom and highest in the middle."""
    side = image.width
    for _ in range(rng.integers(1, 4)):
        x, y, w = rng.uniform(0, side), rng.uniform(0.06, 0.3) * side, rng.uniform(0.1, 0.2) * side
        for place in rng.uniform(-1, 1, 9):
            high = w * (0.24 + 0.3 * (1 - abs(place)) * rng.random())
            _soft(image, (x + place * w, y - 0.5 * high), 1.5 * high, high, (252, 252, 255), 0.85)


def _dots(image: Image.Image, rng: Rng, count: int, size: tuple[float, float], colour: Colour) -> None:
    """Draw stars, snowflakes or falling leaves."""
    side, draw = image.width, ImageDraw.Draw(image)
    for _ in range(count):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), side * rng.uniform(*size)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=to_bytes(colour))
