"""Puts the rows of a feature file in the order of a benchmark's images, by their names."""

from collections import defaultdict
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.store.sources import Source


def in_order(source: Source, benchmark: Benchmark) -> tuple[Source, bool]:
    """The source with its rows in the benchmark's order, and whether they had to be moved.

    Raises:
        InputError: if the file lists other images, or it is not clear which row an image is.
    """
    theirs, mine = source.image_files, benchmark.image_ids
    if theirs is None:
        return source, False
    if len(theirs) != len(mine):
        raise InputError(f"{source.path} has {len(theirs)} image_files for {len(mine)} images.")
    if all(map(same_image, theirs, mine)):
        return source, False
    order = _rows_of(source, benchmark)
    return _reordered(source, np.array(order)), True


def _rows_of(source: Source, benchmark: Benchmark) -> list[int]:
    """For each image of the benchmark, its row in the source."""
    theirs = source.image_files or []
    left: dict[str, list[int]] = defaultdict(list)  # rows not yet taken by file name
    for row, path in enumerate(theirs):
        left[_parts(path)[-1]].append(row)
    order = []
    for image in benchmark.image_ids:
        rows = [row for row in left[_parts(image)[-1]] if same_image(theirs[row], image)]
        if not rows:
            raise InputError(
                f"{source.path} has no row for image {image} of {benchmark.name}: give the dataset that these "
                "features were made from."
            )
        if len({theirs[row] for row in rows}) > 1:
            raise InputError(
                f"{source.path}: rows {rows[0]} and {rows[1]} may both be image {image} of {benchmark.name}: "
                "give the paths of the images with their folders."
            )
        order.append(rows[0])
        left[_parts(image)[-1]].remove(rows[0])
    return order


def _reordered(source: Source, order: np.ndarray) -> Source:
    def block(start: int, stop: int) -> np.ndarray:
        wanted = order[start:stop]
        rows = np.sort(wanted)
        runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)  # consecutive rows are read together
        values = np.concatenate([source.block(int(run[0]), int(run[-1]) + 1) for run in runs])
        return values[np.searchsorted(rows, wanted)]

    labels = source.labels
    if labels is not None and len(labels) == len(order):
        labels = labels[order]
    return replace(source, block=block, labels=labels, image_files=[(source.image_files or [])[row] for row in order])


def same_image(one: str, other: str) -> bool:
    """Whether two paths may name the same image: the shorter is the end of the longer.

    >>> same_image("/BS/x/images/001.A/b.jpg", "001.A/b.jpg"), same_image("001.A/b.jpg", "002.B/b.jpg")
    (True, False)
    """
    a, b = _parts(one), _parts(other)
    shorter = min(len(a), len(b))
    return shorter > 0 and a[-shorter:] == b[-shorter:]


def _parts(path: str) -> tuple[str, ...]:
    return PurePosixPath(path.replace("\\", "/").split("#")[0]).parts or ("",)
