"""Selection: which images choose settings, epochs and the calibration."""

from zslpipe.selection import rules  # noqa: F401  (registers the rules)
from zslpipe.selection.fitting import fit
from zslpipe.selection.result import SelectionResult, Trial
from zslpipe.selection.selection import SELECTIONS, Selection, selection_rule

__all__ = ["SELECTIONS", "Selection", "SelectionResult", "Trial", "fit", "selection_rule"]
