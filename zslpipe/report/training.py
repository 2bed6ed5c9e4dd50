"""Training curves: the loss terms of the evaluated head by epoch."""

from collections.abc import Mapping, Sequence

from zslpipe.report.markup import Markup, el
from zslpipe.report.svg import Frame, integer_ticks, padded_range, path, with_tooltip

Losses = Mapping[str, Sequence[float]]  # mean of each loss term per epoch


def training_curves(seeds: Mapping[int, Losses], label: str = "The loss term {} by epoch") -> list[Markup]:
    """One chart per term, since their magnitudes differ, with one line per seed; `label` names it for readers."""
    terms = dict.fromkeys(term for losses in seeds.values() for term in losses)
    lines = {term: {seed: losses[term] for seed, losses in seeds.items() if term in losses} for term in terms}
    return [_term(term, by_seed, label.format(term)) for term, by_seed in lines.items()]


def _term(term: str, seeds: Mapping[int, Sequence[float]], label: str) -> Markup:
    longest = max(len(values) for values in seeds.values())
    epochs = padded_range([1.0, float(longest)], 0.02)
    frame = Frame(x=epochs, y=padded_range([v for values in seeds.values() for v in values]), height=240, left=62)
    lines = [
        with_tooltip(
            "path", f"seed {seed}: {v[-1]:.4g} in the last epoch", d=path(_points(frame, v)), class_="curve mine"
        )
        for seed, v in seeds.items()
    ]
    chart = frame.drawing(frame.axes("epoch", term, x_ticks=integer_ticks(*frame.x)), *lines, label=label)
    return el("div", el("h4", term), chart)


def _points(frame: Frame, values: Sequence[float]) -> list[tuple[float, float]]:
    return [(frame.to_x(epoch), frame.to_y(value)) for epoch, value in enumerate(values, start=1)]
