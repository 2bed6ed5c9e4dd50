"""What selection tried: its criterion by epoch, over two settings, or as a list."""

import json
from collections.abc import Sequence
from typing import Any

from zslpipe.report.markup import Attributes, Markup, el, together
from zslpipe.report.svg import Frame, around, drawing, path, shortened, titled, whole_ticks
from zslpipe.report.tables import grid
from zslpipe.selection.result import SelectionResult, Trial

Setting = dict[str, Any]
EPOCHS = "epochs"


def trials_chart(choice: SelectionResult) -> Markup | None:
    """A chart that suits what was varied; None where a single setting was tried or none came out finite."""
    done = [t for t in choice.trials if t.value is not None]
    varied = varied_settings(choice.trials)
    if not done or not varied:
        return None
    if EPOCHS in varied:
        said = "Thick: mean of the folds at the chosen setting; dashed: its folds"
        said += "; grey: other settings." if len(varied) > 1 else "."
        return el("div", by_epoch(choice), el("p", said, class_="note"))
    if len(varied) == 2 and all(_is_number(t.setting.get(k)) for t in choice.trials for k in varied if k in t.setting):
        said = f"{choice.criterion} in percent, mean of the folds; framed: the setting chosen; ×: diverged."
        return el(
            "div", el("div", over_two(choice, varied), class_="scroll", tabindex="0"), el("p", said, class_="note")
        )
    return None


def varied_settings(trials: Sequence[Trial]) -> list[str]:
    """Names of the settings that are not the same in all trials."""
    names = dict.fromkeys(name for t in trials for name in t.setting)
    values = {n: {json.dumps(t.setting.get(n), sort_keys=True, default=str) for t in trials} for n in names}
    return [n for n in names if len(values[n]) > 1]


def by_epoch(choice: SelectionResult) -> Markup:
    """The criterion's mean over the folds by epoch; the chosen setting in colour with its folds, others faint."""
    lines: dict[str, list[Trial]] = {}
    for trial in choice.trials:
        if trial.value is not None and _is_number(trial.setting.get(EPOCHS)):
            lines.setdefault(_others(trial.setting), []).append(trial)
    mine = _others(choice.params)
    shown = [t.value for line in lines.values() for t in line if t.value is not None]
    folds = [[f[choice.criterion] for f in t.folds] for t in lines.get(mine, [])]
    shown += [v for fold in folds for v in fold]
    epochs = [float(t.setting[EPOCHS]) for line in lines.values() for t in line]
    low, high = around(shown)
    frame = Frame(x=around(epochs, 0.02), y=(max(0.0, low), min(1.0, high)))
    parts = [frame.axes("epoch", f"{choice.criterion} in the folds (%)", x_ticks=whole_ticks(*frame.x), percent="y")]
    for name, line in lines.items():
        if name != mine:
            parts.append(_line(frame, [(t.setting[EPOCHS], t.value) for t in line], "curve other", f"{name}"))
    line = lines.get(mine, [])
    for k in range(choice.folds):
        values = [(t.setting[EPOCHS], t.folds[k][choice.criterion]) for t in line if k < len(t.folds)]
        parts.append(_line(frame, values, "curve fold", f"fold {k + 1} of the chosen setting"))
    parts.append(_line(frame, [(t.setting[EPOCHS], t.value) for t in line], "curve mine", "mean of the folds"))
    for t in line:
        if t.setting[EPOCHS] == choice.params[EPOCHS] and t.value is not None:
            told = f"chosen: epoch {t.setting[EPOCHS]}, {choice.criterion} {t.value:.1%}"
            x, y = frame.across(t.setting[EPOCHS]), frame.up(t.value)
            parts.append(titled("circle", told, cx=x, cy=y, r=5, class_="mark chosen mine"))
    return frame.drawing(*parts, label=f"{choice.criterion} by epoch in the folds")


def over_two(choice: SelectionResult, names: Sequence[str]) -> Markup:
    """The criterion over a grid of two numeric settings."""
    across, down = names
    best = max(t.value for t in choice.trials if t.value is not None)
    found = {(t.setting[across], t.setting[down]): t.value for t in choice.trials if {across, down} <= set(t.setting)}
    xs, ys = sorted({x for x, _ in found}), sorted({y for _, y in found}, reverse=True)
    wide, high, left, top = 46, 30, 92, 8
    worst = min((v for v in found.values() if v is not None), default=0.0)
    parts = []
    for j, y in enumerate(ys):
        parts.append(el("text", f"{y:g}", x=left - 8, y=top + high * j + 19, class_="tick", text_anchor="end"))
        for i, x in enumerate(xs):
            if (x, y) not in found:
                continue
            value = found[x, y]
            chosen = choice.params.get(across) == x and choice.params.get(down) == y
            told = f"{across} {x:g}, {down} {y:g}: " + (
                "not finite" if value is None else f"{choice.criterion} {value:.1%}"
            )
            share = 0.0 if value is None else (value - worst) / ((best - worst) or 1.0)
            box = {"x": left + wide * i + 1, "y": top + high * j + 1, "width": wide - 2, "height": high - 2}
            look = "cell right chosen" if chosen else "cell right"
            parts.append(titled("rect", told, class_=look, fill_opacity=round(0.06 + 0.94 * share, 3), **box))
            text = "×" if value is None else f"{100 * value:.1f}"
            place: Attributes = {"x": left + wide * (i + 0.5), "y": top + high * j + 19, "text_anchor": "middle"}
            parts.append(el("text", text, class_="in-cell strong" if share > 0.5 else "in-cell", **place))
    foot = top + high * len(ys)
    for i, x in enumerate(xs):
        parts.append(el("text", f"{x:g}", x=left + wide * (i + 0.5), y=foot + 16, class_="tick", text_anchor="middle"))
    parts.append(el("text", across, x=left + wide * len(xs) / 2, y=foot + 34, class_="label", text_anchor="middle"))
    turned = f"translate(16 {top + high * len(ys) / 2}) rotate(-90)"
    parts.append(el("text", down, transform=turned, class_="label", text_anchor="middle"))
    label = f"{choice.criterion} by {across} and {down}"
    return drawing(left + wide * len(xs) + 8, foot + 42, parts, label=label, class_="cells", fixed=True)


def trials_list(choice: SelectionResult, count: int = 12) -> Markup:
    """The best settings tried, and how many gave no finite scores."""
    done = sorted((t for t in choice.trials if t.value is not None), key=lambda t: -(t.value or 0.0))
    names = varied_settings(choice.trials)
    rows = [
        [f"{100 * (t.value or 0.0):.1f}", *(_plain(t.setting.get(n, "default")) for n in names)] for t in done[:count]
    ]
    left = len(done) - count
    lost = len(choice.trials) - len(done)
    said = [f"{left} further settings were less good." if left > 0 else "", f"{lost} diverged." if lost else ""]
    notes = " ".join(s for s in said if s)
    return together(grid([f"{choice.criterion} (%)", *names], rows), el("p", notes, class_="note") if notes else None)


def _line(frame: Frame, values: Sequence[tuple[Any, float | None]], class_: str, title: str) -> Markup:
    points = sorted((float(x), float(v)) for x, v in values if v is not None)
    if not points:
        return together()
    drawn = [(frame.across(x), frame.up(v)) for x, v in points]
    return titled("path", shortened(title, 200), d=path(drawn), class_=class_)


def _others(setting: Setting) -> str:
    return ", ".join(f"{k} {_plain(v)}" for k, v in sorted(setting.items()) if k != EPOCHS) or "default settings"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
