"""The frame of a self-contained HTML file: no scripts, no fonts, no network access."""

import base64
import io
from importlib.resources import files

from PIL import Image

from zslpipe.report.markup import Child, Markup, el, join

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # forbids all network requests


def document(title: str, lead: Child, *main: Child) -> Markup:
    """A whole HTML file with a title, a line below it and the main part."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · zslpipe"),
        el("style", Markup(files("zslpipe.report").joinpath("style.css").read_text(encoding="utf-8"))),
    )
    body = el("body", el("header", el("h1", title), lead), el("main", main))
    return join(Markup("<!doctype html>\n"), el("html", head, body, lang="en"))


def image_data(image: Image.Image, longest: int) -> str:
    """A JPEG as a data URI, with the longer side at most `longest` pixels."""
    small = image.convert("RGB")
    small.thumbnail((longest, longest))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
