"""The four body shapes: position and size of trunk and head, and where other parts attach."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Superellipse:
    """An ellipse-like shape; a larger `power` makes it boxier, `taper` makes it narrower at the top."""

    centre: complex
    rx: float
    ry: float
    power: float = 2.0
    taper: float = 0.0

    def edge(self, degrees: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Points of the outline in these directions (0 is forward, 90 up), scaled about the centre."""
        t = np.radians(degrees)
        c, s = np.cos(t), np.sin(t)
        x = np.sign(c) * np.abs(c) ** (2 / self.power)
        y = np.sign(s) * np.abs(s) ** (2 / self.power)
        return self.centre + scale * (self.rx * x * (1 - self.taper * y) + 1j * self.ry * y)

    def at(self, degrees: float, scale: float = 1.0) -> complex:
        """One point of `edge`."""
        return complex(self.edge(np.array(degrees), scale))

    def outline(self, steps: int = 56) -> np.ndarray:
        return self.edge(np.linspace(0, 360, steps, endpoint=False))

    def rim(self, steps: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Equally spaced points of the outline, shifted by a share `shift` of one step, and their outward normals."""
        dense = self.edge(np.linspace(0, 360, 361))
        length = np.append(0, np.cumsum(np.abs(np.diff(dense))))
        at = (np.arange(steps) + shift) / steps * length[-1]
        points = np.interp(at, length, dense.real) + 1j * np.interp(at, length, dense.imag)
        # Central differences smooth the normals at sharp corners.
        ahead, behind = np.roll(points, -1), np.roll(points, 1)
        return points, -1j * (ahead - behind) / np.abs(ahead - behind)


@dataclass(frozen=True)
class Body:
    """Trunk and head (the same shape for most bodies), centre and scale of the face, and the length of the legs."""

    trunk: Superellipse
    head: Superellipse
    face: complex
    face_scale: float
    leg_length: float

    @property
    def has_separate_head(self) -> bool:
        return self.head is not self.trunk


LEG_LENGTH = {"none": 0.0, "two": 0.34, "four": 0.27, "six": 0.22}


def build_body(shape: str, legs: str, look: float, squash: float) -> Body:
    """The body of a creature that stands on y = 0 and faces right.

    Args:
        shape: value of the attribute "body".
        legs: value of the attribute "legs".
        look: how far the face turns to the side, from 0 (towards the viewer) to 1.
        squash: factor on the height; the width is divided by it.
    """
    rx, ry, power, taper = {
        "round": (0.52, 0.48, 2.0, 0.0),
        "tall": (0.37, 0.66, 2.1, 0.24),
        "long": (0.74, 0.31, 2.3, 0.0),
        "boxy": (0.52, 0.46, 6.0, 0.04),
    }[shape]
    rx, ry = rx / squash, ry * squash
    leg = LEG_LENGTH[legs]
    trunk = Superellipse(complex(0, leg * 0.85 + ry), rx, ry, power, taper)
    if shape == "long":
        head = Superellipse(trunk.centre + complex(0.62 * rx + 0.12, 0.30), 0.34, 0.32)
        return Body(trunk, head, head.centre + 0.10 * look - 0.01j, 0.82, leg)
    height = {"round": 0.10, "tall": 0.42, "boxy": 0.14}[shape]
    scale = {"round": 1.0, "tall": 0.82, "boxy": 1.0}[shape]
    return Body(trunk, trunk, trunk.centre + complex(0.36 * rx * look, height * ry), scale, leg)
