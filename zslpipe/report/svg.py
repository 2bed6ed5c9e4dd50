"""Scales, ticks and axes of a chart. Units are those of the viewBox; y points down."""

import math
from dataclasses import dataclass

from zslpipe.report.markup import Attributes, Child, Markup, el, format_number


@dataclass(frozen=True)
class Scale:
    """A linear map from data `low`..`high` to units `start`..`end`; values outside are clipped."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 2)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers in [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(format_number(i * step)) for i in range(first, last + 1)]


def integer_ticks(low: float, high: float) -> list[float]:
    """The integers among `ticks`, for axes of counts."""
    return [t for t in ticks(low, high) if t == int(t)]


def padded_range(values: list[float], share: float = 0.05) -> tuple[float, float]:
    """The range of the values with some padding on both sides."""
    low, high = min(values), max(values)
    pad = (high - low) * share or abs(high) * share or 1.0
    return low - pad, high + pad


@dataclass(frozen=True)
class Frame:
    """The plot area of a chart and the margins for ticks and labels.

    The default size fits a phone with readable text; on a wide screen it is scaled up.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 440
    height: float = 330
    left: float = 48
    right: float = 12
    top: float = 12
    bottom: float = 44

    @property
    def to_x(self) -> Scale:
        return Scale(*self.x, self.left, self.width - self.right)

    @property
    def to_y(self) -> Scale:
        return Scale(*self.y, self.height - self.bottom, self.top)

    def axes(
        self,
        x_label: str,
        y_label: str,
        x_ticks: list[float] | None = None,
        y_ticks: list[float] | None = None,
        percent: str = "",
    ) -> Markup:
        """Grid lines, ticks and labels of both axes; `percent` lists the axes of shares ("x", "y" or "xy")."""
        to_x, to_y = self.to_x, self.to_y
        left, right, foot, top = self.left, self.width - self.right, self.height - self.bottom, self.top
        factor = {axis: 100 if axis in percent else 1 for axis in "xy"}
        parts = []
        for v in ticks(*self.x) if x_ticks is None else x_ticks:
            text = format_number(v * factor["x"])
            parts.append(el("line", x1=to_x(v), x2=to_x(v), y1=top, y2=foot, class_="grid"))
            parts.append(el("text", text, x=to_x(v), y=foot + 16, class_="tick", text_anchor="middle"))
        for v in ticks(*self.y) if y_ticks is None else y_ticks:
            text = format_number(v * factor["y"])
            parts.append(el("line", x1=left, x2=right, y1=to_y(v), y2=to_y(v), class_="grid"))
            parts.append(el("text", text, x=left - 6, y=to_y(v) + 4, class_="tick", text_anchor="end"))
        parts.append(el("path", d=f"M{left} {top}V{foot}H{right}", class_="axis"))
        middle = (left + right) / 2, (top + foot) / 2
        parts.append(el("text", x_label, x=middle[0], y=self.height - 8, class_="label", text_anchor="middle"))
        turned = f"translate(13 {format_number(middle[1])}) rotate(-90)"
        parts.append(el("text", y_label, transform=turned, class_="label", text_anchor="middle"))
        return el("g", parts)

    def drawing(self, *children: Child, label: str) -> Markup:
        return drawing(self.width, self.height, *children, label=label)


def drawing(
    width: float, height: float, *children: Child, label: str, class_: str = "chart", fixed: bool = False
) -> Markup:
    """An SVG image that fills its container or, if `fixed`, has one pixel per unit; `label` is for screen readers."""
    box = f"0 0 {format_number(width)} {format_number(height)}"
    size: Attributes = {"width": width, "height": height} if fixed else {}
    names: Attributes = {"role": "img", "aria_label": label, "class_": class_}
    return el("svg", *children, xmlns="http://www.w3.org/2000/svg", viewBox=box, **size, **names)


def path(points: list[tuple[float, float]]) -> str:
    """The `d` attribute of a line through the points."""
    return "M" + "L".join(f"{format_number(x)} {format_number(y)}" for x, y in points)


def with_tooltip(shape: str, title: str, **attributes: str | float | None) -> Markup:
    """A shape with a tooltip."""
    return el(shape, el("title", title), **attributes)


def truncate(text: str, length: int) -> str:
    """The text, shortened with an ellipsis to at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
