"""Pictures about a benchmark: all its classes on one sheet, one class on a card."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.files import atomic_write
from zslpipe.registry import unknown

PAPER, INK, FAINT = (250, 249, 246), (40, 36, 48), (120, 116, 128)
SEEN, UNSEEN = (84, 140, 96), (206, 92, 52)
GAP = 10


def contact_sheet(benchmark: Benchmark, path: Path, columns: int = 8, side: int = 180, number: int = 0) -> None:
    """Write a PNG with one image of each class, its name, and whether it is seen or unseen.

    Args:
        columns: classes in a row.
        side: pixels of an image's side.
        number: which image of each class (counted round where there are fewer).

    Raises:
        InputError: where the benchmark knows no folder of images, or one cannot be read.
    """
    unseen = set(benchmark.unseen_classes.tolist())
    shown = [c for c in range(len(benchmark.class_names)) if (benchmark.labels == c).any()]
    label = 24
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * (side + GAP) + GAP, rows * (side + label + GAP) + GAP + label), PAPER)
    draw, text = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    draw.text((GAP, GAP), f"{benchmark.name}: {len(shown)} classes", INK, ImageFont.load_default(15))
    for right, word, colour in ((150, "seen", SEEN), (80, "unseen", UNSEEN)):
        draw.rectangle((sheet.width - right, GAP + 3, sheet.width - right + 10, GAP + 13), colour)
        draw.text((sheet.width - right + 16, GAP), word, INK, text)
    for k, c in enumerate(shown):
        x, y = GAP + k % columns * (side + GAP), GAP + label + k // columns * (side + label + GAP)
        sheet.paste(_image(benchmark, c, number, side), (x, y))
        colour = UNSEEN if c in unseen else SEEN
        draw.rectangle((x, y + side, x + side - 1, y + side + 3), colour)
        draw.text((x, y + side + 6), _fitting(benchmark.class_names[c], text, side), colour, text)
    _save(sheet, path)


def class_card(benchmark: Benchmark, name: str, path: Path, images: int = 4, side: int = 200) -> None:
    """Write a PNG that shows some images of the class and how strongly each attribute describes it.

    Raises:
        InputError: for a class the benchmark does not have, or as `contact_sheet` does.
    """
    if name not in benchmark.class_names:
        raise unknown("class", name, benchmark.class_names)
    c = benchmark.class_names.index(name)
    row = benchmark.semantics[c]
    held = [a for a in np.argsort(-row, kind="stable")[:24] if row[a] > 0]
    lines, top, wide = -(-len(held) // 2), 40, images * (side + GAP) + GAP
    card = Image.new("RGB", (wide, top + side + 2 * GAP + 20 * lines + GAP), PAPER)
    draw, text = ImageDraw.Draw(card), ImageFont.load_default(13)
    is_unseen = c in benchmark.unseen_classes
    draw.text((GAP, GAP), name, INK, ImageFont.load_default(19))
    draw.text((wide - 70, GAP + 5), "unseen" if is_unseen else "seen", UNSEEN if is_unseen else SEEN, text)
    for k in range(images):
        card.paste(_image(benchmark, c, k, side), (GAP + k * (side + GAP), top))
    half, strongest = (wide - 3 * GAP) // 2, float(row.max())
    for k, a in enumerate(held):
        x, y = GAP + k // lines * (half + GAP), top + side + 2 * GAP + 20 * (k % lines)
        draw.text((x, y - 2), _fitting(benchmark.attribute_names[a], text, half - 90), INK, text)
        share = float(row[a]) / strongest
        draw.rectangle((x + half - 80, y + 3, x + half - 1, y + 11), (226, 224, 220))
        draw.rectangle((x + half - 80, y + 3, x + half - 80 + round(79 * share), y + 11), FAINT)
    _save(card, path)


def _image(benchmark: Benchmark, c: int, number: int, side: int) -> Image.Image:
    """Image `number` of class `c`, cut to a square."""
    if benchmark.image_root is None:
        raise InputError(f"{benchmark.name}: there are no images to show, only features.")
    ids = np.flatnonzero(benchmark.labels == c)
    file = benchmark.image_root / benchmark.image_ids[ids[number % len(ids)]]
    try:
        with Image.open(file) as image:
            return ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS)
    except OSError as problem:
        raise InputError(f"{file} cannot be shown ({problem}); draw or copy the images again.") from problem


def _fitting(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The words, or as many letters of them as there is room for."""
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(words + "…") > width:
        words = words[:-1]
    return words + "…"


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_write(Path(path)) as stream:
        picture.save(stream, "PNG")
