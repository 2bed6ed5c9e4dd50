"""The model card of a run: Markdown with what it is, its numbers with intervals, and what they do not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zslpipe.evaluation.protocol import Result
from zslpipe.evaluation.results_table import result_rows, results_cells, results_note
from zslpipe.serving.predictor import Predictor

WEAKEST = 5  # classes that are listed with their accuracy

UNSAID = (
    "The numbers were measured on the test images of {dataset} alone. Photos of another kind (other cameras, "
    "distances, places, drawings) can be named much worse.",
    "They are averages over classes; some classes are far below them, see the list.",
    "The intervals tell how the numbers vary with seeds and with the choice of classes, not with another dataset.",
    "Unseen means: without training images for this head. The backbone was trained on other images before, which may "
    "have shown some of these classes.",
    "Nothing is known of classes that are added later: how well they are named depends on how well their semantics "
    "describe them, and on how alike the other classes are.",
    "Probabilities were fitted to validation folds of the classes of the run; they are not valid for a list of other "
    "classes, nor for images of none of the classes.",
)


@dataclass(frozen=True)
class Facts:
    """What the card tells.

    Attributes:
        predictor: of the seed that is published.
        seed: its number.
        about: run.json.
        results: test results, one per seed; None if the run has none without an oracle.
        published: sections on the files beside the card, in Markdown.
        tags: further tags for the hub.
    """

    predictor: Predictor
    seed: int
    about: Mapping[str, Any]
    results: Sequence[Result] | None
    published: str
    tags: tuple[str, ...] = ()


def card(facts: Facts) -> str:
    """The card, with the header that the Hugging Face hub reads."""
    about, classes = facts.about, facts.predictor.classes
    tags = [f"- {tag}" for tag in ("zero-shot-learning", *facts.tags)]
    parts = [
        "\n".join(["---", "library_name: zslpipe", "pipeline_tag: image-classification", "tags:", *tags, "---"]),
        f"# {plain(facts.predictor.name)}",
        f"A zero-shot head `{about['head']}` on features of `{about['store']['backbone']}`, trained on "
        f"{plain(about['dataset'])} with the semantics `{plain(about['semantics'])}`. It names images as one of "
        f"{len(classes)} classes, {int(classes.seen.sum())} of which had training images, and as classes that are "
        f"added later, described by the same {classes.semantics.shape[1]} numbers. This is seed {facts.seed} of "
        f"{len(about['seeds'])}.",
        facts.published,
        "## Numbers\n\n" + _numbers(facts),
        "## What the numbers do not say\n\n"
        + "\n".join(f"- {line.format(dataset=plain(about['dataset']))}" for line in UNSAID),
        "## How it was made\n\n" + _made(facts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _numbers(facts: Facts) -> str:
    if facts.results is None:
        return "The run has no test results at a calibration that was chosen without test images."
    rows = result_rows("", list(facts.results), f"{facts.about['selection']} validation")
    cells = [line[1:] for line in results_cells([row for row in rows if not row.oracle])]
    lines = ["| " + " | ".join(map(plain, line)) + " |" for line in cells]
    lines.insert(1, "|" + " --- |" * len(cells[0]))
    tested = [c for c in facts.results[0].classes if c.images]
    mean = {
        c.name: sum(one.accuracy or 0.0 for r in facts.results for one in r.classes if one.name == c.name)
        for c in tested
    }
    weak = sorted(tested, key=lambda c: mean[c.name])[:WEAKEST]
    worst = ", ".join(
        f"{plain(c.name)} ({'seen' if c.seen else 'unseen'}) {100 * mean[c.name] / len(facts.results):.0f} %"
        for c in weak
    )
    note = results_note(rows[:1]).split("; oracle")[0]
    return (
        "\n".join(lines)
        + f"\n\n{note}. T1: unseen images among the unseen classes; U, S: unseen and seen images among all "
        f"classes; H: their harmonic mean.\n\nThe classes with the lowest accuracy: {worst}."
    )


def _made(facts: Facts) -> str:
    about, sure = facts.about, facts.predictor.confidence
    lines = [
        f"Settings and calibration were chosen by `{about['selection']}` validation.",
        f"δ = {facts.predictor.delta or 0.0:.6g} is subtracted from the scores of seen classes.",
    ]
    if sure is not None:
        lines.append(
            f"Probabilities are softmax(scores / {sure.temperature:.6g}); an image whose {sure.certainty} is below "
            f"{sure.threshold:.6g} is called none of the classes."
        )
    versions = ", ".join(f"{name} {number}" for name, number in sorted(about.get("versions", {}).items()))
    return " ".join(lines) + (f"\n\nMade with {versions}." if versions else "")


def plain(text: object) -> str:
    """Text in Markdown as itself: names come from files."""
    signs = "\\`*_{}[]<>#|!~"
    flat = " ".join(str(text).split())
    return "".join(f"\\{sign}" if sign in signs else sign for sign in flat)
