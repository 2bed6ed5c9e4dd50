"""A small dataset of painted images whose attributes are their colours, and a run that was trained on it."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from zslpipe.cli import main

COLOURS = {  # class: (split, red, green, blue); its images are of about that colour
    "red": ("seen", 1, 0, 0),
    "green": ("seen", 0, 1, 0),
    "blue": ("seen", 0, 0, 1),
    "yellow": ("seen", 1, 1, 0),
    "cyan": ("seen", 0, 1, 1),
    "black": ("seen", 0, 0, 0.2),
    "pink": ("unseen", 1, 0, 1),
    "white": ("unseen", 1, 1, 1),
}


def paint(path: Path, colour: tuple[float, ...], seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 40, size=(48, 40, 3))
    Image.fromarray((255 * np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(path)


def make_place(folder: Path, head: tuple[str, ...] = ("eszsl",), taps: str = "global") -> Path:
    """The folder, with images in `paint`, others in `new`, and a store and a run in `cache`."""
    for name, (_, *colour) in COLOURS.items():
        for i in range(8):
            paint(folder / "paint" / name / f"{i}.png", tuple(colour), seed=i)
    lines = [",".join(map(str, ("class", "split", "red", "green", "blue")))]
    lines += [",".join(map(str, (name, *values))) for name, values in COLOURS.items()]
    (folder / "paint" / "classes.csv").write_text("\n".join(lines))
    small = ("--backbone", "resnet10t", "--weights", "random", "--image-size", "32", "--taps", taps)
    for line in (
        ("extract", "--dataset", str(folder / "paint"), *small, "--batch-size", "8", "--workers", "1"),
        ("train-head", *head),
    ):
        done = CliRunner().invoke(main, [*line, "--cache", str(folder / "cache")], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    for name, (_, *colour) in COLOURS.items():
        paint(folder / "new" / f"{name}.png", tuple(colour), seed=99)
    return folder
