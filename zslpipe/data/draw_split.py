"""The split that the tables of an image folder leave open, drawn with a seed."""

from collections.abc import Sequence

import numpy as np

from zslpipe.data.benchmark import split_images
from zslpipe.data.class_table import IMAGE_PARTS, IMAGES, ClassTable
from zslpipe.data.scan import first_few

TEST_SHARE = 0.2  # of the images of each seen class, for test_seen
UNSEEN_SHARE = 0.2  # of the classes, if no class is said to be seen or unseen and all have images
FEWEST_SEEN = 3  # classes; with fewer none is made unseen


def draw_unseen(table: ClassTable, labels: np.ndarray, seed: int, notes: list[str]) -> np.ndarray:
    """(C,) bool: the unseen classes.

    Classes without images are unseen. Of the others a class is what the table says, and seen if it says nothing. If it
    says nothing of any class and all have images, a random fifth of the classes is unseen, so that there is something
    to measure.
    """
    without_images = np.bincount(labels, minlength=len(table.classes)) == 0
    if without_images.any():
        names = [table.classes[c] for c in np.flatnonzero(without_images)]
        notes.append(f"classes without images: {len(names)}, candidates that cannot be tested: {first_few(names)}.")
    unseen = table.unseen | without_images
    if not table.undecided:
        return unseen
    if unseen.any() or len(table.undecided) < len(table.classes):
        notes.append(f"classes without a split: {len(table.undecided)}; those with images are seen.")
        return unseen
    count = min(max(1, round(UNSEEN_SHARE * len(unseen))), max(0, len(unseen) - FEWEST_SEEN))
    if count:
        drawn = np.sort(np.random.default_rng(seed).permutation(len(unseen))[:count])
        unseen[drawn] = True
        held = first_few([table.classes[c] for c in drawn])
        notes.append(f"no class has a split: {count} of {len(unseen)} are unseen at random (seed {seed}): {held}.")
    return unseen


def draw_parts(
    labels: np.ndarray, unseen: np.ndarray, stated: Sequence[str], seed: int, notes: list[str]
) -> dict[str, np.ndarray]:
    """The image rows of trainval, test_seen and test_unseen.

    All images of unseen classes are test_unseen. A random fifth of the images of each seen class becomes test_seen, of
    those whose part is not stated.

    Args:
        labels: (N,) classes.
        unseen: (C,) bool.
        stated: (N,) parts, or the empty string.
        seed: of the draw.
        notes: a sentence is added if anything is drawn.
    """
    parts = np.where(unseen[labels], "test_unseen", np.array(stated, np.str_).astype("<U16"))
    open_ = np.where(parts == "", labels, -1)
    drawn = np.unique(open_[open_ >= 0])
    if len(drawn):
        trainval, test_seen = split_images(open_, drawn, TEST_SHARE, seed)
        parts[trainval], parts[test_seen] = "trainval", "test_seen"
        which = f", of those without a split in {IMAGES}," if any(stated) else ""
        notes.append(f"a random {TEST_SHARE:.0%} of the images of each seen class{which} is test_seen (seed {seed}).")
    return {part: np.flatnonzero(parts == part) for part in IMAGE_PARTS}
