"""Writes a class table to fill in: a line for each class folder of an image folder."""

from collections.abc import Sequence
from pathlib import Path

from zslpipe.data.class_table import CLASSES
from zslpipe.data.csv_lines import csv_bytes, find_table
from zslpipe.data.scan import scan_images
from zslpipe.errors import InputError
from zslpipe.files import atomic_write


def init_class_table(image_folder: Path, attributes: Sequence[str] = (), out: Path | None = None) -> tuple[Path, int]:
    """Write classes.csv with a line for each folder that contains images, and a column for each attribute.

    `split` is left empty: `read_folder` then makes a split.

    Args:
        image_folder: images in class folders, at any depth.
        attributes: names of the attributes.
        out: folder of the table; by default the image folder.

    Returns:
        The file, and the number of classes.

    Raises:
        InputError: if there are no images in folders, or a class table exists.
    """
    place = out or image_folder
    existing = find_table(place, "classes")
    if existing is not None:
        raise InputError(f"{existing} already exists: edit it, or remove it first.")
    folders = sorted({i.rpartition("/")[0] for i in scan_images(image_folder).images if "/" in i})
    if not folders:
        raise InputError(f"{image_folder} has no images in class folders; expected {image_folder}/<class>/<image>.")
    header = ["class", "split", *attributes]
    if len(set(header)) < len(header) or not all(header):
        raise InputError("the attributes must have different names, other than class and split.")
    rows = [header, *([folder, "", *[""] * len(attributes)] for folder in folders)]
    with atomic_write(place / CLASSES) as stream:
        stream.write(csv_bytes(rows))
    return place / CLASSES, len(folders)
