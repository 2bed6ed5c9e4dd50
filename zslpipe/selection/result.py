"""What a selection rule chose, and all that it tried: plain values that go to JSON and come back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Trial:
    """One setting in all folds.

    Attributes:
        setting: hyper-parameters, `epochs` among them where the head trains in epochs.
        value: mean of the criterion over the folds; None where it diverged in one of them.
        folds: what was measured in each fold: T1, AUSUC, best H with its U, S and delta, and `flipped`, the share
            of held-out seen images that this delta calls unseen.
    """

    setting: dict[str, Any]
    value: float | None
    folds: list[dict[str, float]]


@dataclass(frozen=True)
class SelectionResult:
    """The outcome of a selection.

    Attributes:
        rule: name of the selection rule.
        criterion: what it maximised.
        params: the setting it chose.
        delta: calibration for the head as refitted on all of trainval, in units of its scores; None where the
            rule cannot know one.
        deltas: all that were found, by how: "raw" costs nothing where "quantile" is used, and tells what that changed.
        transfer: how delta was carried over from the folds ("raw", "quantile"), None where it was not.
        metrics: means over the folds at the chosen setting.
        trials: every setting tried, in order.
        seed: of folds and held-out images.
        folds: how many folds there were.
    """

    rule: str
    criterion: str
    params: dict[str, Any]
    delta: float | None
    transfer: str | None
    metrics: dict[str, float]
    trials: list[Trial] = field(repr=False)
    seed: int
    folds: int
    deltas: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{**values, "trials": [Trial(**t) for t in values["trials"]]})
