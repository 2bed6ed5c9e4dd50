"""A backbone's weights: read without unpickling, loaded into the model, and hashed."""

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

# Keys under which training scripts store the state dict in a checkpoint.
CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model")


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a torch file (read with weights_only=True).

    Raises:
        InputError: if the file does not exist, cannot be read, or contains anything but a state dict.
    """
    if not path.is_file():
        raise InputError(f"the weights file {path} does not exist: give a .safetensors or torch file.")
    try:
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read as a safetensors or torch file: {first_line(error)}") from None
    except Exception as error:  # pickle.UnpicklingError, and whatever else a malicious file raises
        raise InputError(
            f"{path} contains objects other than tensors, which are not loaded ({first_line(error)}): "
            "save only the state dict."
        ) from None
    for key in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path} contains no state dict: give a file of named tensors.")
    state = {str(key).removeprefix("module."): value for key, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise InputError(f"{path} contains no named tensors: give a file with a state dict.")
    return state


def load_state(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load `state` into `model`; only the classifier may be missing, unexpected or of another shape.

    Raises:
        InputError: if anything else is; `source` names the weights.
    """
    # timm's modules translate older layouts and resample position embeddings to the model's grid.
    translate = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if translate is not None:
        try:
            state = translate(dict(state), model)
        except Exception as error:
            raise InputError(f"the weights of {source} do not fit this backbone: {first_line(error)}") from None
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
        faults = [f"missing {_names(missing)}"] if missing else []
        faults += [f"unexpected {_names(extra)}"] if extra else []
        faults += differing[:1]
        raise InputError(f"the weights of {source} do not fit this backbone: {'; '.join(faults)}.")
    fitting = {key: value for key, value in state.items() if key in own and value.shape == own[key].shape}
    model.load_state_dict(fitting, strict=False)


def classifier_keys(model: nn.Module) -> tuple[str, ...]:
    """The prefixes of the classifier's parameters, which features do not depend on."""
    names = (getattr(model, "pretrained_cfg", None) or {}).get("classifier") or ()
    return tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names))


def content_hash(model: nn.Module) -> str:
    """SHA-256 of the names, types, shapes and bytes of all weights that features depend on."""
    digest = hashlib.sha256()
    head = classifier_keys(model)
    for key, value in sorted(model.state_dict().items()):
        if key.startswith(head) or _is_counter(key):
            continue
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _names(keys: list[str]) -> str:
    return f"{keys[0]} and {len(keys) - 1} more" if len(keys) > 1 else keys[0]


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def first_line(error: BaseException) -> str:
    """Of its message; its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
