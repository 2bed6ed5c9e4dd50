"""Plants and other objects of the habitats; each function draws one at the pen's origin, about one unit high."""

import numpy as np

from zslpipe.demo.pen import Colour, Pen, curve, ellipse, mix, ribbon

Rng = np.random.Generator
_WOOD: Colour = (112, 78, 52)


def stone(pen: Pen, rng: Rng) -> None:
    grey = mix((150, 146, 140), (120, 104, 92), rng.random())
    t = np.linspace(0, np.pi, 12)
    shape = 0.42 * np.cos(t) + 1j * np.sin(t) * rng.uniform(0.22, 0.34, 12)
    pen.fill(shape, grey)


def tuft(pen: Pen, rng: Rng, colour: Colour = (62, 138, 50)) -> None:
    for x in np.linspace(-0.3, 0.3, 7):
        tip = complex(x * 1.9 + rng.uniform(-0.1, 0.1), rng.uniform(0.4, 0.75))
        blade = ribbon(curve(x, x + 0.3j, tip, steps=6), 0.05, 0.008)
        pen.flat(blade, mix(colour, mix(colour, (210, 230, 90), 0.6), rng.random()))


def dark_tuft(pen: Pen, rng: Rng) -> None:
    tuft(pen, rng, (24, 44, 62))


def dry_grass(pen: Pen, rng: Rng) -> None:
    tuft(pen, rng, (176, 130, 60))


def flower(pen: Pen, rng: Rng) -> None:
    petals: Colour = ((250, 250, 250), (246, 130, 160), (250, 214, 70), (170, 120, 230))[rng.integers(4)]
    top = complex(rng.uniform(-0.1, 0.1), rng.uniform(0.5, 0.8))
    pen.stroke(curve(0, 0.3j, top, steps=6), (52, 120, 50), 0.06)
    for k in range(6):
        pen.flat(ellipse(top + 0.13 * np.exp(1j * np.pi / 3 * k), 0.1, 0.1, 12), petals)
    pen.flat(ellipse(top, 0.08, 0.08, 12), (240, 170, 40))


def bush(pen: Pen, rng: Rng) -> None:
    green = mix((60, 132, 58), (120, 170, 60), rng.random())
    for x, y, r in ((-0.45, 0.28, 0.36), (0.45, 0.26, 0.34), (0, 0.45, 0.48)):
        t = np.linspace(0, 2 * np.pi, 25)[:-1]
        pen.fill(complex(x, y) + r * (1 + 0.09 * (np.arange(24) % 2)) * np.exp(1j * t), green)


def cactus(pen: Pen, rng: Rng) -> None:
    green: Colour = (84, 140, 84)
    high = rng.uniform(1.0, 1.5)
    for side in (-1, 1):
        at = rng.uniform(0.35, 0.6) * high
        arm = curve(complex(0, at), complex(0.4 * side, at - 0.05), complex(0.36 * side, at + 0.4), steps=10)
        pen.fill(ribbon(arm, 0.1, 0.09), green)
    seams = [ribbon(np.array([x, x + high * 1j]), 0.012, 0.012) for x in (-0.07, 0.0, 0.07)]
    pen.fill(ellipse(high / 2 * 1j, 0.17, high / 2, 28, 4), green, seams, mix(green, (20, 40, 20), 0.5))


def snowball(pen: Pen, rng: Rng) -> None:
    """Draw a mound of snow."""
    t = np.linspace(0, np.pi, 16)
    wide = rng.uniform(0.5, 0.9)
    pen.fill(wide * np.cos(t) + 0.36j * np.sin(t), (242, 247, 255), outline=False)


def snowy_pine(pen: Pen, rng: Rng) -> None:
    high = rng.uniform(1.3, 2.1)
    pen.fill(np.array([-0.07, 0.07, 0.07 + 0.3j, -0.07 + 0.3j]), _WOOD)
    for y, w in ((0.2, 0.55), (0.45, 0.43), (0.7, 0.3)):
        base, top = y * high, min(1.0, y + 0.42) * high
        cone = np.array([-w + base * 1j, w + base * 1j, top * 1j])
        cap = np.array([-w * 0.62 + (base + 0.38 * (top - base)) * 1j, -0.1 + (base + 0.25 * (top - base)) * 1j,
                        w * 0.62 + (base + 0.38 * (top - base)) * 1j, (top + 0.05) * 1j])  # fmt: skip
        pen.fill(cone, (58, 104, 92), [cap], (244, 248, 255))


