"""What heads trained by gradient share: a module, the loop over cached features, scores in batches, named state."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from zslpipe.devices import pick_device
from zslpipe.errors import InputError
from zslpipe.files import sha256_json
from zslpipe.parts.head import Attributes, Head
from zslpipe.parts.placed import Placed, read
from zslpipe.parts.settings import Count, NonNegative, Positive, Share, Whole
from zslpipe.progress import ticking
from zslpipe.store.rows import Features, Rows
from zslpipe.training import ClassBalanced, Episodes, Epoch, OwnRandom, Shuffled, checkpoint_for, train

ELEMENTS = 2**25  # feature values scored at a time

Inputs = Mapping[str, Tensor]  # a batch: tap name to (B, ...) float32


@dataclass(frozen=True)
class Task:
    """What a head is trained on besides features, as tensors on its device."""

    semantics: Tensor  # (C, A) all classes given to `fit`
    seen: Tensor  # (S,) those that labels name; batches count labels along this list
    attributes: Attributes | None

    @property
    def seen_semantics(self) -> Tensor:
        return self.semantics[self.seen]

    @property
    def words(self) -> Tensor:
        """(A, W) word vectors of the attributes."""
        assert self.attributes is not None
        return torch.as_tensor(self.attributes.vectors, dtype=torch.float32, device=self.semantics.device)


@dataclass
class TorchHead(Head):
    """A head that learns by gradient descent. A subclass says what its module is and what its loss terms are.

    The learning rate knows nothing of how many epochs there will be, so training for n epochs gives the same
    weights as stopping a longer training after n; that is what lets `path` offer every epoch.
    """

    only_in_training: ClassVar[tuple[str, ...]] = ()  # beginnings of the names of tensors that scores do not need

    epochs: Count = 20
    batch: Count = 64
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    momentum: Share = 0.9  # sgd's
    weight_decay: NonNegative = 1e-5
    decay_every: Whole = 0  # epochs after which the learning rate is multiplied by `decay`; 0 for never
    decay: Positive = 0.5
    sampling: Literal["shuffle", "episodes", "balanced"] = "shuffle"  # episodes are of ways x shots
    ways: Count = 16
    shots: Count = 2
    episodes: Whole = 0  # episodes an epoch; 0 for as many as draw the number of training images
    seed: Whole = 0
    device: str = "auto"  # cpu, cuda, cuda:N; auto takes a GPU where there is one
    precision: Literal["float32", "bfloat16"] = "float32"  # of training steps; bfloat16 for autocast

    @abstractmethod
    def build(self, sizes: Mapping[str, int]) -> nn.Module:
        """The untrained module. `sizes`: attributes, words (0 without word vectors) and the widths of taps."""

    @abstractmethod
    def terms(self, module: nn.Module, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        """The weighted loss terms of a batch with labels (B,) into `task.seen`."""

    @abstractmethod
    def scores(self, module: nn.Module, inputs: Inputs, semantics: Tensor) -> Tensor:
        """(B, C) scores of a batch for the classes that `semantics` (C, A) describes."""

    def prepare(self, module: nn.Module, features: Placed, task: Task) -> None:
        """Set what the module takes from the training data without learning it (buffers)."""

    def parameters(self, module: nn.Module) -> Any:
        """What the optimiser is given: parameters, or groups of them with settings of their own."""
        return [p for p in module.parameters() if p.requires_grad]

    def fit(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None = None,
    ) -> Self:
        for epoch in self._train(features, labels, semantics, attributes, progress=True):
            self.history_ = epoch.history
        return self

    def record(self) -> dict[str, Any]:
        """The mean of every loss term in every epoch of `fit`."""
        history: Sequence[Mapping[str, float]] = getattr(self, "history_", ())
        return {"losses": {name: [epoch[name] for epoch in history] for name in (history[0] if history else ())}}

    def fit_candidates(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None = None,
        candidates: Sequence[Mapping[str, Any]] = ({},),
    ) -> Iterator[tuple[dict[str, Any], Head]]:
        """One training a setting, yielding after every epoch; settings that differ in `epochs` alone share theirs."""
        longest: dict[str, dict[str, Any]] = {}
        for candidate in candidates:
            rest = {k: v for k, v in candidate.items() if k != "epochs"}
            epochs = max(candidate.get("epochs", self.epochs), longest.get(repr(rest), {}).get("epochs", 0))
            longest[repr(rest)] = {**rest, "epochs": epochs}
        for setting in longest.values():
            head = self.with_params(**setting)
            for epoch in head._train(features, labels, semantics, attributes):
                stopped = {**setting, "epochs": epoch.number}
                fitted = head.with_params(**stopped)
                fitted.module_, fitted.sizes_, fitted.taps_ = head.module_, head.sizes_, head.taps_
                yield stopped, fitted

    def _train(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None,
        progress: bool = False,
    ) -> Iterator[Epoch]:
        device = pick_device(self.device)
        self.taps_ = self.choose_taps(tuple(features), attributes)
        self.sizes_ = sizes_of({tap: features[tap] for tap in self.taps_}, semantics, attributes)
        seen, labels = np.unique(labels, return_inverse=True)
        random = OwnRandom(self.seed, device)
        with random.active():
            self.module_ = self.build(self.sizes_).to(device)
        task = Task(
            torch.tensor(semantics, dtype=torch.float32, device=device), torch.tensor(seen).to(device), attributes
        )
        placed = Placed(features, self.taps_, device)
        self.prepare(self.module_, placed, task)
        on_device = torch.from_numpy(labels).to(device)
        cast = torch.autocast(device.type, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()

        def terms(index: np.ndarray) -> dict[str, Tensor]:
            with cast:
                return self.terms(self.module_, placed[index], on_device[torch.from_numpy(index).to(device)], task)

        batches = self._batches(labels)
        identity = self._identity(features, labels, semantics, attributes)
        with ticking(f"training {self.name}", self.epochs * len(batches)) if progress else nullcontext() as ticker:
            yield from train(
                self.module_,
                terms,
                batches,
                self._optimiser(),
                self.epochs,
                random=random,
                schedule=lambda epoch: self.decay ** (epoch // self.decay_every) if self.decay_every else 1.0,
                checkpoint=checkpoint_for(identity, keep_epochs=not progress),
                ticker=ticker,
            )

    def decision_function(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        self.check_semantics(semantics)
        device = next(self.module_.parameters()).device
        described = torch.tensor(semantics, dtype=torch.float32, device=device)
        return self.in_batches(features, lambda inputs: self.scores(self.module_, inputs, described))

    def check_semantics(self, semantics: np.ndarray) -> None:
        """Raise `InputError` unless these are semantics (C, A) of the kind that the head was trained with."""
        if semantics.shape[1] != self.sizes_["attributes"]:
            raise InputError(
                f"{self.name} was trained with {self.sizes_['attributes']} semantics a class, asked with "
                f"{semantics.shape[1]}: give the classes the same semantics as in training."
            )

    def in_batches(self, features: Features, compute: Callable[[Inputs], Tensor]) -> np.ndarray:
        """What `compute` makes of all images, a batch at a time: (N, ...) float32."""
        device = next(self.module_.parameters()).device
        rows = {tap: features[tap] for tap in self.taps_}
        count = len(next(iter(rows.values())))
        step = max(1, ELEMENTS // max(int(np.prod(r.shape[1:])) for r in rows.values()))
        done = []
        with torch.inference_mode():
            for start in range(0, max(count, 1), step):  # once where there is no image, for the shape
                part = slice(start, min(start + step, count))
                inputs = {tap: read(r, part, device).float() for tap, r in rows.items()}
                done.append(compute(inputs).float().cpu().numpy())
        return np.concatenate(done)

    def state(self) -> dict[str, np.ndarray]:
        """The module's tensors by name, and the sizes that it was built with."""
        sizes = {f"sizes.{name}": np.array(size) for name, size in self.sizes_.items()}
        tensors = {k: v.detach().cpu().numpy() for k, v in self.module_.state_dict().items()}
        return sizes | {k: v for k, v in tensors.items() if not k.startswith(self.only_in_training)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> Self:
        self.sizes_ = {k.removeprefix("sizes."): int(v) for k, v in state.items() if k.startswith("sizes.")}
        self.taps_ = tuple(k.removeprefix("tap.") for k in self.sizes_ if k.startswith("tap."))
        with OwnRandom(0).active():  # building draws weights: leave the caller's random numbers alone
            self.module_ = self.build(self.sizes_)
        tensors = {k: torch.tensor(v) for k, v in state.items() if not k.startswith("sizes.")}
        missing = self.module_.load_state_dict(tensors, strict=False).missing_keys
        if lost := [k for k in missing if not k.startswith(self.only_in_training)]:
            raise InputError(f"the state of {self.name} lacks '{lost[0]}': train it again.")
        self.module_.to(pick_device(self.device)).eval()
        return self

    def _batches(self, labels: np.ndarray) -> Shuffled | Episodes | ClassBalanced:
        if self.sampling == "shuffle":
            return Shuffled(len(labels), self.batch, self.seed)
        if self.sampling == "episodes":
            return Episodes(labels, self.ways, self.shots, self.seed, self.episodes or None)
        return ClassBalanced(labels, self.batch, self.seed)

    def _optimiser(self) -> Optimizer:
        groups = self.parameters(self.module_)
        settings: dict[str, Any] = {"lr": self.learning_rate, "weight_decay": self.weight_decay, "fused": True}
        if self.optimiser == "sgd":
            return SGD(groups, momentum=self.momentum, **settings)
        return (Adam if self.optimiser == "adam" else AdamW)(groups, **settings)

    def _identity(
        self, features: Features, labels: np.ndarray, semantics: np.ndarray, attributes: Attributes | None
    ) -> str:
        """A hash of all that decides how the training goes; of the features a few rows stand for all."""
        digest = hashlib.sha256(sha256_json([self.name, self.get_params(), self.sizes_]).encode())
        probe = np.unique(np.linspace(0, len(labels) - 1, 8).astype(int))
        arrays = [labels, semantics, *(features[tap][probe] for tap in self.taps_)]
        if attributes is not None and attributes.vectors is not None:
            arrays.append(attributes.vectors)
        for array in arrays:
            digest.update(f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def sizes_of(taps: Mapping[str, Rows], semantics: np.ndarray, attributes: Attributes | None) -> dict[str, int]:
    """What a module must know to be built: `classes` (all that `fit` is told of), `attributes`, `words` and, a tap,
    `tap.NAME`, the width of its vectors."""
    words = 0 if attributes is None or attributes.vectors is None else attributes.vectors.shape[1]
    sizes = {"classes": len(semantics), "attributes": semantics.shape[1], "words": words}
    return {**sizes, **{f"tap.{t}": r.shape[-1] for t, r in taps.items()}}
