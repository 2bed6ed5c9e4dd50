"""The page: one drops a picture and sees its classes, attributes and attention maps, and adds classes in words."""

from collections.abc import Sequence

from zslpipe.report.markup import Child, Markup, el, join
from zslpipe.serving.described import example_sentence
from zslpipe.serving.predictor import Predictor


def page(predictor: Predictor) -> Markup:
    """The HTML; its style and script are files of the same server, and nothing comes from elsewhere."""
    classes = predictor.classes
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{predictor.name} · zslpipe"),
        el("link", rel="icon", href="data:,"),
        el("link", rel="stylesheet", href="/page.css"),
        el("script", "", src="/page.js", defer=""),
    )
    seen = int(classes.seen.sum())
    lead = (
        f"{len(classes)} classes, {seen} seen in training and {len(classes) - seen} unseen. Pictures and added classes "
        "stay in this page: the server keeps nothing."
    )
    body = el(
        "body",
        el("header", el("h1", predictor.name), el("p", lead, class_="lead")),
        el("noscript", el("p", "This page needs JavaScript; ", _docs(), " shows how to ask without it.")),
        el("main", _drop(), _result(), _add(classes.attribute_names, predictor.encode is not None), class_="serve"),
        el("footer", el("p", "The same as JSON: ", _docs(), ".", class_="note")),
    )
    return join(Markup("<!doctype html>\n"), el("html", head, body, lang="en"))


def _docs() -> Markup:
    return el("a", "/docs", href="/docs")


def _drop() -> Markup:
    label = el(
        "label",
        el("input", type="file", id="file", accept="image/*"),
        el("img", id="preview", alt="the picture", hidden=""),
        el("span", el("b", "Drop a picture here"), " or choose one; pasting works too.", id="hint"),
        id="drop",
    )
    status = el("p", "", id="status", class_="note", role="status")
    return el("section", el("h2", "Picture"), label, status, class_="picture")


def _add(names: Sequence[str], words: bool) -> Markup:
    """The form for a class in words: a sentence alone if the semantics come from `words`."""
    attributes = el(
        "details",
        el("summary", "Attributes one by one"),
        el("div", _field("attribute", "Attribute", "text", list="attributes"), _value(), class_="pair"),
        el("button", "Set", type="button", id="set"),
        el("ul", id="values", class_="chips"),
        el("datalist", id="attributes"),
    )
    example = "a small bird with a red bill" if words else example_sentence(names)
    sentence = el("textarea", "", id="sentence", rows=2, maxlength=1000, placeholder=example)
    like = el("label", "Most like", el("select", el("option", "none in particular", value=""), id="like"))
    form = el(
        "form",
        _field("name", "Name", "text", required="", maxlength=100),
        None if words else like,
        el("label", "In a sentence", sentence),
        None if words else attributes,
        el("button", "Add the class", type="submit"),
        el("p", "", id="understood", class_="note", role="status"),
        id="add",
    )
    by = "a sentence, or by its name alone" if words else "words that occur in its attributes"
    rest = "" if words else " What is not said is as in the class that it is most like, or as in the mean of all."
    note = el("p", f"A class that the run has never seen, described by {by}.{rest}", class_="note")
    return el("section", el("h2", "Add a class"), note, form, el("ul", id="added", class_="chips"), class_="add")


def _field(name: str, text: str, kind: str, **more: str | float) -> Markup:
    return el("label", text, el("input", type=kind, id=name, autocomplete="off", **more))


def _value() -> Markup:
    return el("label", el("span", "Value ", el("output", "", id="shown")), el("input", type="range", id="value"))


def _result() -> Markup:
    parts: list[Child] = [
        el("h2", "Classes"),
        el("p", "Nothing yet.", id="verdict", class_="note"),
        el("table", el("tbody", id="classes"), class_="bars"),
        el("h3", "", id="why"),
        el("table", el("tbody", id="terms"), class_="bars"),
        el("p", "", id="why-note", class_="note"),
        el("h3", "", id="where"),
        el("div", id="maps", class_="photos"),
    ]
    return el("section", parts, class_="result", aria_live="polite")
