"""The trials of a selection: the criterion by epoch, over two settings, or as a list."""

import json
from collections.abc import Sequence
from typing import Any

from zslpipe.report.markup import Attributes, Markup, el, join
from zslpipe.report.svg import Frame, drawing, integer_ticks, padded_range, path, truncate, with_tooltip
from zslpipe.report.tables import grid, scroll_box
from zslpipe.selection import SelectionResult, Trial

Setting = dict[str, Any]
EPOCHS = "epochs"
WIDTH, HEIGHT, LEFT, TOP = 46, 30, 92, 8  # of the grid chart: size of a cell, margins


def trials_chart(choice: SelectionResult) -> Markup | None:
    """A chart that suits the varied settings; None if nothing was varied or no trial is finite."""
    done = [t for t in choice.trials if t.value is not None]
    varied = varied_settings(choice.trials)
    if not done or not varied:
        return None
    if EPOCHS in varied:
        note = "Thick: mean over the folds at the chosen setting; dashed: single folds"
        note += "; grey: other settings." if len(varied) > 1 else "."
        return el("div", epoch_chart(choice), el("p", note, class_="note"))
    if len(varied) == 2 and all(_is_number(t.setting.get(k)) for t in choice.trials for k in varied if k in t.setting):
        note = f"{choice.criterion} in percent, mean over the folds; framed: the chosen setting; ×: diverged."
        return el("div", scroll_box(grid_chart(choice, varied)), el("p", note, class_="note"))
    return None


def varied_settings(trials: Sequence[Trial]) -> list[str]:
    """Names of the settings that differ between trials."""
    names = dict.fromkeys(name for t in trials for name in t.setting)
    values = {n: {json.dumps(t.setting.get(n), sort_keys=True, default=str) for t in trials} for n in names}
    return [n for n in names if len(values[n]) > 1]


def epoch_chart(choice: SelectionResult) -> Markup:
    """The criterion by epoch, mean over the folds; the chosen setting is coloured, others are faint."""
    lines: dict[str, list[Trial]] = {}
    for trial in choice.trials:
        if trial.value is not None and _is_number(trial.setting.get(EPOCHS)):
            lines.setdefault(_without_epochs(trial.setting), []).append(trial)
    chosen = _without_epochs(choice.params)
    shown = [t.value for line in lines.values() for t in line if t.value is not None]
    folds = [[f[choice.criterion] for f in t.folds] for t in lines.get(chosen, [])]
    shown += [v for fold in folds for v in fold]
    epochs = [float(t.setting[EPOCHS]) for line in lines.values() for t in line]
    low, high = padded_range(shown)
    frame = Frame(x=padded_range(epochs, 0.02), y=(max(0.0, low), min(1.0, high)))
    parts = [frame.axes("epoch", f"{choice.criterion} on the folds (%)", x_ticks=integer_ticks(*frame.x), percent="y")]
    for name, line in lines.items():
        if name != chosen:
            parts.append(_line(frame, [(t.setting[EPOCHS], t.value) for t in line], "curve other", f"{name}"))
    line = lines.get(chosen, [])
    for k in range(choice.folds):
        values = [(t.setting[EPOCHS], t.folds[k][choice.criterion]) for t in line if k < len(t.folds)]
        parts.append(_line(frame, values, "curve fold", f"fold {k + 1} of the chosen setting"))
    parts.append(_line(frame, [(t.setting[EPOCHS], t.value) for t in line], "curve mine", "mean over the folds"))
    for t in line:
        if t.setting[EPOCHS] == choice.params[EPOCHS] and t.value is not None:
            title = f"chosen: epoch {t.setting[EPOCHS]}, {choice.criterion} {t.value:.1%}"
            x, y = frame.to_x(t.setting[EPOCHS]), frame.to_y(t.value)
            parts.append(with_tooltip("circle", title, cx=x, cy=y, r=5, class_="mark chosen mine"))
    return frame.drawing(*parts, label=f"{choice.criterion} by epoch on the folds")


