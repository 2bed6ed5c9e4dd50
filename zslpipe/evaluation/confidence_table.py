"""How far probabilities can be trusted, as a text table."""

from collections.abc import Mapping

from zslpipe.evaluation.confidence import Reliability

NOTE = (
    "percent, on test images; ECE: mean gap between probability and accuracy, before (temperature 1) and after the\n"
    'validated temperature; AUROC of "none of these": unseen images whose class is hidden, against all images;\n'
    "accepted, rejected: shares of the images of known and of hidden classes, at the validated threshold"
)


def confidence_text(runs: Mapping[str, Reliability]) -> str:
    """One line per run, with a note on how to read it."""
    cells = [["confidence", "temperature", "ECE before", "ECE after", "AUROC", "accepted", "rejected"]]
    for name, r in runs.items():
        numbers = (r.ece_uncalibrated, r.ece, r.auroc, r.accepted, r.rejected)
        cells.append([name, f"{r.temperature:.3g}", *("-" if n is None else f"{100 * n:.1f}" for n in numbers)])
    first, *others = [max(map(len, column)) for column in zip(*cells)]
    lines = [[c[0].ljust(first), *(text.rjust(width) for text, width in zip(c[1:], others))] for c in cells]
    return "\n".join([*map("  ".join, lines), NOTE])
