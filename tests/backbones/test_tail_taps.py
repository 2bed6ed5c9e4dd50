"""The taps of a tail are those of the whole model, and autocast keeps its slow convolutions in float32."""

import pytest
import torch
from torch import Tensor, nn

from zslpipe.backbones import create_model, split
from zslpipe.backbones.tail_taps import TailTaps
from zslpipe.backbones.taps import Taps
from zslpipe.errors import InputError

TAPS = ("global", "region", "trunk")


@pytest.mark.parametrize(
    ("name", "train_from"),
    [
        ("resnet18", ""),
        ("resnet18", "layer2"),
        ("resnet18", "layer4.1"),
        ("tf_efficientnet_lite0", ""),
        ("tf_efficientnet_lite0", "blocks.2"),
        ("convnext_atto", "stages.1"),
        ("regnety_002", "s2"),
    ],
)
def test_taps_are_those_of_the_model(name: str, train_from: str) -> None:
    model, images = create_model(name, "random"), torch.randn(2, 3, 64, 64)
    taps = TAPS[:2] if train_from == "layer4.1" else TAPS
    with torch.no_grad():
        expected = Taps(model, taps, images)(images)
        trunk, tail = split(model, train_from=train_from)
        given = trunk(images)
        made = TailTaps(tail, taps, given)(given)
    for one, other in zip(made, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_tail_that_begins_inside_the_last_stage_has_no_trunk() -> None:
    _, tail = split(create_model("resnet18", "random"), train_from="layer4.1")
    with pytest.raises(InputError, match="'trunk' is before the first layer that is trained"):
        TailTaps(tail, TAPS, torch.zeros(1, 512, 2, 2))


def test_autocast_keeps_depthwise_convolutions_in_float32() -> None:
    _, tail = split(create_model("tf_efficientnet_lite0", "random"))
    net = TailTaps(tail, ("global",), torch.zeros(1, 112, 4, 4))
    types: dict[bool, set[torch.dtype]] = {True: set(), False: set()}

    def noted(conv: nn.Module, _: object, out: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d)
        types[conv.groups > 1].add(out.dtype)

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(noted)
    with torch.autocast("cpu", torch.bfloat16):
        net(torch.randn(1, 112, 4, 4))
    assert types == {True: {torch.float32}, False: {torch.bfloat16}}
