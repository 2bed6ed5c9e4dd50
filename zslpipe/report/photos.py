"""Photos with what they show and what they were taken for."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from zslpipe.drawing import square_thumbnail
from zslpipe.report.content import Photo, Photos
from zslpipe.report.markup import Child, Markup, breakable, el, join
from zslpipe.report.terms import term

SIDE = 160  # pixels


def photo_uri(path: Path) -> str:
    """The centre of a photo as a small JPEG in a data URI.

    Raises:
        InputError: if the file is missing or cannot be decoded.
    """
    stream = io.BytesIO()
    square_thumbnail(path, SIDE).save(stream, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def photo_strips(photos: Photos) -> Markup:
    """The right ones, then the mistakes."""
    return join(_strip("Named correctly", photos.right, True), _strip("Worst mistakes", photos.wrong, False))


def _strip(title: str, photos: Sequence[Photo], right: bool) -> Markup | None:
    if not photos:
        return None
    return join(el("h4", title), el("div", [_figure(photo, right) for photo in photos], class_="photos"))


def _figure(photo: Photo, right: bool) -> Markup:
    kind = term("seen" if photo.seen else "unseen")
    mark = el("b", "✓" if right else "✗", aria_label="right" if right else "wrong", role="img")
    image = el("img", src=photo.image, alt=f"a photo of {photo.truth}", width=SIDE, height=SIDE)
    named = el("span", mark, " ", breakable(photo.predicted))
    below: Child = kind if right else ["is ", breakable(photo.truth), ", ", kind]
    return el("figure", image, el("figcaption", named, el("small", below)), class_="right" if right else "wrong")
