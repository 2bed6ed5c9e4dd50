"""A matrix as a small PNG image, one pixel per cell."""

import base64
import io

import numpy as np
from PIL import Image

from zslpipe.drawing import apply_colour_map

# Cividis (Nunez, Anderton and Renslow, 2018), which looks the same with and without colour blindness.
STOPS = ("00224e", "1a386f", "434e6c", "61656f", "7d7c78", "9b9476", "bcae6c", "dfcb5b", "fee838")


def matrix_png(shares: np.ndarray) -> str:
    """A PNG as a data URI, with one pixel for each number (rows, columns) in [0, 1]."""
    colours = apply_colour_map(shares, STOPS)
    stream = io.BytesIO()
    Image.fromarray(colours.round().astype(np.uint8)).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