def grid_chart(choice: SelectionResult, names: Sequence[str]) -> Markup:
    """The criterion on a grid of two numeric settings, the first on the x axis and the second on the y axis."""
    x_name, y_name = names
    found = {(t.setting[x_name], t.setting[y_name]): t.value for t in choice.trials if {*names} <= set(t.setting)}
    xs, ys = sorted({x for x, _ in found}), sorted({y for _, y in found}, reverse=True)
    best = max(t.value for t in choice.trials if t.value is not None)
    worst = min((v for v in found.values() if v is not None), default=0.0)
    parts = []
    for j, y in enumerate(ys):
        parts.append(el("text", f"{y:g}", x=LEFT - 8, y=TOP + HEIGHT * j + 19, class_="tick", text_anchor="end"))
        for i, x in enumerate(xs):
            if (x, y) not in found:
                continue
            value = found[x, y]
            chosen = choice.params.get(x_name) == x and choice.params.get(y_name) == y
            result = "not finite" if value is None else f"{choice.criterion} {value:.1%}"
            share = 0.0 if value is None else (value - worst) / ((best - worst) or 1.0)
            parts.append(_cell(i, j, value, share, chosen, f"{x_name} {x:g}, {y_name} {y:g}: {result}"))
    width, foot = WIDTH * len(xs), TOP + HEIGHT * len(ys)
    for i, x in enumerate(xs):
        middle = LEFT + WIDTH * (i + 0.5)
        parts.append(el("text", f"{x:g}", x=middle, y=foot + 16, class_="tick", text_anchor="middle"))
    parts.append(el("text", x_name, x=LEFT + width / 2, y=foot + 34, class_="label", text_anchor="middle"))
    turned = f"translate(16 {TOP + HEIGHT * len(ys) / 2}) rotate(-90)"
    parts.append(el("text", y_name, transform=turned, class_="label", text_anchor="middle"))
    label = f"{choice.criterion} by {x_name} and {y_name}"
    return drawing(LEFT + width + 8, foot + 42, parts, label=label, class_="cells", fixed=True)


def _cell(i: int, j: int, value: float | None, share: float, chosen: bool, title: str) -> Markup:
    """The cell in column i and row j with its value; `share` in [0, 1] is its shade."""
    box = {"x": LEFT + WIDTH * i + 1, "y": TOP + HEIGHT * j + 1, "width": WIDTH - 2, "height": HEIGHT - 2}
    look = "cell right chosen" if chosen else "cell right"
    shape = with_tooltip("rect", title, class_=look, fill_opacity=round(0.06 + 0.94 * share, 3), **box)
    text = "×" if value is None else f"{100 * value:.1f}"
    place: Attributes = {"x": LEFT + WIDTH * (i + 0.5), "y": TOP + HEIGHT * j + 19, "text_anchor": "middle"}
    return join(shape, el("text", text, class_="in-cell strong" if share > 0.5 else "in-cell", **place))


def trials_list(choice: SelectionResult, count: int = 12) -> Markup:
    """The best trials, and how many diverged."""
    done = sorted((t for t in choice.trials if t.value is not None), key=lambda t: -(t.value or 0.0))
    names = varied_settings(choice.trials)
    rows = [
        [f"{100 * (t.value or 0.0):.1f}", *(_plain(t.setting.get(n, "default")) for n in names)] for t in done[:count]
    ]
    hidden, diverged = len(done) - count, len(choice.trials) - len(done)
    notes = [f"{hidden} more settings were worse."] if hidden > 0 else []
    notes += [f"{diverged} diverged."] if diverged else []
    return join(
        grid([f"{choice.criterion} (%)", *names], rows), el("p", " ".join(notes), class_="note") if notes else None
    )


def _line(frame: Frame, values: Sequence[tuple[Any, float | None]], class_: str, title: str) -> Markup:
    points = sorted((float(x), float(v)) for x, v in values if v is not None)
    if not points:
        return join()
    drawn = [(frame.to_x(x), frame.to_y(v)) for x, v in points]
    return with_tooltip("path", truncate(title, 200), d=path(drawn), class_=class_)


def _without_epochs(setting: Setting) -> str:
    return ", ".join(f"{k} {_plain(v)}" for k, v in sorted(setting.items()) if k != EPOCHS) or "default settings"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
