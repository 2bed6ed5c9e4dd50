"""What a selection rule chose and everything it tried, as plain values that can be saved as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from zslpipe.evaluation.confidence import Confidence


@dataclass(frozen=True)
class Trial:
    """One setting, measured in all folds.

    Attributes:
        setting: hyper-parameters, including `epochs` if the head trains in epochs.
        value: mean of the criterion over the folds; None if the head diverged in one of them.
        folds: for each fold T1, AUSUC, the best H with its U, S and delta, and `flipped`, the share of held-out seen
            images that this delta turns into unseen predictions.
    """

    setting: dict[str, Any]
    value: float | None
    folds: list[dict[str, float]]


@dataclass(frozen=True)
class SelectionResult:
    """The outcome of a selection.

    Attributes:
        rule: name of the selection rule.
        criterion: what was maximised.
        params: the chosen setting.
        delta: calibration of the refitted head, in units of its scores; None if the rule cannot choose one.
        deltas: delta by each way of carrying it over: "raw" costs nothing beside "quantile", and allows a comparison.
        transfer: how delta was carried over from the folds ("raw" or "quantile"); None if it was not.
        metrics: means over the folds at the chosen setting.
        trials: every setting tried, in order.
        seed: of the folds and held-out images.
        folds: number of folds.
        confidence: temperature and threshold of "none of these"; None if the rule cannot choose them.
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
    confidence: Confidence | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        confidence = values.get("confidence")
        nested = {
            "trials": [Trial(**t) for t in values["trials"]],
            "confidence": None if confidence is None else Confidence(**confidence),
        }
        return cls(**{**values, **nested})
