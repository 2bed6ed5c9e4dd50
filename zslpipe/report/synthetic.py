"""Synthetic features against real ones: a table, and a picture of some unseen classes."""

import numpy as np

from zslpipe.evaluation.synthetic import Picture, Synthetic
from zslpipe.report.curves import legend_entry
from zslpipe.report.markup import Markup, el, join
from zslpipe.report.svg import Frame, padded_range, with_tooltip
from zslpipe.report.tables import grid

NOTE = (
    "What the generator makes of each class, against the test images of that class. Distance of the means and spread "
    "are in units of the spread of the real features. Own mean: share of synthetic features closer to the real mean of "
    "their own class than to that of any other on the same side. Purity: share of those whose nearest real feature is "
    "of their own class."
)
COLUMNS = ("distance of means", "spread", "own mean", "purity")


def synthetic_features(found: Synthetic) -> Markup:
    """Note, table and picture."""
    rows = [
        [
            el("span", side, class_=f"side {side}"),
            f"{like.distance:.2f}",
            f"{like.spread:.2f}",
            f"{like.own_mean:.0%}",
            f"{like.purity:.0%}",
        ]
        for side, like in sorted(found.sides.items(), reverse=True)
    ]
    table = el("div", el("h4", "Likeness"), grid(["classes", *COLUMNS], rows))
    drawn = _picture(found.picture) if found.picture else None
    return join(el("p", NOTE, class_="note"), el("div", [drawn, table], class_="halves"))


def _picture(picture: Picture) -> Markup:
    """Discs for real features, crosses for synthetic ones, a colour for each class."""
    points = np.concatenate([*picture.real, *picture.synthetic])
    frame = Frame(x=padded_range(points[:, 0].tolist()), y=padded_range(points[:, 1].tolist()))
    parts = [frame.axes("first principal axis of the real features", "second")]
    for i, (name, real, made) in enumerate(zip(picture.names, picture.real, picture.synthetic)):
        discs = [_disc(frame, x, y, f"{name}, real") for x, y in real.tolist()]
        crosses = [_cross(frame, x, y, f"{name}, synthetic") for x, y in made.tolist()]
        parts.append(el("g", discs, crosses, class_=f"run-{i}"))
    chart = frame.drawing(*parts, label="Real and synthetic features of some unseen classes")
    key = el("ul", [legend_entry(name, i) for i, name in enumerate(picture.names)], class_="key")
    kinds = el("p", "Unseen classes. Discs: test images; crosses: synthetic features.", class_="note")
    return el("div", el("h4", "Real and synthetic features"), chart, key, kinds)


def _disc(frame: Frame, x: float, y: float, title: str) -> Markup:
    return with_tooltip("circle", title, cx=frame.to_x(x), cy=frame.to_y(y), r=3, class_="mark chosen")


def _cross(frame: Frame, x: float, y: float, title: str) -> Markup:
    left, top = frame.to_x(x) - 3, frame.to_y(y) - 3
    return with_tooltip("path", title, d=f"M{left:g} {top:g}l6 6m0 -6l-6 6", class_="mark uncalibrated")