def dark_tree(pen: Pen, rng: Rng) -> None:
    night: Colour = (22, 26, 50)
    pen.flat(ribbon(curve(0, 0.5j, rng.uniform(-0.2, 0.2) + 1.7j, steps=8), 0.12, 0.04), night)
    for at in (0.6, 0.85, 1.1, 1.35):
        for side in (-1, 1):
            branch = curve(at * 1j, complex(0.25 * side, at + 0.1), complex(0.5 * side, at + 0.5), steps=6)
            pen.flat(ribbon(branch, 0.05, 0.01), night)


def mushroom(pen: Pen, rng: Rng) -> None:
    cap: Colour = ((206, 60, 50), (150, 96, 60), (120, 90, 180))[rng.integers(3)]
    pen.fill(ribbon(curve(0, 0.25j, 0.45j, steps=5), 0.11, 0.08), (240, 228, 204))
    t = np.linspace(0, np.pi, 16)
    dots = [ellipse(at, 0.055, 0.05, 12) for at in (-0.16 + 0.5j, 0.03 + 0.6j, 0.2 + 0.48j)]
    pen.fill(0.4j + 0.36 * np.cos(t) + 0.34j * np.sin(t), cap, dots, (250, 240, 220))


def seaweed(pen: Pen, rng: Rng) -> None:
    green = mix((40, 120, 70), (120, 130, 50), rng.random())
    for x in (-0.22, 0.0, 0.22):
        high, sway = rng.uniform(0.9, 1.7), rng.uniform(-0.3, 0.3)
        y = np.linspace(0, high, 18)
        pen.fill(ribbon(x + 1j * y + sway * y**2 / high + 0.09 * np.sin(7 * y), 0.085, 0.02), green)


def coral(pen: Pen, rng: Rng) -> None:
    colour: Colour = ((244, 120, 110), (246, 160, 90), (220, 100, 170))[rng.integers(3)]
    for angle in (50, 75, 105, 130):
        tip = rng.uniform(0.6, 0.95) * np.exp(1j * np.radians(angle))
        pen.fill(ribbon(curve(0, 0.3j, tip, steps=8), 0.11, 0.07), colour)
        pen.fill(ellipse(tip, 0.095, 0.095, 16), mix(colour, (255, 240, 230), 0.4), outline=False)


def starfish(pen: Pen, rng: Rng) -> None:
    t = np.linspace(0, 2 * np.pi, 11)[:-1] + rng.random()
    r = np.where(np.arange(10) % 2, 0.16, 0.38)
    pen.fill(0.14j + r * np.cos(t) + 0.5j * r * np.sin(t), (240, 140, 70))


def autumn_tree(pen: Pen, rng: Rng) -> None:
    crown: Colour = ((214, 100, 40), (230, 160, 50), (178, 62, 44))[rng.integers(3)]
    pen.fill(ribbon(curve(0, 0.5j, 1.0j, steps=6), 0.13, 0.07), _WOOD)
    for x, y, r in ((-0.38, 1.05, 0.36), (0.38, 1.0, 0.36), (0.0, 1.35, 0.45)):
        t = np.linspace(0, 2 * np.pi, 23)[:-1]
        pen.fill(complex(x, y) + r * (1 + 0.09 * (np.arange(22) % 2)) * np.exp(1j * t), crown)


def leaves(pen: Pen, rng: Rng) -> None:
    """Draw fallen leaves."""
    for _ in range(5):
        at, turn = complex(rng.uniform(-0.5, 0.5), rng.uniform(0, 0.3)), np.exp(1j * rng.uniform(0, 6.3))
        colour: Colour = ((214, 96, 36), (236, 176, 60), (170, 54, 40))[rng.integers(3)]
        leaf = np.concatenate([curve(-0.15, 0.13j, 0.15, steps=8), curve(0.15, -0.13j, -0.15, steps=8)])
        pen.flat(at + turn * leaf, colour)
