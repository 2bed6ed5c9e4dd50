"""Draws one creature: every attribute of its class is visible, everything else is random."""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zslpipe.demo.body import Body, Superellipse, build_body
from zslpipe.demo.face import IVORY, draw_face, draw_headgear
from zslpipe.demo.pen import INK, WHITE, Colour, Pen, curve, ellipse, mix, ribbon

COLOURS: dict[str, Colour] = {
    "red": (222, 62, 52),
    "yellow": (248, 202, 48),
    "green": (92, 178, 70),
    "blue": (58, 126, 220),
    "purple": (152, 82, 196),
    "white": (240, 240, 244),
}
CREAM: Colour = (250, 236, 208)


@dataclass(frozen=True)
class Pose:
    """The random part of a creature's shape in one picture."""

    look: float
    squash: float
    stride: float
    swing: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Pose":
        return cls(rng.uniform(0.0, 0.9), rng.uniform(0.92, 1.08), rng.uniform(-1, 1), rng.uniform(-1, 1))


def draw_creature(pen: Pen, rng: np.random.Generator, traits: Mapping[str, str]) -> None:
    """Draw a creature standing on the pen's origin, about one and a half units high and wide."""
    pose = Pose.draw(rng)
    body = build_body(traits["body"], traits["legs"], pose.look, pose.squash)
    colour = _vary(COLOURS[traits["colour"]], rng)
    rear = mix(colour, INK, 0.25)

    if traits["tail"] != "none":
        _tail(pen, rng, body.trunk, traits["tail"], colour, pose.swing)
    if traits["wings"] == "feathered":
        _wing(pen, body.trunk, mix(rear, WHITE, 0.45), 14 + 8 * pose.swing)
    _legs(pen, body, traits["legs"], rear, pose.stride, near=False)
    if traits["coat"] == "spiny":
        _spines(pen, rng, body)
    if not body.has_separate_head:
        draw_headgear(pen, rng, body.head, traits, colour)
    _legs(pen, body, traits["legs"], colour, pose.stride, near=True)
    _trunk(pen, rng, body, traits, colour)
    if traits["shell"] == "hard":
        _shell(pen, body)
    if body.has_separate_head:
        draw_headgear(pen, rng, body.head, traits, colour)
        _draw_part(pen, rng, body.head, traits, colour)
    if traits["wings"] == "feathered":
        _wing(pen, body.trunk, mix(colour, WHITE, 0.55), -6 + 8 * pose.swing)
    draw_face(pen, rng, body, traits, colour)


def _vary(colour: Colour, rng: np.random.Generator) -> Colour:
    """A random variation of the colour that keeps its name."""
    h, s, v = colorsys.rgb_to_hsv(*(x / 255 for x in colour))
    h += rng.uniform(-0.018, 0.018)
    s, v = min(1, s * rng.uniform(0.85, 1.1)), min(1, v * rng.uniform(0.88, 1.05))
    r, g, b = colorsys.hsv_to_rgb(h % 1, s, v)
    return 255 * r, 255 * g, 255 * b


def _trunk(pen: Pen, rng: np.random.Generator, body: Body, traits: Mapping[str, str], colour: Colour) -> None:
    _draw_part(pen, rng, body.trunk, traits, colour)
    if traits["belly"] == "pale":
        trunk = body.trunk
        belly = ellipse(trunk.centre + complex(0.16 * trunk.rx, -0.42 * trunk.ry), 0.62 * trunk.rx, 0.46 * trunk.ry)
        pen.fill(belly, mix(CREAM, colour, 0.08), outline=False)


def _draw_part(
    pen: Pen, rng: np.random.Generator, part: Superellipse, traits: Mapping[str, str], colour: Colour
) -> None:
    """Draw the trunk or the head with its coat and pattern."""
    marks = {"spots": _spots, "stripes": _stripes}.get(traits["pattern"])
    shaggy = traits["coat"] == "shaggy"
    outline = _ragged(rng, part) if shaggy else part.outline()
    dark = mix(colour, (52, 32, 60), 0.62)
    pen.fill(outline, colour, marks(rng, part) if marks else (), dark)
    if shaggy:
        _hair(pen, rng, part, colour)


def _spots(rng: np.random.Generator, part: Superellipse) -> list[np.ndarray]:
    turn = rng.uniform(0, 360)
    rings = ((0.0, 1), (0.5, 5), (0.92, 9))
    at = [(r, turn + 97 * r + 360 * k / n) for r, n in rings for k in range(n)]
    return [ellipse(part.at(a + rng.uniform(-8, 8), r), s, s * 0.9, 18)
            for r, a in at for s in [rng.uniform(0.065, 0.1)]]  # fmt: skip


def _stripes(rng: np.random.Generator, part: Superellipse) -> list[np.ndarray]:
    """Bands across the back, curved as on a barrel."""
    shift, half = rng.uniform(-0.05, 0.05), 0.048
    middles = np.arange(-1.0, 1.01, 0.21) + shift
    low, high = part.centre - 1.1j * part.ry, part.centre + 1.1j * part.ry
    return [ribbon(curve(low + x * 0.8, part.centre + x * 1.25 + 0.06, high + x * 0.8), half, half) for x in middles]


def _ragged(rng: np.random.Generator, part: Superellipse) -> np.ndarray:
    """The outline with tufts that hang down slightly."""
    points, normals = part.rim(58, rng.uniform(0, 1))
    tip = np.arange(58) % 2 == 0
    return points + tip * (normals - 0.35j) * rng.uniform(0.06, 0.12, 58)


