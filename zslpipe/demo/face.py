"""Heads of the demo creatures: ears, horns, antennae, crest, eyes, mouth and whiskers."""

from collections.abc import Mapping

import numpy as np

from zslpipe.demo.body import Body, Superellipse
from zslpipe.demo.pen import INK, WHITE, Colour, Pen, curve, ellipse, mix, ribbon

IVORY: Colour = (240, 226, 190)
PINK: Colour = (236, 150, 160)
NEAR, FAR = 118.0, 62.0  # position of paired parts on the head, in degrees


def draw_headgear(
    pen: Pen, rng: np.random.Generator, head: Superellipse, traits: Mapping[str, str], colour: Colour
) -> None:
    """Draw ears, horns, antennae and crest; call before drawing the head, which covers their roots."""
    if traits["crest"] == "tufted":
        _crest(pen, rng, head)
    if traits["ears"] != "none":
        lean = rng.uniform(-8, 8)
        for at in (FAR, NEAR):
            # Ears are farther apart if there are horns between them.
            spread = 1.45 if traits["horns"] == "two" else 1.15
            _ear(pen, head, traits["ears"], 90 + (at - 90) * spread, lean, colour)
    if traits["horns"] == "one":
        _horn(pen, head.at(86), 0.46, complex(0.10, 1), 0.0)
    elif traits["horns"] == "two":
        for at, bend in ((70.0, 0.22), (110.0, -0.22)):
            _horn(pen, head.at(at), 0.36, complex(bend, 1), bend)
    if traits["antennae"] == "glowing":
        _antennae(pen, rng, head)


def draw_face(pen: Pen, rng: np.random.Generator, body: Body, traits: Mapping[str, str], colour: Colour) -> None:
    """Draw eyes, mouth and whiskers; call last."""
    s = body.face_scale
    gaze = complex(rng.uniform(-0.3, 1.0), rng.uniform(-0.6, 0.6))
    iris = _IRISES[rng.integers(len(_IRISES))]
    eyes: dict[str, tuple[tuple[complex, float], ...]] = {
        "one": ((0.09j, 0.19),),
        "two": ((-0.14 + 0.07j, 0.105), (0.15 + 0.07j, 0.105)),
        "three": ((-0.2 + 0.04j, 0.09), (0.2 + 0.04j, 0.09), (0.19j, 0.09)),
    }
    mouth = body.face - 0.155j * s
    if traits["whiskers"] == "long":
        _whiskers(pen, rng, mouth + 0.02j, s)
    for at, size in eyes[traits["eyes"]]:
        _eye(pen, body.face + at * s, size * s, gaze, iris, colour)
    {"beak": _beak, "fangs": _fangs, "smile": _smile}[traits["mouth"]](pen, mouth, s)


_IRISES: tuple[Colour, ...] = ((70, 50, 40), (60, 120, 70), (60, 90, 160), (150, 100, 30))


def _eye(pen: Pen, at: complex, size: float, gaze: complex, iris: Colour, colour: Colour) -> None:
    pen.fill(ellipse(at, size, size * 1.08, 32), (250, 250, 246))
    centre = at + gaze * size * 0.3
    pen.flat(ellipse(centre, size * 0.62, size * 0.66, 28), iris)
    pen.flat(ellipse(centre, size * 0.36, size * 0.4, 20), (15, 10, 20))
    pen.flat(ellipse(centre + complex(-0.22, 0.28) * size, size * 0.2, size * 0.2, 14), WHITE)
    pen.flat(ellipse(centre + complex(0.24, -0.26) * size, size * 0.1, size * 0.1, 10), WHITE)
    lid = at + size * 1.06 * np.exp(1j * np.linspace(0.25, np.pi - 0.25, 14))
    pen.stroke(lid, mix(colour, INK, 0.8), 0.03)


def _smile(pen: Pen, at: complex, s: float) -> None:
    pen.stroke(curve(at - 0.13 * s, at - 0.1j * s, at + 0.13 * s), INK, 0.028)


def _fangs(pen: Pen, at: complex, s: float) -> None:
    top = curve(at + complex(-0.19, 0.04) * s, at - 0.02j * s, at + complex(0.19, 0.04) * s)
    bottom = curve(at + complex(0.19, 0.04) * s, at + complex(0.09, -0.24) * s, at + complex(-0.09, -0.24) * s, top[0])
    pen.fill(np.concatenate([top, bottom]), (120, 35, 50))
    for x in (-0.1, 0.1):
        tooth = at + s * np.array([x - 0.055 + 0.02j, x + 0.055 + 0.02j, x - 0.15j])
        pen.flat(tooth, (252, 250, 240))
        pen.stroke(np.append(tooth, tooth[:1]), INK, 0.012)


