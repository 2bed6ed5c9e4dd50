"""The taps of a backbone's last layers, which are trained on what the layers before them returned."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from zslpipe.backbones.split import Tail
from zslpipe.backbones.taps import Taps
from zslpipe.errors import InputError


class TailTaps(Taps):
    """A tail that returns taps of trunk outputs, in the order of `taps`.

    Args:
        tail: see `split`; the classifier is removed.
        taps: the taps to return.
        example: a trunk output, (1, D', H, W) or tokens (1, P + R, D).
        freeze_norm: whether batch norm keeps its statistics in training.
        recompute: whether training forgets the activations inside each block and computes them again for its gradient.
    """

    freeze_norm = recompute = False

    def __init__(
        self, tail: Tail, taps: Sequence[str], example: Tensor, freeze_norm: bool = False, recompute: bool = False
    ) -> None:
        tail.model.reset_classifier(0)
        for conv in tail.modules():
            if isinstance(conv, nn.Conv2d) and conv.groups == conv.in_channels > 1:
                conv.forward = partial(_without_autocast_on_cpus, conv)  # type: ignore[method-assign]
        super().__init__(tail.eval(), taps, example)
        self.freeze_norm, self.recompute = freeze_norm, recompute

    def train(self, mode: bool = True) -> "TailTaps":
        super().train(mode)
        for norm in batch_norms(self) if mode and self.freeze_norm else ():
            norm.eval()
        return self

    def _features(self, trunk: Tensor) -> tuple[Tensor, Tensor]:
        again = self.recompute and self.training and torch.is_grad_enabled()
        final = trunk
        for number, block in enumerate(self.model.blocks().values(), 1):
            final = _checkpointed(block, final) if again else block(final)
            if number == self.trunk_index:
                trunk = final
        return final, trunk

    def _find_trunk(self, example: Tensor) -> int:
        """The number of blocks before the tap."""
        if example.ndim != 4:
            raise InputError("only convolutional backbones have the tap 'trunk'.")
        maps = [example]
        for block in self.model.blocks().values():
            maps.append(block(maps[-1]))
        sizes = [m.shape[-2] * m.shape[-1] for m in maps]
        finer = [i for i, size in enumerate(sizes) if size > sizes[-1]]
        if not finer:
            raise InputError(
                "the tap 'trunk' is before the first layer that is trained: let train_from name the last stage or an "
                "earlier layer."
            )
        return finer[-1]

    def rates(self, decay: float) -> list[tuple[float, list[nn.Parameter]]]:
        """Parameters with the factor of their learning rate: 1 in the last block, less by `decay` in each before it."""
        blocks = [list(block.parameters()) for block in self.model.blocks().values()]
        inside = {id(p) for block in blocks for p in block}
        blocks[-1] += [p for p in self.parameters() if id(p) not in inside]
        return [(decay ** (len(blocks) - 1 - i), block) for i, block in enumerate(blocks) if block]


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    return [child for child in module.modules() if isinstance(child, _BatchNorm)]


def _without_autocast_on_cpus(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """The gradient of a depthwise convolution in bfloat16 takes five times as long as in float32."""
    if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return type(conv).forward(conv, x)
    with torch.autocast("cpu", enabled=False):
        return type(conv).forward(conv, x.float())


def _checkpointed(block: nn.Module, x: Tensor) -> Tensor:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(block)

    done: Tensor = checkpoint(block, x, use_reentrant=False, context_fn=contexts)
    return done


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """The second pass over a batch must not count it again."""
    norms = batch_norms(block)
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before):
            norm.momentum = momentum
