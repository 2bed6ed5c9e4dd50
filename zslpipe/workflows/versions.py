"""The software versions and the machine behind a result."""

import importlib.metadata
import platform
from typing import Any

PACKAGES = ("torch", "torchvision", "timm", "zarr", "numpy", "scipy", "scikit-learn", "pillow")


def versions() -> dict[str, str]:
    """Versions by package name, with Python and zslpipe."""
    from zslpipe import __version__

    found = {"python": platform.python_version(), "zslpipe": __version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def machine() -> dict[str, Any]:
    """Processor, number of cores and accelerator (None without one)."""
    import os

    import torch

    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123  (a device file)
            name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"processor": name, "cores": os.cpu_count(), "accelerator": gpu}
