"""A pen that draws soft-shaded, outlined shapes on a Pillow image.

Points are complex numbers (x to the right, y up) in a figure's own coordinates, so that rotating, scaling and
placing a figure is one multiplication and one addition.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[float, float, float]  # red, green, blue in 0..255

INK = (38.0, 28.0, 48.0)
WHITE = (255.0, 255.0, 255.0)
DARK_SIDE = (30.0, 25.0, 70.0)  # shadows are bluish, not black


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Linear mix: `share` 0 is `a`, 1 is `b`."""
    return tuple((1 - share) * x + share * y for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def to_bytes(colour: Colour) -> tuple[int, int, int]:
    r, g, b = (min(255, max(0, round(x))) for x in colour)
    return r, g, b


def ellipse(centre: complex, rx: float, ry: float, steps: int = 40, power: float = 2.0) -> np.ndarray:
    """(steps,) points of a superellipse; power 2 is an ellipse, more is boxier."""
    t = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    return centre + rx * np.sign(c) * np.abs(c) ** (2 / power) + 1j * ry * np.sign(s) * np.abs(s) ** (2 / power)


def curve(*points: complex, steps: int = 16) -> np.ndarray:
    """(steps,) points of the Bézier curve with these control points."""
    t = np.linspace(0, 1, steps)
    n = len(points) - 1
    return sum(
        (math.comb(n, k) * t**k * (1 - t) ** (n - k) * p for k, p in enumerate(points)), np.zeros(steps, complex)
    )


def ribbon(spine: np.ndarray, start: float, end: float) -> np.ndarray:
    """The outline of a band along `spine` whose half-width goes from `start` to `end`."""
    along = np.gradient(spine)
    normal = 1j * along / np.abs(along)
    half = np.linspace(start, end, len(spine))
    return np.concatenate([spine + normal * half, (spine - normal * half)[::-1]])


@cache
def _sphere_shading(light: float) -> Image.Image:
    """Brightness (0..255, 150 is the unshaded colour) of a sphere lit from above; `light` is -1 (left) to 1 (right)."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    z = np.sqrt(np.clip(1 - 0.85 * (x * x + y * y), 0.02, 1))
    towards = np.array([0.55 * light, -0.65, 0.65])
    towards /= np.linalg.norm(towards)
    lit = x * towards[0] + y * towards[1] + z * towards[2]
    value = 62 + 125 * np.clip(lit, -0.4, 1) + 55 * np.clip(lit, 0, 1) ** 6
    return Image.fromarray(np.clip(value, 0, 255).astype(np.uint8))


class Pen:
    """Draws shapes given in a figure's coordinates on an image.

    Args:
        image: RGB image, modified in place.
        origin: pixel (x, y) of the figure's origin.
        unit: pixels per unit of the figure.
        turn: rotation in radians, counter-clockwise.
        flip: mirror the figure, so that it faces left.
        light: direction of the light, from -1 (left) to 1 (right).
        line: width of outlines in pixels; 0 draws none.
    """

    def __init__(
        self,
        image: Image.Image,
        origin: tuple[float, float],
        unit: float,
        turn: float = 0.0,
        flip: bool = False,
        light: float = -1.0,
        line: float = 0.0,
    ) -> None:
        self.image, self.light, self.line = image, light, line
        self.origin, self.unit, self.flip = origin, unit, flip
        self._turn = unit * complex(math.cos(turn), math.sin(turn))
        self._draw = ImageDraw.Draw(image)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) pixel coordinates of the figure's points."""
        z = np.asarray(points, complex)
        z = self._turn * (-z.conj() if self.flip else z)
        return np.column_stack([self.origin[0] + z.real, self.origin[1] - z.imag])

    def fill(
        self,
        points: np.ndarray,
        colour: Colour,
        marks: Sequence[np.ndarray] = (),
        mark_colour: Colour = INK,
        outline: bool = True,
        opacity: int = 255,
    ) -> None:
        """Draw a closed shape with the shading of a sphere; `marks` are shapes painted on it, clipped at its edge."""
        xy = self.pixels(points)
        left, top = np.floor(xy.min(0)).astype(int)
        right, bottom = np.ceil(xy.max(0)).astype(int) + 1
        corner, size = (int(left), int(top)), (int(right - left), int(bottom - top))
        mask = _polygons([xy], corner, size, opacity)
        shade = _sphere_shading(self.light).resize(size, Image.Resampling.BILINEAR)
        tile = _shaded(shade, colour)
        if marks:
            painted = _polygons([self.pixels(mark) for mark in marks], corner, size, 255)
            tile.paste(_shaded(shade, mark_colour), mask=painted)
        self.image.paste(tile, corner, mask)
        if outline and self.line:
            self.stroke(np.append(points, points[:1]), mix(colour, INK, 0.75))

    def flat(self, points: np.ndarray, colour: Colour) -> None:
        """Draw a closed shape in one colour, without outline."""
        self._draw.polygon(_flatten(self.pixels(points)), fill=to_bytes(colour))

    def stroke(self, points: np.ndarray, colour: Colour, width: float | None = None) -> None:
        """Draw an open line; `width` is in units of the figure, default: the width of outlines."""
        pixels = self.line if width is None else width * self.unit
        self._draw.line(_flatten(self.pixels(points)), to_bytes(colour), max(1, round(pixels)), joint="curve")

    def strokes(self, starts: np.ndarray, ends: np.ndarray, colour: Colour, width: float) -> None:
        """Draw many straight lines in one colour."""
        ink, thick = to_bytes(colour), max(1, round(width * self.unit))
        for line in np.hstack([self.pixels(starts), self.pixels(ends)]).tolist():
            self._draw.line(line, ink, thick)


def _flatten(xy: np.ndarray) -> list[float]:
    return xy.ravel().tolist()  # type: ignore[no-any-return]


def _polygons(shapes: list[np.ndarray], corner: tuple[int, int], size: tuple[int, int], value: int) -> Image.Image:
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for xy in shapes:
        draw.polygon(_flatten(xy - corner), fill=value)
    return mask


def _shaded(shade: Image.Image, colour: Colour) -> Image.Image:
    """Map the brightness in `shade` to the dark, plain and highlight versions of the colour."""
    dark, bright = mix(mix(colour, DARK_SIDE, 0.35), (0, 0, 0), 0.35), mix(colour, WHITE, 0.55)
    levels = range(256)
    table = np.column_stack([np.interp(levels, (20, 150, 255), s) for s in zip(dark, colour, bright, strict=True)])
    tile = shade.copy()
    tile.putpalette(np.clip(np.rint(table), 0, 255).astype(np.uint8).tobytes())  # maps all 3 channels at once
    return tile.convert("RGB")
