"""The interface of every head: scikit-learn's conventions, for any list of classes."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from zslpipe.errors import InputError, NotFittedError
from zslpipe.files import atomic_write, sha256_json, write_text
from zslpipe.parts.check import check_scoring, check_semantics, check_training
from zslpipe.parts.problem import Attributes, Classes, Problem, TrainingData
from zslpipe.parts.settings import check_settings
from zslpipe.registry import Registry, unknown
from zslpipe.store.rows import Features
from zslpipe.store.sealed import sum_of

if TYPE_CHECKING:  # closed forms do without torch until they are exported
    from torch import nn

HEADS: Registry[type["Head"]] = Registry("head", group="zslpipe.heads")
FORMAT = 2  # of saved heads

Setting = Mapping[str, Any]  # hyper-parameters by name
Scorer = Callable[[Features], np.ndarray]  # the features of N images to scores (N, C) float32


class Head(ABC):
    """A zero-shot classifier: subclasses are dataclasses whose fields are the hyper-parameters.

    A subclass implements `learn`, `scorer`, `state` and `load_state`; users call `fit`, `bind`, `decision_function` and
    `predict`, which check their input. Fitted attributes end in an underscore. `labels` index the rows of `semantics`;
    rows without labels are unseen classes (heads that use their semantics in training say so).
    """

    name: ClassVar[str]
    taps: ClassVar[tuple[str, ...]] = ("global",)  # required
    optional_taps: ClassVar[tuple[str, ...]] = ()  # used if the store has them
    separate_zsl: ClassVar[bool] = False  # scores among unseen classes come from binding only them
    renamed: ClassVar[Mapping[str, str]] = {}  # former to current names of settings
    implied: ClassVar[Mapping[str, Any]] = {}  # settings of saved heads that are too old to name them

    problem_: Problem

    @classmethod
    def search_space(cls) -> Sequence[Setting]:
        """The settings that selection tries unless the user fixes them; ties go to the first."""
        return ({},)

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        """The taps that this head reads, out of those that a store has.

        Raises:
            InputError: if a required one is missing.
        """
        missing = [tap for tap in self.taps if tap not in available]
        if missing:
            has = ", ".join(available) or "none"
            raise InputError(
                f"{self.name} needs the features '{missing[0]}', but there are only {has}: "
                f"extract with --taps {','.join(self.taps)} or use another head."
            )
        return (*self.taps, *(tap for tap in self.optional_taps if tap in available and tap not in self.taps))

    # --- fitted ---

    def fit(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None = None,
    ) -> Self:
        """Learn from N images; returns itself.

        Args:
            features: tap name to rows (N, ...).
            labels: (N,) rows of `semantics`.
            semantics: (C, A), one row per class.
            attributes: names and word vectors of the columns of `semantics`, for heads that use them.

        Raises:
            InputError: if lengths, widths or ranges do not fit, or a value is not finite.
        """
        data = check_training(features, labels, semantics, attributes)
        self._pose(data).learn(data)
        return self

    def fit_candidates(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None = None,
        candidates: Sequence[Setting] = ({},),
    ) -> Iterator[tuple[dict[str, Any], "Head"]]:
        """Fit every candidate setting and yield (setting, fitted head), in order.

        Heads that can share work between settings do; heads that train in epochs also yield after each epoch, with
        `epochs` in the setting. A yielded head is only valid until the next one is requested.
        """
        return self.learn_candidates(check_training(features, labels, semantics, attributes), candidates)

    def _pose(self, data: TrainingData) -> Self:
        """Set `problem_` from the shapes of the data."""
        self.problem_ = Problem.of(data, self.choose_taps(tuple(data.features), data.attributes))
        return self

    @abstractmethod
    def learn(self, data: TrainingData) -> None:
        """Fit the head; `problem_` is already set."""

    def learn_candidates(
        self, data: TrainingData, candidates: Sequence[Setting]
    ) -> Iterator[tuple[dict[str, Any], "Head"]]:
        """See `fit_candidates`."""
        for candidate in candidates:
            head = self.with_params(**candidate)._pose(data)
            head.learn(data)
            yield dict(candidate), head

    # --- scores ---

    def bind(self, classes: Classes | np.ndarray) -> Scorer:
        """Do the work that is needed once per list of classes, and return the function that scores images for them.

        Args:
            classes: C classes, or only their semantics (C, A), which makes all of them unseen.

        Raises:
            NotFittedError: before `fit`.
            InputError: if the semantics are not finite or do not match those of training.
        """
        problem = self.fitted_problem
        given = classes if isinstance(classes, Classes) else Classes(classes, np.zeros(len(classes), bool))
        score = self.scorer(replace(given, semantics=self.check_semantics(given.semantics)))

        def checked(features: Features) -> np.ndarray:
            check_scoring(self.name, problem, features)
            return score(features)

        return checked

    @property
    def fitted_problem(self) -> Problem:
        """The problem that the head was fitted to; raises `NotFittedError` before `fit`."""
        if not hasattr(self, "problem_"):
            raise NotFittedError(f"{self.name} is not fitted: call fit first.")
        return self.problem_

    def check_semantics(self, semantics: np.ndarray) -> np.ndarray:
        """Semantics (C, A) as float32, checked to be finite and as wide as in training."""
        semantics, width = check_semantics(semantics), self.fitted_problem.attributes
        if semantics.shape[1] != width:
            raise InputError(
                f"{self.name} was trained with {width} semantics per class, not {semantics.shape[1]}: "
                "describe the classes by the same semantics as in training."
            )
        return semantics

    @abstractmethod
    def scorer(self, classes: Classes) -> Scorer:
        """See `bind`."""

    def decision_function(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """Scores (N, C) float32 of images for the classes with these `semantics` (C, A)."""
        return self.bind(semantics)(features)

    def predict(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N,) the row of `semantics` with the best score."""
        return self.decision_function(features, semantics).argmax(1)

    def graph(self) -> "nn.Module":
        """The scores as a torch module without loops or branches over its inputs, for export.

        It maps features {tap: (B, ...) float32}, semantics (C, A) and seen (C,) bool to scores (B, C), for any B and C.

        Raises:
            InputError: if the head's scores cannot be written like this.
        """
        raise InputError(f"{self.name} cannot be exported, since it has no graph of its scores: export another head.")

    # --- hyper-parameters ---

    def __post_init__(self) -> None:
        check_settings(type(self), self.get_params())

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The hyper-parameters by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def set_params(self, **params: Any) -> Self:
        """Set hyper-parameters in place.

        Raises:
            InputError: for an unknown name, or a value out of range.
        """
        for key, value in params.items():
            if key in self.renamed:
                raise InputError(f"the setting '{key}' of {self.name} is now called '{self.renamed[key]}'.")
            if key not in self.get_params():
                raise unknown(f"setting of {self.name}", key, self.get_params())
            check_settings(type(self), {key: value})
            setattr(self, key, value)
        return self

    def with_params(self, **params: Any) -> Self:
        """An unfitted copy with other hyper-parameters."""
        return replace(self).set_params(**params)  # type: ignore[type-var]

    # --- saved ---

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """The fitted arrays by name, from which `load_state` can restore the head."""

    @abstractmethod
    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the fitted head from the arrays of `state`; `problem_` is already set."""

    def record(self) -> dict[str, Any]:
        """Details of the fit to save with the head, as JSON; `notes` are short sentences that commands print."""
        return {}

    @classmethod
    def upgrade(cls, about: dict[str, Any], state: dict[str, np.ndarray]) -> Problem:
        """The problem of a head saved in format 1, which did not record it."""
        raise InputError(f"this {cls.name} was saved by an older version: train it again.")

    def save(self, folder: Path) -> None:
        """Write head.safetensors and head.json (the latter last: if it exists, both are complete).

        The latter contains the checksums of both.
        """
        from safetensors.numpy import save

        with atomic_write(folder / "head.safetensors") as stream:
            stream.write(save({k: np.require(v, requirements="C") for k, v in self.state().items()}))
        about = {"format": FORMAT, "head": self.name, "params": self.get_params(), "problem": self.problem_.to_json()}
        weights = {"weights": list(sum_of(folder / "head.safetensors"))}
        plain = json.loads(json.dumps({**about, **self.record(), **weights}))
        write_text(folder / "head.json", json.dumps({**plain, "sha256": sha256_json(plain)}, indent=1))


def register(name: str) -> Any:
    """Class decorator: register a head in `HEADS` under its name."""

    def add(cls: type[Head]) -> type[Head]:
        cls.name = name
        return HEADS.register(name)(cls)

    return add
