"""The frame of a chart: scales, ticks, axes. Units are those of the viewBox, y runs down."""

import math
from dataclasses import dataclass

from zslpipe.report.markup import Attributes, Child, Markup, el, number


@dataclass(frozen=True)
class Scale:
    """A linear map from data `low`..`high` to units `start`..`end`; what lies outside is put on the border."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 2)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers within [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(number(i * step)) for i in range(first, last + 1)]


def whole_ticks(low: float, high: float) -> list[float]:
    """Those of `ticks` that are whole numbers, for what is counted."""
    return [t for t in ticks(low, high) if t == int(t)]


def around(values: list[float], share: float = 0.05) -> tuple[float, float]:
    """The range of the values, a little wider, so that nothing lies on the border."""
    low, high = min(values), max(values)
    pad = (high - low) * share or abs(high) * share or 1.0
    return low - pad, high + pad


@dataclass(frozen=True)
class Frame:
    """A chart's box and the room around it for ticks and labels.

    The size fits a phone without shrinking the text below what can be read; on a wide screen it is scaled up.
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
    def across(self) -> Scale:
        return Scale(*self.x, self.left, self.width - self.right)

    @property
    def up(self) -> Scale:
        return Scale(*self.y, self.height - self.bottom, self.top)

    def inside(self, x: float, y: float) -> bool:
        return self.x[0] <= x <= self.x[1] and self.y[0] <= y <= self.y[1]

    def axes(
        self,
        x_label: str,
        y_label: str,
        x_ticks: list[float] | None = None,
        y_ticks: list[float] | None = None,
        percent: str = "",
    ) -> Markup:
        """Grid lines, numbers and names of both axes; `percent` names those ("x", "y", "xy") that show shares."""
        across, up = self.across, self.up
        left, right, foot, top = self.left, self.width - self.right, self.height - self.bottom, self.top
        factor = {axis: 100 if axis in percent else 1 for axis in "xy"}
        parts = []
        for v in ticks(*self.x) if x_ticks is None else x_ticks:
            parts.append(el("line", x1=across(v), x2=across(v), y1=top, y2=foot, class_="grid"))
            parts.append(
                el("text", number(v * factor["x"]), x=across(v), y=foot + 16, class_="tick", text_anchor="middle")
            )
        for v in ticks(*self.y) if y_ticks is None else y_ticks:
            parts.append(el("line", x1=left, x2=right, y1=up(v), y2=up(v), class_="grid"))
            parts.append(el("text", number(v * factor["y"]), x=left - 6, y=up(v) + 4, class_="tick", text_anchor="end"))
        parts.append(el("path", d=f"M{left} {top}V{foot}H{right}", class_="axis"))
        middle = (left + right) / 2, (top + foot) / 2
        parts.append(el("text", x_label, x=middle[0], y=self.height - 8, class_="label", text_anchor="middle"))
        turned = f"translate(13 {number(middle[1])}) rotate(-90)"
        parts.append(el("text", y_label, transform=turned, class_="label", text_anchor="middle"))
        return el("g", parts)

    def drawing(self, *children: Child, label: str) -> Markup:
        return drawing(self.width, self.height, *children, label=label)


def drawing(
    width: float, height: float, *children: Child, label: str, class_: str = "chart", fixed: bool = False
) -> Markup:
    """An SVG image, as wide as its place or, if `fixed`, a pixel a unit; `label` is for those who cannot see it."""
    box = f"0 0 {number(width)} {number(height)}"
    size: Attributes = {"width": width, "height": height} if fixed else {}
    names: Attributes = {"role": "img", "aria_label": label, "class_": class_}
    return el("svg", *children, xmlns="http://www.w3.org/2000/svg", viewBox=box, **size, **names)


def path(points: list[tuple[float, float]]) -> str:
    """The `d` of a line through points in units."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def titled(shape: str, title: str, **attributes: str | float | None) -> Markup:
    """A shape that says what it is when the pointer rests on it."""
    return el(shape, el("title", title), **attributes)


def shortened(text: str, length: int) -> str:
    """The text, its end cut off where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"
