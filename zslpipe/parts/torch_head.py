"""Base of heads trained by gradient descent: a module, stages of training, scores in batches, named state."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zslpipe.devices import pick_device
from zslpipe.errors import InputError
from zslpipe.files import sha256_json
from zslpipe.parts.descent_settings import DescentSettings
from zslpipe.parts.fine_tuning import MADE, SCORED, SOURCES, FineTuningSettings, Tuning, image_spec
from zslpipe.parts.head import Head, Scorer, Setting
from zslpipe.parts.problem import Classes, Problem, TrainingData, spec_of
from zslpipe.parts.task import Inputs, Task
from zslpipe.progress import ticking
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import IMAGE, Features
from zslpipe.training import (
    At,
    Batch,
    Descent,
    Epoch,
    OwnRandom,
    RowBatches,
    Stage,
    Stops,
    checkpoint_for,
    train,
)
from zslpipe.training.placed import Placed, free_bytes, read

ELEMENTS = 2**25  # feature values scored at a time,
NEEDED = 64  # if memory has this many bytes for each: the values, and what a head makes of them

M = TypeVar("M", bound=nn.Module)


class _Trained(Head, Generic[M]):
    """Fitted state, kept out of the dataclass, whose annotations are hyper-parameters."""

    module_: M
    history_: dict[str, Sequence[Mapping[str, float]]]  # the losses of every epoch, by stage
    tuning_: Tuning | None = None  # what makes the module's inputs; its trained layers are the module's child "tail"


@dataclass
class TorchHead(DescentSettings, FineTuningSettings, _Trained[M]):
    """A head that learns by gradient descent: a subclass defines its module and its loss terms.

    By default it has one stage, whose learning rate does not depend on the number of epochs: training for n epochs
    gives the same weights as stopping a longer training after n, which lets selection stop at any epoch. A head with
    several stages, or with its own learner, overrides `stages`.
    """

    only_in_training: ClassVar[tuple[str, ...]] = ()  # prefixes of the names of tensors that scoring does not need
    length: ClassVar[str] = "epochs"  # the setting for the length of the last stage

    @abstractmethod
    def build(self, problem: Problem) -> M:
        """The untrained module."""

    @abstractmethod
    def terms(self, module: M, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        """The weighted loss terms of a batch with labels (B,) into `task.seen`."""

    @abstractmethod
    def scores(self, module: M, inputs: Inputs, encoded: Any) -> Tensor:
        """(B, C) scores of a batch for the classes that `encode` encoded."""

    def encode(self, module: M, semantics: Tensor) -> Any:
        """The part of scoring that is computed once per list of classes, from their semantics (C, A)."""
        return semantics

    def prepare(self, module: M, rows: Placed, task: Task) -> None:
        """Set the module's buffers from the training data."""

    def parameters(self, module: M) -> Any:
        """The optimiser's parameters, or parameter groups with their own settings."""
        return [p for p in module.parameters() if p.requires_grad]

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        """The stages of training on rows with labels (N,) into `task.seen`, run one after another."""
        yield self.descent("", rows, labels, task, self.epochs)

    def descent(
        self,
        name: str,
        rows: Placed,
        labels: Tensor,
        task: Task,
        epochs: int,
        stops: Stops = "every",
        *,
        loss: Callable[[Batch, At], dict[str, Tensor]] | None = None,
        parameters: Any = None,
    ) -> Stage[Any]:
        """A stage with one optimiser, by default for all `parameters` and on the head's `terms`."""
        cast = self.cast(task.semantics.device)

        def terms(batch: Batch, at: At) -> dict[str, Tensor]:
            with cast:
                return loss(batch, at) if loss else self.terms(self.module_, batch.inputs, batch.labels, task)

        parameters = self.parameters(self.module_) if parameters is None else parameters
        learner = Descent(self.module_, self._optimiser(parameters), terms, self.rate)
        batches = RowBatches(rows, labels, self.sampler(labels.cpu().numpy()))
        return Stage(name, learner, batches, epochs, stops)

    # --- training ---

    def learn(self, data: TrainingData) -> None:
        for _ in self._train(data, progress=True):
            pass

    def record(self) -> dict[str, Any]:
        """The mean of every loss term in every epoch of `fit`, by stage and term."""
        curves: dict[str, list[float]] = {}
        for stage, history in getattr(self, "history_", {}).items():
            terms = dict.fromkeys(term for epoch in history for term in epoch)
            curves |= {f"{stage}: {term}" if stage else term: [e[term] for e in history if term in e] for term in terms}
        return {"losses": curves}

    def learn_candidates(
        self, data: TrainingData, candidates: Sequence[Setting]
    ) -> Iterator[tuple[dict[str, Any], Head]]:
        """One training per setting; settings that differ only in length share one if their last stage allows it."""
        default = getattr(self, self.length)
        lengths: dict[str, tuple[dict[str, Any], list[int]]] = {}
        for candidate in candidates:
            rest = {k: v for k, v in candidate.items() if k != self.length}
            lengths.setdefault(repr(rest), (rest, []))[1].append(candidate.get(self.length, default))
        for rest, wanted in lengths.values():
            for length in sorted(set(wanted), reverse=True):
                shared = False
                head = self.with_params(**rest, **{self.length: length})._pose(data)
                for stage, epoch in head._train(data):
                    shared = shared or stage.stops == "every"
                    if not stage.may_stop(epoch.number):
                        continue
                    stopped = {**rest, self.length: epoch.number}
                    yield stopped, head._stopped_at(stopped)
                if shared:
                    break

    def _stopped_at(self, params: Mapping[str, Any]) -> Head:
        """A head with these settings and this one's fitted state."""
        head = self.with_params(**params)
        params = head.get_params()
        vars(head).update({k: v for k, v in vars(self).items() if k.endswith("_") and k not in params})
        return head

    def _train(self, data: TrainingData, progress: bool = False) -> Iterator[tuple[Stage[Any], Epoch]]:
        device = pick_device(self.device)
        random = OwnRandom(self.seed, device)
        with random.active():
            self.module_ = self._with_tail(self.build(self.problem_)).to(device)
        seen, labels = np.unique(data.labels, return_inverse=True)
        task = Task(
            torch.tensor(data.semantics, dtype=torch.float32, device=device),
            torch.tensor(seen).to(device),
            data.attributes,
        )
        tuning = self.tuning_
        if tuning:
            rows: Placed = tuning.made_rows(data.features, device)
        else:
            rows = Placed(data.features, tuple(self.problem_.taps), device)
        self.prepare(self.module_, rows, task)
        identity, stages = self._identity(data), self.stages(rows, torch.from_numpy(labels).to(device), task)
        self.history_ = {}
        while True:
            with random.active():
                stage = next(stages, None)
            if stage is None:
                return
            if tuning:
                stage = tuning.stage(stage, self.seed, self.cast(device))
            keep = not progress and stage.stops == "every"
            checkpoint = checkpoint_for(identity, stage.name, keep_epochs=keep)
            label = f"training {self.name}" + (f", {stage.name}" if stage.name else "")
            shown = ticking(label, stage.epochs * len(stage.batches)) if progress else nullcontext()
            with shown as ticker:
                for epoch in train(stage, random=random, checkpoint=checkpoint, ticker=ticker):
                    self.history_[stage.name] = epoch.history
                    yield stage, epoch

    def _pose(self, data: TrainingData) -> Self:
        if self.mode == "cached":
            return super()._pose(data)
        source = SOURCES[self.mode]
        if source == "trunk" and source not in data.features:
            raise InputError(
                f"mode {self.mode} trains on the tap 'trunk', but there are only {', '.join(data.features)}: extract "
                "with --taps global,region,trunk."
            )
        backbone = getattr(data.features, "backbone", {})
        spec = image_spec(backbone) if source == IMAGE else spec_of(data.features, source)
        self.tuning_ = Tuning(self, backbone, spec, self.choose_taps(MADE, data.attributes))
        self.problem_ = replace(Problem.of(data, ()), taps=self.tuning_.made, made_from={source: spec})
        return self

    def _with_tail(self, module: M) -> M:
        if self.tuning_ is not None:
            module.add_module("tail", self.tuning_.tail)
        return module

    def _optimiser(self, parameters: Any, rate: float | None = None) -> Optimizer:
        rate = rate or self.learning_rate
        return self.optimiser_of(parameters if self.tuning_ is None else self.tuning_.groups(parameters, rate), rate)

    def _identity(self, data: TrainingData) -> str:
        """A hash of everything that determines the training; of the features, only a few rows are hashed."""
        digest = hashlib.sha256(sha256_json([self.name, self.get_params(), self.problem_.to_json()]).encode())
        probe = np.unique(np.linspace(0, len(data.labels) - 1, 8).astype(int))
        arrays = [data.labels, data.semantics, *(data.features[tap][probe] for tap in self.problem_.stored)]
        if data.attributes is not None and data.attributes.vectors is not None:
            arrays.append(data.attributes.vectors)
        for array in arrays:
            digest.update(f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    # --- scores ---

    def scorer(self, classes: Classes) -> Scorer:
        with torch.inference_mode():
            encoded = self.encode(self.module_, self._tensor(classes.semantics))
        return lambda features: self.in_batches(
            features, lambda inputs: self.scores(self.module_, inputs, encoded), len(classes)
        )

    def graph(self) -> nn.Module:
        return HeadGraph(self) if type(self).scorer is TorchHead.scorer else super().graph()

    def graph_scores(self, module: M, inputs: Inputs, encoded: Any) -> Tensor:
        """`scores` of a whole batch at once."""
        return self.scores(module, inputs, encoded)

    def in_batches(self, features: Features, compute: Callable[[Inputs], Tensor], made: int = 1) -> np.ndarray:
        """Apply `compute`, which makes `made` values of an image, to all images in batches: (N, ...) float32."""
        device = next(self.module_.parameters()).device
        rows = {tap: features[tap] for tap in self.problem_.stored}
        count = len(next(iter(rows.values())))
        most = min(ELEMENTS, free_bytes(device) // NEEDED)
        step = max(1, most // max(made, *(int(np.prod(r.shape[1:])) for r in rows.values())))
        step = min(step, SCORED) if self.tuning_ else step
        done: np.ndarray | None = None
        with torch.inference_mode():
            for start in range(0, max(count, 1), step):  # once even without images, for the shape
                part = slice(start, min(start + step, count))
                found = compute(self._inputs(rows, part, device)).float().cpu().numpy()
                if done is None:  # at once: small results between large batches would break up the free memory
                    done = np.empty((count, *found.shape[1:]), np.float32)
                done[part] = found
        assert done is not None
        return done

    def _inputs(self, rows: Features, part: slice, device: torch.device) -> Inputs:
        """The module's inputs for some images."""
        if self.tuning_ is None:
            return {tap: read(r, part, device).float() for tap, r in rows.items()}
        if IMAGE in rows:
            return self.tuning_(self.tuning_.rows(rows, device)[np.arange(part.start, part.stop)])
        return self.tuning_({tap: read(r, part, device).float() for tap, r in rows.items()})

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=next(self.module_.parameters()).device)

    # --- saved ---

    def state(self) -> dict[str, np.ndarray]:
        """The module's tensors by name."""
        tensors = {k: v.detach().cpu().numpy() for k, v in self.module_.state_dict().items()}
        return {k: v for k, v in tensors.items() if not k.startswith(self.only_in_training)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        with OwnRandom(0).active():  # building draws weights: leave the caller's random state alone
            if self.problem_.made_from:
                (source,) = self.problem_.made_from.values()
                self.tuning_ = Tuning(self, self.problem_.backbone, source, tuple(self.problem_.taps), pretrained=False)
            self.module_ = self._with_tail(self.build(self.problem_))
        tensors = {k: torch.tensor(v) for k, v in state.items()}
        found = self.module_.load_state_dict(tensors, strict=False)
        missing = [k for k in found.missing_keys if not k.startswith(self.only_in_training)]
        if missing or found.unexpected_keys:
            differs = f"lacks '{missing[0]}'" if missing else f"has an unknown '{found.unexpected_keys[0]}'"
            raise InputError(f"the saved state of {self.name} {differs}: train it again.")
        self.module_.to(pick_device(self.device)).eval()

    @classmethod
    def upgrade(cls, about: dict[str, Any], state: dict[str, np.ndarray]) -> Problem:
        """Format 1 stored sizes among the arrays."""
        sizes = {key.removeprefix("sizes."): int(state.pop(key)) for key in list(state) if key.startswith("sizes.")}
        widths = {key.removeprefix("tap."): size for key, size in sizes.items() if key.startswith("tap.")}
        taps = {tap: TapSpec((width,) if tap == "global" else (-1, width)) for tap, width in widths.items()}
        return Problem(taps, sizes["attributes"], sizes["words"], sizes["classes"])


class HeadGraph(nn.Module):
    """See `Head.graph`; the head's module and, if there is one, the trunk below its trained layers are children."""

    def __init__(self, head: TorchHead[Any]) -> None:
        super().__init__()
        self.head, self.module, self.tuning = head, head.module_, head.tuning_
        if self.tuning is not None and self.tuning.source == IMAGE:
            self.trunk = self.tuning.trunk

    def forward(self, features: Inputs, semantics: Tensor, seen: Tensor) -> Tensor:
        inputs = features
        if self.tuning is not None:
            if IMAGE in inputs:
                from zslpipe.training.images import normalised

                inputs = {IMAGE: normalised(inputs[IMAGE], self.tuning.transform)}
            inputs = self.tuning(inputs)
        return self.head.graph_scores(self.module, inputs, self.head.encode(self.module, semantics))
