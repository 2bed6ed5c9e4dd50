"""What a selection rule chose and everything it tried, as plain values that can be saved as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from zslpipe.evaluation.confidence import Confidence

UNSURE = 0.02  # of H: with a larger loss from fold to fold, two ways to carry δ over cannot be told apart


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
class LeftOut:
    """What the folds choose without one of them.

    Attributes:
        params: the setting.
        delta: its calibration.
        head: the folder in which the head refitted with this setting is saved; empty if the setting is the chosen one.
    """

    params: dict[str, Any]
    delta: float | None
    head: str = ""


@dataclass(frozen=True)
class Carried:
    """What a matched δ allows for.

    Attributes:
        unseen, unseen_in_folds: numbers of unseen classes, in folds on average.
        scale: how much wider the scores of the refitted head spread than in the folds.
        loss: how much of H a fold loses on average if its δ is the best of the other folds.
    """

    unseen: int
    unseen_in_folds: float
    scale: float
    loss: float


@dataclass(frozen=True)
class SelectionResult:
    """The outcome of a selection.

    Attributes:
        rule: name of the selection rule.
        criterion: what was maximised.
        params: the chosen setting.
        delta: calibration of the refitted head, in units of its scores; None if the rule cannot choose one.
        deltas: delta by each way of carrying it over; the others cost nothing beside the one that is used.
        transfer: how delta was carried over from the folds ("matched", "quantile" or "raw"); None if it was not.
        metrics: means over the folds at the chosen setting.
        trials: every setting tried, in order.
        seed: of the folds and held-out images.
        folds: number of folds.
        confidence: temperature and threshold of "none of these"; None if the rule cannot choose them.
        without: what would have been chosen without each of the folds; empty if the rule does not look.
        carried: what a matched delta allows for; None if there is none.
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
    without: list[LeftOut] = field(default_factory=list, repr=False)
    carried: Carried | None = None

    @property
    def about_delta(self) -> str:
        """A sentence on how delta was carried over from the folds, and what else it could be; empty if it was not."""
        if self.delta is None or self.transfer is None or "raw" not in self.deltas:
            return ""
        raw = f"raw, the best in the folds, {self.deltas['raw']:.3g}"
        if self.transfer != "matched" or self.carried is None:
            others = [f"{name} {delta:.3g}" for name, delta in self.deltas.items() if name != self.transfer]
            return f"δ {self.delta:.3g} ({self.transfer})" + (f"; {', '.join(others)}" if others else "")
        c = self.carried
        doubt = "; so few classes cannot tell which is better" if c.loss > UNSURE else ""
        return (
            f"δ {self.delta:.3g}, matched to {c.unseen} unseen {'class' if c.unseen == 1 else 'classes'} "
            f"({c.unseen_in_folds:.3g} in each fold) and to scores that spread {c.scale:.2f} times as wide; {raw}; "
            f"a fold loses {100 * c.loss:.1f} points of H with the δ of the others{doubt}"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        confidence = values.get("confidence")
        nested = {
            "trials": [Trial(**t) for t in values["trials"]],
            "confidence": None if confidence is None else Confidence(**confidence),
            "without": [LeftOut(**one) for one in values.get("without", ())],
            "carried": None if values.get("carried") is None else Carried(**values["carried"]),
        }
        return cls(**{**values, **nested})
