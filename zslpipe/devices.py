"""Which device a name means."""

import torch

from zslpipe.errors import InputError


def pick_device(name: str = "auto") -> torch.device:
    """The device of this name; "auto" takes a GPU if there is one.

    Raises:
        InputError: if torch does not know the name, or the device is not available here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device '{name}': use auto, cpu, cuda, cuda:1 or mps.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device '{name}' is not available here: use cpu or auto.")
    return device
