"""A backbone's weights: read without unpickling, put into the model, and hashed by content."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from zslpipe.errors import InputError

# Where training scripts keep the state dict inside a checkpoint.
CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model")


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a torch file (read with weights_only=True)."""
    if not path.is_file():
        raise InputError(f"there is no weights file {path}: give a .safetensors or torch file.")
    try:
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read as a safetensors or torch file: {_first_line(error)}") from None
    except Exception as error:  # pickle.UnpicklingError and whatever else a hostile file provokes
        raise InputError(
            f"{path} holds more than tensors, which is not loaded ({_first_line(error)}): save its state dict alone."
        ) from None
    for key in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path} holds no state dict: give a file of named tensors.")
    state = {str(key).removeprefix("module."): value for key, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise InputError(f"{path} holds no tensors by name: give a file with a state dict.")
    return state


def load_state(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Put `state` into `model`; only the classifier may be absent, left over or of another size."""
    # timm's modules translate older layouts and resample position embeddings to the model's grid.
    translate = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if translate is not None:
        try:
            state = translate(dict(state), model)
        except Exception as error:
            raise InputError(f"the weights of {source} do not fit this backbone: {_first_line(error)}") from None
    own = model.state_dict()
    head = classifier_keys(model)
    missing = [key for key in own if key not in state and not key.startswith(head) and not _is_counter(key)]
    extra = [key for key in state if key not in own and not key.startswith(head) and not _is_counter(key)]
    differing = [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and not key.startswith(head) and state[key].shape != own[key].shape
    ]
    if missing or extra or differing:
        faults = [f"{len(missing)} tensors are missing, first {missing[0]}"] if missing else []
        faults += [f"{len(extra)} are not the model's, first {extra[0]}"] if extra else []
        faults += differing[:1]
        raise InputError(f"the weights of {source} do not fit this backbone: {'; '.join(faults)}.")
    fitting = {key: value for key, value in state.items() if key in own and value.shape == own[key].shape}
    model.load_state_dict(fitting, strict=False)


def classifier_keys(model: nn.Module) -> tuple[str, ...]:
    """The prefixes of the parameters behind the features, which features do not depend on."""
    names = (getattr(model, "pretrained_cfg", None) or {}).get("classifier") or ()
    return tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names))


def content_hash(model: nn.Module) -> str:
    """SHA-256 of the names, types, shapes and bytes of all that features depend on."""
    digest = hashlib.sha256()
    head = classifier_keys(model)
    for key, value in sorted(model.state_dict().items()):
        if key.startswith(head) or _is_counter(key):
            continue
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
