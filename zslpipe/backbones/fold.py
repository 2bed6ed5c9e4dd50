"""Batch norm folded into the preceding convolution: the same function, with one pass over memory less."""

import copy

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn

FOLDABLE = (nn.Conv2d, Conv2dSame)  # by exact type: their forward uses `weight` and `bias` as they are
TOLERANCE = 1e-3  # relative to the largest value; a wrong fold differs by far more


def fold_batch_norm(model: nn.Module, example: Tensor) -> nn.Module:
    """A copy of `model` for inference only, or `model` itself if nothing can be folded.

    A forward pass of `example` (1, 3, H, W) shows which batch norm follows which convolution. The copy is returned
    only if its outputs equal those of the model.
    """
    model.eval()
    folded = copy.deepcopy(model)
    pairs = _pairs(folded, example)
    if not pairs:
        return model
    for convolution, norm in pairs:
        _fold(convolution, norm)
    norms = {id(norm) for _, norm in pairs}
    for parent in list(folded.modules()):
        for name, child in parent.named_children():
            if id(child) in norms:
                # timm's BatchNormAct2d contains the activation that follows.
                setattr(parent, name, child.act if isinstance(child, BatchNormAct2d) else nn.Identity())
    return folded if _agree(model, folded, example) else model


def _pairs(model: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the batch norms that directly follow them, if both are used only once."""
    made: dict[int, nn.Conv2d] = {}
    read: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    calls: dict[int, int] = {}
    alive: list[Tensor] = []  # keeps ids unique: a freed tensor's id can be reused

    def after_convolution(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        made[id(output)] = module  # type: ignore[assignment]
        alive.append(output)
        calls[id(module)] = calls.get(id(module), 0) + 1

    def before_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        calls[id(module)] = calls.get(id(module), 0) + 1
        if id(inputs[0]) in made:
            read.append((made[id(inputs[0])], module))  # type: ignore[arg-type]

    hooks = []
    for module in model.modules():
        if type(module) in FOLDABLE:
            hooks.append(module.register_forward_hook(after_convolution))
        elif isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            hooks.append(module.register_forward_pre_hook(before_norm))
    with torch.inference_mode():
        model(example)
    for hook in hooks:
        hook.remove()
    return [(c, n) for c, n in read if calls[id(c)] == calls[id(n)] == 1]


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        shift = -norm.running_mean.double() * scale
        if norm.affine:
            scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
        if convolution.bias is not None:
            shift = shift + convolution.bias * scale
        weight = convolution.weight * scale[:, None, None, None]
        convolution.weight = nn.Parameter(weight.to(convolution.weight.dtype), requires_grad=False)
        convolution.bias = nn.Parameter(shift.to(convolution.weight.dtype), requires_grad=False)


def _agree(model: nn.Module, folded: nn.Module, example: Tensor) -> bool:
    probe = torch.rand(example.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.inference_mode():
        try:
            pairs = list(zip(model(probe), folded(probe)))
        except Exception:  # the model reads other attributes of its batch norm
            return False
    return all(float((a - b).abs().max()) <= TOLERANCE * float(a.abs().max()) for a, b in pairs)
