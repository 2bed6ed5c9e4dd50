"""Pictures of a benchmark: a contact sheet with all classes, a card for one class."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from zslpipe.data.benchmark import Benchmark
from zslpipe.drawing import fit_text, load_font, square_thumbnail, write_png
from zslpipe.errors import InputError
from zslpipe.registry import unknown

PAPER, INK, FAINT = (250, 249, 246), (40, 36, 48), (120, 116, 128)
SEEN, UNSEEN = (84, 140, 96), (206, 92, 52)
GAP = 10


def contact_sheet(benchmark: Benchmark, path: Path, columns: int = 8, side: int = 180, number: int = 0) -> None:
    """Write a PNG with one image of each class, its name, and whether it is seen or unseen.

    Args:
        benchmark: a benchmark with images.
        path: the file to write.
        columns: classes per row.
        side: side of an image in pixels.
        number: which image of each class to show, modulo the number of its images.

    Raises:
        InputError: if the benchmark has no image folder, or an image cannot be read.
    """
    unseen = set(benchmark.unseen_classes.tolist())
    shown = [c for c in range(len(benchmark.class_names)) if (benchmark.labels == c).any()]
    label = 24
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * (side + GAP) + GAP, rows * (side + label + GAP) + GAP + label), PAPER)
    draw, text = ImageDraw.Draw(sheet), load_font(12)
    draw.text((GAP, GAP), f"{benchmark.name}: {len(shown)} classes", INK, load_font(15))
    for offset, side_name, colour in ((150, "seen", SEEN), (80, "unseen", UNSEEN)):
        draw.rectangle((sheet.width - offset, GAP + 3, sheet.width - offset + 10, GAP + 13), colour)
        draw.text((sheet.width - offset + 16, GAP), side_name, INK, text)
    for k, c in enumerate(shown):
        x, y = GAP + k % columns * (side + GAP), GAP + label + k // columns * (side + label + GAP)
        sheet.paste(_image(benchmark, c, number, side), (x, y))
        colour = UNSEEN if c in unseen else SEEN
        draw.rectangle((x, y + side, x + side - 1, y + side + 3), colour)
        draw.text((x, y + side + 6), fit_text(benchmark.class_names[c], text, side), colour, text)
    write_png(sheet, path)


def class_card(benchmark: Benchmark, name: str, path: Path, images: int = 4, side: int = 200) -> None:
    """Write a PNG with some images of a class and its strongest attributes.

    Args:
        benchmark: a benchmark with images.
        name: name of the class.
        path: the file to write.
        images: number of images.
        side: side of an image in pixels.

    Raises:
        InputError: if the class is unknown, the benchmark has no image folder, or an image cannot be read.
    """
    if name not in benchmark.class_names:
        raise unknown("class", name, benchmark.class_names)
    c = benchmark.class_names.index(name)
    row = benchmark.semantics[c]
    shown = [a for a in np.argsort(-row, kind="stable")[:24] if row[a] > 0]
    lines, top, width = -(-len(shown) // 2), 40, images * (side + GAP) + GAP
    card = Image.new("RGB", (width, top + side + 2 * GAP + 20 * lines + GAP), PAPER)
    draw, text = ImageDraw.Draw(card), load_font(13)
    is_unseen = c in benchmark.unseen_classes
    draw.text((GAP, GAP), name, INK, load_font(19))
    draw.text((width - 70, GAP + 5), "unseen" if is_unseen else "seen", UNSEEN if is_unseen else SEEN, text)
    for k in range(images):
        card.paste(_image(benchmark, c, k, side), (GAP + k * (side + GAP), top))
    half, strongest = (width - 3 * GAP) // 2, float(row.max())
    for k, a in enumerate(shown):
        x, y = GAP + k // lines * (half + GAP), top + side + 2 * GAP + 20 * (k % lines)
        draw.text((x, y - 2), fit_text(benchmark.attribute_names[a], text, half - 90), INK, text)
        share = float(row[a]) / strongest
        draw.rectangle((x + half - 80, y + 3, x + half - 1, y + 11), (226, 224, 220))
        draw.rectangle((x + half - 80, y + 3, x + half - 80 + round(79 * share), y + 11), FAINT)
    write_png(card, path)


def _image(benchmark: Benchmark, c: int, number: int, side: int) -> Image.Image:
    """Image `number` of class `c`, cropped to a square."""
    if benchmark.image_root is None:
        raise InputError(f"{benchmark.name} has no image folder, so there is nothing to show.")
    ids = np.flatnonzero(benchmark.labels == c)
    return square_thumbnail(benchmark.image_root / benchmark.image_ids[ids[number % len(ids)]], side)
