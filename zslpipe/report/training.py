"""Training curves: the loss terms of the head that is evaluated, epoch by epoch."""

from collections.abc import Mapping, Sequence

from zslpipe.report.markup import Markup, el
from zslpipe.report.svg import Frame, around, path, titled, whole_ticks

Losses = Mapping[str, Sequence[float]]  # a term's mean in every epoch


def training_curves(seeds: Mapping[int, Losses]) -> list[Markup]:
    """A chart for each loss term, since their sizes differ by orders, with a line a seed."""
    terms = dict.fromkeys(term for losses in seeds.values() for term in losses)
    return [_term(term, {seed: losses[term] for seed, losses in seeds.items() if term in losses}) for term in terms]


def _term(term: str, seeds: Mapping[int, Sequence[float]]) -> Markup:
    longest = max(len(values) for values in seeds.values())
    epochs = around([1.0, float(longest)], 0.02)
    frame = Frame(x=epochs, y=around([v for values in seeds.values() for v in values]), height=240, left=62)
    lines = [
        titled("path", f"seed {seed}: {v[-1]:.4g} in the last epoch", d=path(_points(frame, v)), class_="curve mine")
        for seed, v in seeds.items()
    ]
    chart = frame.drawing(
        frame.axes("epoch", term, x_ticks=whole_ticks(*frame.x)), *lines, label=f"The loss term {term} by epoch"
    )
    return el("div", el("h4", term), chart)


def _points(frame: Frame, values: Sequence[float]) -> list[tuple[float, float]]:
    return [(frame.across(epoch), frame.up(value)) for epoch, value in enumerate(values, start=1)]
