"""Folding batch norm changes only the speed; what cannot be folded is left as it is."""

import pytest
import timm
import torch
from torch import nn

from zslpipe.backbones.fold import fold_batch_norm
from zslpipe.backbones.taps import Taps


def with_statistics(model: nn.Module) -> nn.Module:
    """Random statistics in batch norms: initial ones are almost the identity and would hide errors."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.uniform_(-0.5, 0.5, generator=generator)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())


@pytest.mark.parametrize(
    ("name", "left"),
    [("resnet18", 0), ("tf_efficientnet_lite0", 0), ("resnetv2_18", None), ("repvgg_a0", None), ("vgg11_bn", 0)],
)
def test_the_function_stays_the_same(name, left):
    example = torch.zeros(1, 3, 64, 64)
    taps = Taps(with_statistics(timm.create_model(name)), ("global", "region"), example)
    before = norms(taps)
    folded = fold_batch_norm(taps, example)
    assert norms(taps) == before, "the given model is unchanged"
    assert norms(folded) < before
    assert left is None or norms(folded) == left
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        for a, b in zip(taps(images), folded(images)):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(a.abs().max()))


class Twice(nn.Module):
    """A convolution whose output is used by its batch norm and once more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        y = self.conv(x)
        return (self.norm(y) + y,)


def test_a_convolution_with_another_user_is_not_folded():
    model = with_statistics(Twice())
    assert fold_batch_norm(model, torch.zeros(1, 3, 8, 8)) is model


def test_a_model_without_batch_norm_is_returned():
    model = nn.Sequential(nn.Conv2d(3, 4, 1))
    assert fold_batch_norm(model, torch.zeros(1, 3, 8, 8)) is model
