"""The forward pass: batch norm folded, channels last, in one precision."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from zslpipe.backbones.fold import fold_batch_norm
from zslpipe.backbones.taps import TapModule
from zslpipe.backbones.transform import Transform
from zslpipe.backbones.weights import first_line
from zslpipe.errors import InputError, ZslpipeError

PRECISIONS = {
    "float32": torch.float32,
    "tf32": torch.float32,  # products with 10 bits of mantissa; torch's own default for float32 convolutions
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
GPU_ONLY = ("tf32", "float16")

Forward = Callable[[Tensor], tuple[Tensor, ...]]


def check_precision(precision: str, device: torch.device) -> None:
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision '{precision}': available: {', '.join(PRECISIONS)}.")
    if precision in GPU_ONLY and device.type == "cpu":
        raise InputError(f"precision '{precision}' needs a GPU: use bfloat16 or float32 on a CPU.")


class Engine:
    """Maps images to the taps of a model, without gradients.

    Args:
        taps: the model, on the CPU; it now belongs to this object.
        transform: its mean and std normalise the pixels.
        precision: of weights and activations, one of PRECISIONS.
        compile: run through torch.compile.
    """

    def __init__(
        self, taps: TapModule, transform: Transform, device: torch.device, precision: str, compile: bool = False
    ) -> None:
        check_precision(precision, device)
        self.device, self.dtype, self.tf32 = device, PRECISIONS[precision], precision == "tf32"
        module: nn.Module = fold_batch_norm(taps, torch.zeros(1, 3, *transform.size))
        self.module: nn.Module = module.to(device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.forward: Forward = _compiled(self.module) if compile else self.module
        mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
        self.scale, self.shift = 1 / (255 * std), -mean / std

    @torch.no_grad()  # not inference_mode: its tensors could not be used in training
    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """The taps of `images`: uint8 (B, H, W, 3) pixels, or normalised float (B, 3, H, W)."""
        images = images.to(self.device)
        if images.dtype == torch.uint8:
            # (x / 255 - mean) / std; permuting (B, H, W, 3) gives channels-last memory without a copy.
            images = torch.addcmul(self.shift, images.permute(0, 3, 1, 2).float(), self.scale)
        images = images.to(self.dtype, memory_format=torch.channels_last)
        with tf32(self.tf32) if self.device.type == "cuda" else nullcontext():
            return self.forward(images)


class EngineGraph(nn.Module):
    """A copy of an engine's function on the CPU, in float32, for export: pixels (B, H, W, 3) uint8 to its taps."""

    scale: Tensor
    shift: Tensor

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.module = copy.deepcopy(engine.module).cpu().float()
        self.register_buffer("scale", engine.scale.cpu())
        self.register_buffer("shift", engine.shift.cpu())

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        taps: tuple[Tensor, ...] = self.module(
            torch.addcmul(self.shift, pixels.permute(0, 3, 1, 2).float(), self.scale)
        )
        return taps


def _compiled(module: nn.Module) -> Forward:
    """torch.compile(module), which compiles at the first batch and whenever the batch size changes."""
    from torch._dynamo.exc import TorchDynamoException

    compiled = torch.compile(module)

    def forward(images: Tensor) -> tuple[Tensor, ...]:
        try:
            return compiled(images)
        except TorchDynamoException as error:
            raise ZslpipeError(f"torch.compile failed ({first_line(error)}): leave out --compile.") from error

    return forward


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Allow or forbid TF32 in float32 convolutions and matrix products within the block."""
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    # Newer versions of torch have a second set of flags, which setting the first set changes as well.
    owners: list[Any] = [convolutions.conv, convolutions.rnn, products] if hasattr(convolutions, "conv") else []
    others = [owner.fp32_precision for owner in owners]
    convolutions.allow_tf32 = products.allow_tf32 = allowed
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
        for owner, value in zip(owners, others):
            owner.fp32_precision = value
