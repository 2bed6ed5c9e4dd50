"""What runs the forward pass. Every engine takes pixels and gives the taps; they differ in speed alone."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

from zslpipe.backbones.fold import fold_batch_norm
from zslpipe.backbones.taps import Taps
from zslpipe.backbones.transform import Transform
from zslpipe.errors import InputError

PRECISIONS = {
    "float32": torch.float32,
    "tf32": torch.float32,  # products of 10 mantissa bits, which torch otherwise takes for float32 convolutions
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
ON_GPUS_ONLY = ("tf32", "float16")
ENGINES = ("torch", "compile")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>


class Engine(Protocol):
    """Maps images to taps. `images`: uint8 (B, H, W, 3) pixels, or normalised float (B, 3, H, W)."""

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]: ...


class TorchEngine:
    """Eager or compiled torch: folded batch norm, channels last, weights and activations in one precision."""

    def __init__(self, taps: Taps, transform: Transform, device: torch.device, precision: str, compiled: bool) -> None:
        self.device, self.dtype, self.tf32 = device, PRECISIONS[precision], precision == "tf32"
        if device.type == "cpu":
            keep_heap()
        module: nn.Module = fold_batch_norm(taps, torch.zeros(1, 3, *transform.size))
        module = module.to(device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module = torch.compile(module) if compiled else module
        mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
        self.scale, self.shift = 1 / (255 * std), -mean / std

    @torch.no_grad()  # not inference_mode, whose tensors no later training may touch; the weights need no gradient
    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        images = images.to(self.device)
        if images.dtype == torch.uint8:
            # (x / 255 - mean) / std; permuting (B, H, W, 3) gives channels-last memory for nothing.
            images = torch.addcmul(self.shift, images.permute(0, 3, 1, 2).float(), self.scale)
        images = images.to(self.dtype, memory_format=torch.channels_last)
        with _tf32(self.tf32) if self.device.type == "cuda" else nullcontext():
            return self.module(images)


def build_engine(name: str, taps: Taps, transform: Transform, device: torch.device, precision: str) -> Engine:
    if name not in ENGINES:
        raise InputError(f"there is no engine '{name}': choose among {', '.join(ENGINES)}.")
    if precision not in PRECISIONS:
        raise InputError(f"there is no precision '{precision}': choose among {', '.join(PRECISIONS)}.")
    if precision in ON_GPUS_ONLY and device.type == "cpu":
        raise InputError(f"{precision} runs on GPUs only: take --precision bfloat16 or float32 on a CPU.")
    return TorchEngine(taps, transform, device, precision, compiled=name == "compile")


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = allowed
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before


def keep_heap() -> None:
    """Ask glibc to keep freed memory for the next batch; without it each activation is paged in anew.

    By default glibc maps blocks beyond 32 MiB afresh and hands them back when freed, so every large activation of
    every batch costs a page fault per 4 KiB, a third of the forward pass of a ResNet on a CPU. The peak stays as it
    was; memory is only given back at exit. ZSLPIPE_MALLOC=0 leaves malloc alone; other C libraries are left alone too.
    """
    if os.environ.get("ZSLPIPE_MALLOC") == "0":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    if not mallopt(_M_MMAP_THRESHOLD, 1 << 30):
        mallopt(_M_MMAP_THRESHOLD, 1 << 25)  # older versions take no more
    mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
