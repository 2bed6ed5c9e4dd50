"""The section of a page about one run: notes, classes, confusions, semantic errors, selection, provenance."""

from zslpipe.report.bars import class_bars
from zslpipe.report.confusion_map import confusion_map
from zslpipe.report.content import Confusion, RunContent, SemanticErrors
from zslpipe.report.curves import colour_of
from zslpipe.report.error_map import error_map
from zslpipe.report.markup import Child, Markup, breakable, el, join
from zslpipe.report.photos import photo_strips
from zslpipe.report.reliability import reliability
from zslpipe.report.semantics import error_by_value, error_summary, worst_attributes
from zslpipe.report.synthetic import synthetic_features
from zslpipe.report.tables import grid, nested_table
from zslpipe.report.training import training_curves
from zslpipe.report.trials import trials_chart, trials_list
from zslpipe.selection import SelectionResult


def run_section(index: int, run: RunContent) -> Markup:
    """The section about one run; `index` determines its colour."""
    return el(
        "section",
        el("h2", el("i", class_=f"swatch {colour_of(index)}"), run.name),
        _notes(run),
        _photos(run) if run.photos else None,
        _classes(run) if any(c.accuracy is not None for c in run.classes) else None,
        _confusion(run.confusion) if run.confusion else None,
        _errors(run.errors) if run.errors else None,
        reliability(run.trust) if run.trust else None,
        [el("h3", "Synthetic features"), synthetic_features(run.synthetic)] if run.synthetic else None,
        el("h3", "Selection"),
        [_selection(seed, choice, seed == min(run.choices)) for seed, choice in run.choices.items()],
        _training(run) if any(run.losses.values()) else None,
        _errors_by_epoch(run) if any(run.errors_by_epoch.values()) else None,
        el("h3", "Provenance"),
        _details("Settings, versions and hashes (run.json)", nested_table(run.about)),
        _details("Provenance of the features (the store)", nested_table(run.store)) if run.store else None,
        class_="run",
    )


def _notes(run: RunContent) -> Markup | None:
    notes = list(run.notes)
    missing = run.without_images
    if missing:
        have, are = ("class has", "is") if len(missing) == 1 else ("classes have", "are")
        names = ", ".join(missing)
        notes.insert(0, f"{len(missing)} {have} no test images and {are} not part of any average: {names}.")
    return el("ul", [el("li", note) for note in notes], class_="notes") if notes else None


def _photos(run: RunContent) -> Markup:
    assert run.photos is not None
    whose = "" if len(run.choices) == 1 else f" Predictions of the first of {len(run.choices)} seeds."
    note = f"The photos on which the head was surest, one per class: correct predictions, then mistakes.{whose}"
    return join(el("h3", "Photos"), _note(note), photo_strips(run.photos))


def _classes(run: RunContent) -> Markup:
    note = "Accuracy in percent among all classes, as in the first row of the results; ticks: without calibration."
    tested = {c.seen for c in run.classes if c.accuracy is not None}
    sides = [class_bars(run.classes, seen) for seen in (False, True) if seen in tested]
    return join(el("h3", "Classes"), _note(note), _halves(*sides))


def _confusion(confusion: Confusion) -> Markup:
    note = (
        "Share of the test images of each class (rows) by predicted class (columns), in percent. Unseen classes are "
        "underlined."
    )
    pairs = [[breakable(true), breakable(other), f"{100 * share:.0f}"] for true, other, share in confusion.pairs]
    table = grid(["true class", "predicted as", "%"], pairs)
    aside = el("div", el("h4", "Most frequent confusions"), table) if pairs else None
    beside = el("div", confusion_map(confusion), aside, class_="beside")
    return join(el("h3", "Most confused classes"), _note(note), beside)


def _errors(errors: SemanticErrors) -> Markup:
    rows, columns = errors.matrix.shape
    note = (
        "Class-averaged squared error between predicted and true semantics, both normalized to unit length. "
        f"Rows are {rows} tested classes (unseen first), columns are {columns} attributes; the largest errors are at "
        "the top and left. r: Pearson correlation of error and semantic value."
    )
    left = el("div", el("h4", "Error by semantic value"), error_by_value(errors))
    right = el(
        "div", el("h4", "Summary"), error_summary(errors), el("h4", "Hardest attributes"), worst_attributes(errors)
    )
    return join(el("h3", "Semantic errors"), _note(note), error_map(errors), _halves(left, right))


def _selection(seed: int, choice: SelectionResult, opened: bool) -> Markup:
    settings = ", ".join(f"{k} = {v}" for k, v in choice.params.items()) or "the head's defaults"
    folds = f"{choice.folds} folds" if choice.folds > 1 else "one fold"
    tried = f"{len(choice.trials)} settings" if len(choice.trials) > 1 else "one setting"
    text = f"Rule {choice.rule}: {tried} tried on {folds}, chosen by {choice.criterion}: {settings}."
    if choice.delta is not None:
        carried = f" ({choice.transfer} transfer)" if choice.transfer else ""
        text += f" Calibration δ\u00a0=\u00a0{choice.delta:.4g}{carried}."
    chart, tried_list = trials_chart(choice), el("div", trials_list(choice))
    inside: Child = _halves(chart, tried_list) if chart else tried_list
    return _details(f"Seed {seed}", join(_note(text), inside), opened)


def _training(run: RunContent) -> Markup:
    text = "Mean of each weighted loss term per epoch, in the final training on all of trainval"
    text += "; one line per seed." if len(run.losses) > 1 else "."
    return join(el("h3", "Training"), _note(text), _halves(*training_curves(run.losses)))


def _errors_by_epoch(run: RunContent) -> Markup:
    text = (
        "Mean and standard deviation of the error matrix on the test images, and r, after every epoch of a training "
        "with the chosen settings; nothing is chosen by it."
    )
    curves = training_curves(run.errors_by_epoch, "The {} by epoch")
    return join(el("h3", "Semantic errors during training"), _note(text), _halves(*curves))


def _details(summary: str, inside: Markup, opened: bool = False) -> Markup:
    return el("details", el("summary", summary), inside, open="" if opened else None)


def _note(text: str) -> Markup:
    return el("p", text, class_="note")


def _halves(*sides: Child) -> Markup:
    return el("div", sides, class_="halves")