def _hair(pen: Pen, rng: np.random.Generator, part: Superellipse, colour: Colour) -> None:
    for shade, count in ((mix(colour, INK, 0.34), 80), (mix(colour, WHITE, 0.28), 50)):
        roots = part.edge(rng.uniform(0, 360, count), 1.0)
        roots = part.centre + (roots - part.centre) * np.sqrt(rng.uniform(0.03, 0.9, count))
        tips = roots + rng.uniform(0.06, 0.11, count) * np.exp(-1j * np.pi / 2 + 1j * rng.uniform(-0.5, 0.5, count))
        pen.strokes(roots, tips, shade, 0.015)


def _spines(pen: Pen, rng: np.random.Generator, body: Body) -> None:
    dark: Colour = (92, 72, 84)
    for part in (body.trunk, body.head)[: 1 + body.has_separate_head]:
        points, normals = part.rim(28, rng.uniform(0, 1))
        bare = points.imag < part.centre.imag - 0.4 * part.ry  # no spines underneath
        for root, out in zip(points[~bare], normals[~bare], strict=True):
            root, long = root - 0.03 * out, rng.uniform(0.24, 0.31)
            band = np.array([root + 0.1j * out, root + 0.13 * out, root - 0.1j * out])
            pen.fill(np.array([root + 0.07j * out, root + long * out, root - 0.07j * out]), IVORY, [band], dark)


def _legs(pen: Pen, body: Body, count: str, colour: Colour, stride: float, near: bool) -> None:
    if count == "none":
        return
    places = {
        "two": ((-0.38,), (0.38,)),
        "four": ((-0.62, 0.42), (-0.36, 0.68)),
        "six": ((-0.72, -0.1, 0.54), (-0.46, 0.18, 0.8)),
    }[count][0 if near else 1]
    width = {"two": 0.1, "four": 0.085, "six": 0.065}[count]
    trunk = body.trunk
    for k, place in enumerate(places):
        x = place * trunk.rx * 0.85
        hip = complex(trunk.centre.real + x, trunk.centre.imag - 0.55 * trunk.ry)
        lift = 0.05 * max(0.0, stride * (1 if (k + near) % 2 else -1))
        foot = complex(x + 0.09 * stride * (1 if (k + near) % 2 else -1), 0.05 + lift)
        pen.fill(ribbon(curve(hip, (hip + foot) / 2 - 0.03, foot, steps=8), width * 1.25, width), colour)
        pen.fill(ellipse(foot + 0.045, width * 1.55, 0.065, 24), mix(colour, INK, 0.3))


def _tail(pen: Pen, rng: np.random.Generator, trunk: Superellipse, kind: str, colour: Colour, swing: float) -> None:
    root = trunk.at(205, 0.9)
    if kind == "thin":
        tip = root + complex(-0.52, 0.34 + 0.2 * swing)
        spine = curve(root, root - 0.42 - 0.12j, root - 0.62 + 0.1j, tip)
        pen.fill(ribbon(spine, 0.055, 0.025), colour)
        out = (spine[-1] - spine[-3]) / abs(spine[-1] - spine[-3])
        pen.fill(tip + 0.2 * out * np.array([-0.3 + 0.75j, 1.0, -0.3 - 0.75j, 0.0]), mix(colour, INK, 0.5))
        return
    spine = curve(root + 0.1, root - 0.45 - 0.1j, root + complex(-0.62, 0.62 + 0.15 * swing), steps=24)
    swell = 0.05 + 0.19 * np.sin(np.linspace(0.1, np.pi * 0.98, 24)) ** 0.8
    swell *= np.tile([1.0, 1.22], 12)
    normal = 1j * np.gradient(spine) / np.abs(np.gradient(spine))
    end = [ellipse(spine[k], 0.3, 0.3) for k in (-3, -2, -1)]
    brush = np.concatenate([spine + normal * swell, (spine - normal * swell)[::-1]])
    pen.fill(brush, mix(colour, INK, 0.12), end, mix(colour, WHITE, 0.6))


def _wing(pen: Pen, trunk: Superellipse, colour: Colour, raised: float) -> None:
    """Four feathers, fanned out backwards from the shoulder."""
    root = trunk.centre + complex(-0.25 * trunk.rx, 0.30 * trunk.ry)
    for k, angle in enumerate((172, 153, 134, 115)):
        out = np.exp(1j * np.radians(angle - raised))
        long = 0.6 + 0.09 * k
        spine = curve(root, root + long * out, steps=14)
        half = 0.03 + 0.105 * np.sin(np.linspace(0.2, np.pi * 0.93, 14)) ** 0.7
        tip = mix(colour, INK, 0.35)
        marks = [ellipse(root + long * out, 0.2, 0.2, 20)]
        pen.fill(np.concatenate([spine + 1j * out * half, (spine - 1j * out * half)[::-1]]), colour, marks, tip)


def _shell(pen: Pen, body: Body) -> None:
    """A dome of plates over the back."""
    trunk, horn, seam = body.trunk, (172, 122, 70), (96, 62, 40)
    first, last, depth = (98, 232, -0.15) if trunk.rx > 0.4 else (112, 228, -0.4)
    back = trunk.edge(np.linspace(first, last, 30), 1.13)
    inner = curve(back[-1], trunk.centre + complex(depth * trunk.rx, -0.25 * trunk.ry), back[0], steps=20)
    rays = [curve(trunk.at(a, 1.2), trunk.at(a, 0.2), steps=3) for a in (125, 150, 176, 204)]
    hoops = [trunk.edge(np.linspace(90, 240, 24), r) for r in (0.62, 0.9)]
    seams = [ribbon(line, 0.017, 0.017) for line in (*rays, *hoops)]
    pen.fill(np.concatenate([back, inner]), horn, seams, seam)
