"""Checkpoints: everything a training needs to resume as if it had never stopped, in one file per stage.

The file is safetensors (weights, buffers, the optimisers' tensors, the random state) with JSON in its metadata (the
position and the optimisers' numbers), so one rename makes both appear together. Nothing is ever unpickled.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from zslpipe.errors import DamagedError, DivergedError
from zslpipe.files import atomic_write
from zslpipe.training.learner import Learner
from zslpipe.training.seeds import OwnRandom

LATEST = "latest.safetensors"
FORMAT = 2


class Checkpoint:
    """Where one stage of a training keeps its state.

    Args:
        folder: a folder of its own; created when first written to.
        every_s: seconds between two writes; 0 writes after every step.
        keep_epochs: also keep the module's weights after every epoch, so that a resumed stage can yield again the
            epochs that it has yielded.
    """

    def __init__(self, folder: Path, every_s: float = 30.0, keep_epochs: bool = False) -> None:
        self.folder, self.every_s, self.keep_epochs = Path(folder), every_s, keep_epochs
        self.written = time.monotonic()
        self._whole: list[int] = []  # epochs that `restore` has read

    @property
    def due(self) -> bool:
        return time.monotonic() - self.written >= self.every_s

    def save(self, learner: Learner[Any], random: OwnRandom, position: Mapping[str, Any]) -> None:
        """Write all of it, whole or not at all; `position` is JSON.

        Raises:
            DivergedError: if a weight is NaN or infinite; what was written before stays as it is.
        """
        tensors: dict[str, Tensor] = {f"module.{k}": v for k, v in learner.module.state_dict().items()}
        tensors |= {f"random.{k}": v for k, v in random.state().items()}
        numbers = {}
        for name, optimiser in learner.optimisers.items():
            numbers[name], own = _split_optimiser(optimiser)
            tensors |= {f"optimiser.{name}.{k}": v for k, v in own.items()}
        _check_finite(tensors)
        about = {"format": FORMAT, "position": dict(position), "optimisers": numbers}
        _write(self.folder / LATEST, tensors, about)
        self.written = time.monotonic()

    def restore(
        self, learner: Learner[Any], random: OwnRandom, kept: Callable[[int], bool] = lambda epoch: True
    ) -> dict[str, Any] | None:
        """Put everything back and return the position; None if nothing was saved.

        `kept` says of which epochs, up to that position, the weights must be there too.
        """
        path = self.folder / LATEST
        if not path.exists():
            return None
        try:
            tensors, about = _read(path)
            if about.get("format") != FORMAT:
                return None  # of another version of this package: start over
            done = about["position"]["epoch"] if self.keep_epochs else 0
            for epoch in filter(kept, range(max(self._whole, default=0) + 1, done + 1)):
                _read(self._of_epoch(epoch))
                self._whole.append(epoch)
        except DamagedError as problem:
            warnings.warn(f"{problem} That stage of the training starts over.", stacklevel=2)
            return None
        learner.module.load_state_dict(_below("module.", tensors))
        for name, optimiser in learner.optimisers.items():
            _join_optimiser(optimiser, about["optimisers"][name], _below(f"optimiser.{name}.", tensors))
        random.load_state(_below("random.", tensors))
        position: dict[str, Any] = about["position"]
        return position

    def save_epoch(self, module: nn.Module, epoch: int, losses: Mapping[str, float]) -> None:
        """Keep the weights after an epoch, if `keep_epochs` asks for it."""
        if self.keep_epochs:
            state = dict(module.state_dict())
            _check_finite(state)
            _write(self._of_epoch(epoch), state, {"losses": dict(losses)})

    def _of_epoch(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:04}.safetensors"

    def load_epoch(self, module: nn.Module, epoch: int) -> dict[str, float]:
        """Put back the weights after an epoch and return its losses."""
        tensors, about = _read(self._of_epoch(epoch))
        module.load_state_dict(tensors)
        losses: dict[str, float] = about["losses"]
        return losses


_folder: ContextVar[tuple[Path, float] | None] = ContextVar("checkpoints", default=None)


@contextmanager
def checkpoints(folder: Path, every_s: float = 30.0) -> Iterator[None]:
    """Within the block every training of a head keeps checkpoints below `folder` and resumes from those it finds.

    Each training has a subfolder named by a hash of its settings and data, so that none reads another's state.
    Delete the folder when the results are safe.
    """
    token = _folder.set((Path(folder), every_s))
    try:
        yield
    finally:
        _folder.reset(token)


def checkpoint_for(identity: str, stage: str = "", keep_epochs: bool = False) -> Checkpoint | None:
    """The checkpoint of a stage of the training with this identity (a hash); None outside of `checkpoints`."""
    if (at := _folder.get()) is None:
        return None
    return Checkpoint(at[0] / identity[:24] / stage, at[1], keep_epochs)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DivergedError(f"training diverged: '{name}' contains NaN or infinity; lower the learning rate.")


def _write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    text = json.dumps(about)
    with atomic_write(path) as stream:
        stream.write(save(plain, metadata={"about": text, "sha256": _sum(plain, text)}))


def _sum(tensors: Mapping[str, Tensor], about: str) -> str:
    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            written = file.metadata()
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 - not a mapping
            about: dict[str, Any] = json.loads(written["about"])
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as problem:
        raise DamagedError(f"The checkpoint {path} cannot be read ({problem}).") from problem
    if written.get("sha256") not in (None, _sum(tensors, written["about"])):
        raise DamagedError(f"The checkpoint {path} is damaged.")
    return tensors, about


def _split_optimiser(optimiser: Optimizer) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """An optimiser's state as JSON and as named tensors."""
    state = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                numbers.setdefault(str(index), {})[name] = value
    return {"numbers": numbers, "groups": state["param_groups"]}, tensors


def _join_optimiser(optimiser: Optimizer, about: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in about["numbers"].items()}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": about["groups"]})
