"""How far probabilities can be trusted, as a text table."""

from collections.abc import Mapping

from zslpipe.evaluation.confidence import Reliability
from zslpipe.evaluation.results_table import plain_lines

NOTE = (
    "percent, on test images; ECE: mean gap between probability and accuracy, before (temperature 1) and after the\n"
    'validated temperature; AUROC of "none of these": unseen images whose class is hidden, against all images;\n'
    "accepted, rejected: shares of the images of known and of hidden classes, at the validated threshold"
)


def confidence_text(runs: Mapping[str, Reliability]) -> str:
    """One line per run, with a note on how to read it."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("confidence", "temperature", "ECE before", "ECE after", "AUROC", "accepted", "rejected"):
        table.add_column(column, justify="left" if column == "confidence" else "right")
    for name, r in runs.items():
        numbers = (r.ece_uncalibrated, r.ece, r.auroc, r.accepted, r.rejected)
        table.add_row(name, f"{r.temperature:.3g}", *("-" if n is None else f"{100 * n:.1f}" for n in numbers))
    return "\n".join([*plain_lines(table), NOTE])
