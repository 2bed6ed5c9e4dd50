"""What a picture is: decoded within limits, computed in batches, named and explained among the classes of a request."""

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from zslpipe.errors import InputError
from zslpipe.extract.decode import UnreadableImage, read_image
from zslpipe.report.document import image_data
from zslpipe.serving.attention_maps import overlay
from zslpipe.serving.described import Description, with_described
from zslpipe.serving.explain import explain
from zslpipe.serving.explanation_text import contrast_note, contrast_title, map_caption, maps_title, term_values
from zslpipe.serving.predictor import Predictor
from zslpipe.store.rows import Features

MOST_PIXELS = 50_000_000  # of a picture, before it is resized: 150 MB in memory
LISTS = 32  # lists of classes whose scorers are kept
MAPS = 4
SIDE = 320  # of the pictures in an answer


class Answers:
    """Everything of the server that knows no HTTP.

    Args:
        predictor: the run.
        grid: (rows, columns) of its regions, None if there are none.
    """

    def __init__(self, predictor: Predictor, grid: tuple[int, int] | None) -> None:
        self.predictor, self.grid = predictor, grid
        self.transform = predictor.images.backbone.transform
        self._kept: OrderedDict[bytes, Predictor] = OrderedDict()
        self._lock = threading.Lock()

    def decode(self, content: bytes) -> np.ndarray:
        """Pixels (H, W, 3) uint8 as the backbone sees them.

        Raises:
            InputError: if it is not a picture, or one with too many pixels.
        """
        try:
            return np.array(self.transform(read_image(io.BytesIO(content), MOST_PIXELS)))
        except UnreadableImage as problem:
            raise InputError(f"the picture {problem}.") from None

    def among(self, added: Sequence[Description]) -> Predictor:
        """The run with the classes that a request adds.

        Raises:
            InputError: if one of them is not described.
        """
        if not added:
            return self.predictor
        classes = with_described(self.predictor.classes, added, self.predictor.encode)
        key = repr(classes.names).encode() + classes.semantics[len(self.predictor.classes) :].tobytes()
        with self._lock:
            found = self._kept.pop(key, None) or replace(self.predictor, classes=classes)
            self._kept[key] = found
            while len(self._kept) > LISTS:
                self._kept.popitem(last=False)
        return found

    def name(self, predictor: Predictor, features: Features, top: int) -> dict[str, Any]:
        """The best classes of an image (1, ...)."""
        (found,) = predictor.rank(["picture"], features, top)
        return {"known": found.known, "classes": [{**one.as_json(), "text": one.text} for one in found.candidates]}

    def explain(self, predictor: Predictor, features: Features, pixels: np.ndarray, pictures: bool) -> dict[str, Any]:
        """What spoke for the best class and for the second, and where the head looked; with pictures of it if asked."""
        one = explain(predictor, features, "the picture", others=MAPS - 1)
        values = one.as_json()
        contrast = values["contrast"]
        if one.contrast is not None:
            contrast |= {"title": contrast_title(one.contrast), "note": contrast_note(one.contrast)}
            for told, term in zip(contrast["terms"], one.contrast.terms):
                told["text"] = term_values(term)
        picture = Image.fromarray(pixels)
        for told, shown in zip(values["maps"], one.maps):
            told["caption"] = list(map_caption(shown))
            if pictures and self.grid is not None:
                told["picture"] = image_data(overlay(picture, shown.attention, self.grid), SIDE)
        seen = image_data(picture, SIDE) if pictures else None
        return {
            "contrast": contrast,
            "maps_title": maps_title(one),
            "maps": values["maps"],
            "grid": None if self.grid is None else list(self.grid),
            "picture": seen,
        }
