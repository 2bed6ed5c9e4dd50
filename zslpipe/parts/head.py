"""What every head answers to: scikit-learn's habits, for any list of classes."""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from zslpipe.errors import InputError
from zslpipe.files import atomic_write
from zslpipe.parts.settings import check_settings
from zslpipe.registry import Registry, unknown
from zslpipe.store.rows import Features

HEADS: Registry[type["Head"]] = Registry("head", "zslpipe.heads")


@dataclass(frozen=True)
class Attributes:
    """What is known of the semantics' columns: their names (A,) and, for attention, word vectors (A, W)."""

    names: tuple[str, ...]
    vectors: np.ndarray | None = None


class Head(ABC):
    """A zero-shot classifier: subclasses are dataclasses whose fields are the hyper-parameters.

    Fitted state lives in attributes that end in an underscore. `labels` index the rows of `semantics`; classes
    that no label names may stand in `semantics` during `fit` (unseen ones: heads that use them say so).
    """

    name: ClassVar[str]
    taps: ClassVar[tuple[str, ...]] = ("global",)  # what it cannot do without
    optional_taps: ClassVar[tuple[str, ...]] = ()  # what it uses where the store has it

    @classmethod
    def search_space(cls) -> Sequence[Mapping[str, Any]]:
        """The settings that selection tries unless the user names them; of equally good ones the first is taken."""
        return ({},)

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        """The taps that this head will read, of those that a store has.

        Raises:
            InputError: where it cannot do with them.
        """
        missing = [tap for tap in self.taps if tap not in available]
        if missing:
            has = ", ".join(available) or "none"
            raise InputError(
                f"{self.name} needs the features '{missing[0]}', but there are only {has}: "
                f"extract with --taps {','.join(self.taps)} or take another head."
            )
        return (*self.taps, *(tap for tap in self.optional_taps if tap in available and tap not in self.taps))

    @abstractmethod
    def fit(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None = None,
    ) -> Self:
        """Learn from features of N images, labels (N,) and semantics (C, A); returns itself."""

    @abstractmethod
    def decision_function(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """Scores (N, C) float32 of the images for the classes that `semantics` (C, A) describes."""

    def predict(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N,) the row of `semantics` that scores best."""
        return self.decision_function(features, semantics).argmax(1)

    def fit_candidates(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None = None,
        candidates: Sequence[Mapping[str, Any]] = ({},),
    ) -> Iterator[tuple[dict[str, Any], "Head"]]:
        """Fit every candidate setting and yield (setting, fitted head), in order.

        Heads that can share work between settings override it; heads that train in epochs also yield after each
        epoch, with `epochs` in the setting. A yielded head is only good until the next one is asked for.
        """
        for candidate in candidates:
            head = self.with_params(**candidate)
            yield dict(candidate), head.fit(features, labels, semantics, attributes)

    def __post_init__(self) -> None:
        check_settings(type(self), self.get_params())

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The hyper-parameters by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def set_params(self, **params: Any) -> Self:
        """Set hyper-parameters in place.

        Raises:
            InputError: for a name that this head does not have, or a value that it cannot be.
        """
        for key, value in params.items():
            if key not in self.get_params():
                raise unknown(f"setting of {self.name}", key, self.get_params())
            check_settings(type(self), {key: value})
            setattr(self, key, value)
        return self

    def with_params(self, **params: Any) -> Self:
        """An unfitted copy with other hyper-parameters."""
        return replace(self).set_params(**params)  # type: ignore[type-var]

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """The fitted arrays by name, from which `load_state` can restore the head."""

    @abstractmethod
    def load_state(self, state: Mapping[str, np.ndarray]) -> Self:
        """Become fitted from what `state` gave."""

    def record(self) -> dict[str, Any]:
        """What is worth keeping of how it was fitted, beside what it needs: JSON."""
        return {}

    def save(self, folder: Path) -> None:
        """Write head.safetensors and head.json (the latter last: its presence means that both are whole)."""
        from safetensors.numpy import save

        with atomic_write(folder / "head.safetensors") as stream:
            stream.write(save({k: np.require(v, requirements="C") for k, v in self.state().items()}))
        with atomic_write(folder / "head.json") as stream:
            about = {"head": self.name, "params": self.get_params(), **self.record()}
            stream.write(json.dumps(about, indent=1).encode())


def register(name: str) -> Any:
    """Class decorator: put a head under its name into `HEADS`."""

    def add(cls: type[Head]) -> type[Head]:
        cls.name = name
        return HEADS.register(name)(cls)

    return add


def load_head(folder: Path) -> Head:
    """Read back a head that `Head.save` wrote.

    Raises:
        InputError: where the folder holds no whole head.
    """
    from safetensors.numpy import load_file

    try:
        about = json.loads((folder / "head.json").read_text())
        state = load_file(folder / "head.safetensors")
    except Exception as problem:
        raise InputError(f"{folder} holds no whole head ({problem}): train it again.") from problem
    return HEADS[about["head"]](**about["params"]).load_state(state)