def _beak(pen: Pen, at: complex, s: float) -> None:
    at = at + 0.03j * s
    lower = at + s * np.array([-0.10 - 0.02j, 0.12 - 0.02j, 0.10 - 0.12j, 0.0 - 0.15j])
    pen.fill(lower, (216, 128, 30))
    brow = curve(-0.14 + 0j, -0.05 + 0.13j, 0.06 + 0.12j)
    hook, under = curve(0.14 + 0.06j, 0.26 - 0.02j, 0.3 - 0.12j), curve(0.3 - 0.12j, 0.12 - 0.04j, -0.14 + 0j)
    pen.fill(at + s * np.concatenate([brow, hook, under]), (250, 176, 48))
    pen.flat(ellipse(at + s * (0.05 + 0.05j), 0.018 * s, 0.014 * s, 10), INK)


def _whiskers(pen: Pen, rng: np.random.Generator, at: complex, s: float) -> None:
    droop = rng.uniform(-0.08, 0.06)
    for side in (-1, 1):
        for k in (-1, 0, 1):
            root = at + s * complex(0.13 * side, 0.03 * k)
            tip = at + s * complex(0.56 * side, 0.15 * k + droop)
            line = curve(root, (root + tip) / 2 + 0.05j * s, tip)
            pen.stroke(line, INK, 0.034)
            pen.stroke(line, (250, 248, 240), 0.018)


def _ear(pen: Pen, head: Superellipse, kind: str, at: float, lean: float, colour: Colour) -> None:
    root = head.at(at, 0.93)
    out = np.exp(1j * np.radians(90 + (at - 90) * 0.75 + lean))
    side = out * 1j
    if kind == "pointed":
        shape = np.array([root + 0.15 * side - 0.1 * out, root + 0.36 * out, root - 0.15 * side - 0.1 * out])
        inner = root + 0.02 * out + (shape - root) * 0.55
    elif kind == "round":
        centre = root + 0.1 * out
        shape, inner = ellipse(centre, 0.17, 0.17), ellipse(centre, 0.095, 0.095)
    else:  # long: upright with a bent tip
        spine = curve(root - 0.08 * out, root + 0.34 * out, root + 0.56 * out + 0.16 * np.sign(at - 90) * -1)
        width = 0.035 + 0.075 * np.sin(np.linspace(0.35, np.pi, len(spine)))
        normal = 1j * np.gradient(spine) / np.abs(np.gradient(spine))
        shape = np.concatenate([spine + normal * width, (spine - normal * width)[::-1]])
        inner = np.concatenate([spine + normal * width * 0.5, (spine - normal * width * 0.5)[::-1]])
    pen.fill(shape, colour)
    pen.fill(inner, mix(PINK, colour, 0.25), outline=False)


def _horn(pen: Pen, root: complex, length: float, towards: complex, bend: float) -> None:
    spine = curve(root - 0.06j, root + 0.55 * length * towards, root + length * (towards - 0.6 * bend))
    rings = [ribbon(spine[k : k + 2], 0.12, 0.12) for k in range(3, 13, 3)]
    pen.fill(ribbon(spine, 0.085, 0.008), IVORY, rings, mix(IVORY, (120, 90, 60), 0.5))


def _antennae(pen: Pen, rng: np.random.Generator, head: Superellipse) -> None:
    glow: Colour = (255, 236, 120)
    for at, way in ((72.0, 1), (108.0, -1)):
        root = head.at(at, 0.95)
        tip = root + complex(0.2 * way, 0.42 + rng.uniform(-0.06, 0.06))
        pen.stroke(curve(root, root + 0.3j, tip), INK, 0.045)
        pen.fill(ellipse(tip, 0.085, 0.085, 24), glow)
        pen.flat(ellipse(tip + 0.025j, 0.04, 0.035, 14), (255, 252, 220))


def _crest(pen: Pen, rng: np.random.Generator, head: Superellipse) -> None:
    """A fan of soft tufts on top of the head."""
    colour: Colour = ((226, 70, 130), (240, 120, 50), (90, 60, 150))[rng.integers(3)]
    for k, at in enumerate(np.linspace(140, 55, 6)):
        root = head.at(at, 0.9)
        out = np.exp(1j * np.radians(at + 12 + rng.uniform(-6, 6)))
        long = 0.27 + 0.12 * np.sin(np.pi * (k + 0.7) / 6)
        left = curve(root + 0.11j * out, root + (0.12j + 0.6 * long) * out, root + long * out)
        right = curve(root + long * out, root + (-0.1j + 0.5 * long) * out, root - 0.11j * out)
        pen.fill(np.concatenate([left, right]), colour)
