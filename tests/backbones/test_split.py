"""Trunk and tail together are the model, and the tail alone can be trained."""

import copy

import pytest
import timm
import torch

from zslpipe.backbones import create_model, load_backbone, split
from zslpipe.errors import InputError

CNNS = [
    "resnet18",
    "resnet26t",
    "resnetv2_18",
    "regnety_002",
    "efficientnet_b0",
    "tf_efficientnet_lite0",
    "mobilenetv3_small_050",
    "convnext_atto",
]
VITS = ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"]  # 1 and 2 prefix tokens


def images(model: torch.nn.Module) -> torch.Tensor:
    side = 224 if hasattr(model, "patch_embed") else 64
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", CNNS + VITS)
def test_the_tail_of_the_trunk_is_the_model(name):
    model = create_model(name, "random")
    trunk, tail = split(model)
    with torch.no_grad():
        x = images(model)
        torch.testing.assert_close(tail(trunk(x)), model(x), rtol=1e-5, atol=1e-5)
        features = tail.forward_features(trunk(x))
        torch.testing.assert_close(features, model.forward_features(x), rtol=1e-5, atol=1e-5)
        pooled = model.forward_head(features, pre_logits=True)
        torch.testing.assert_close(tail.forward_head(features, pre_logits=True), pooled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CNNS + VITS)
def test_each_parameter_is_in_one_part_and_shared_with_the_model(name):
    model = create_model(name, "random")
    trunk, tail = split(model)
    parts = [dict(part.model.named_parameters()) for part in (trunk, tail)]
    assert parts[0]
    assert not parts[0].keys() & parts[1].keys()
    together = parts[0] | parts[1]
    assert {key: id(value) for key, value in together.items()} == {k: id(v) for k, v in model.named_parameters()}


@pytest.mark.parametrize("name", CNNS)
def test_a_stored_row_of_the_trunk_is_an_input_of_the_tail(name):
    backbone = load_backbone(name, "random", (96, 64), taps=("global", "region", "trunk"))
    _, tail = split(create_model(name, "random", (96, 64)))
    features = backbone(torch.rand(2, 3, 96, 64))
    with torch.no_grad():
        final = tail.forward_features(features["trunk"].permute(0, 3, 1, 2))
    scale = float(features["region"].abs().max())
    torch.testing.assert_close(final.flatten(2).mT, features["region"], rtol=1e-3, atol=1e-4 * scale)
    pooled = tail.forward_head(final, pre_logits=True)
    torch.testing.assert_close(pooled, features["global"], rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_training_a_copy_of_the_tail_changes_nothing_else(name):
    model = create_model(name, "random")
    before = copy.deepcopy(model.state_dict())
    trunk, tail = split(model.requires_grad_(False))
    tuned = copy.deepcopy(tail).requires_grad_(True).train()
    optimiser = torch.optim.SGD(tuned.parameters(), lr=0.1)
    x = trunk(images(model))
    assert not x.requires_grad
    tuned(x).square().mean().backward()
    assert all(parameter.grad is not None for parameter in tuned.parameters())
    optimiser.step()
    assert not torch.equal(tuned(x), tail(x))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not model.training

    with torch.no_grad():
        expected = tuned.eval()(x)
        model.load_state_dict(tuned.model.state_dict(), strict=False)
        torch.testing.assert_close(model(images(model)), expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_only_the_tail_of_a_frozen_trunk():
    model = create_model("resnet18", "random").train()
    trunk, tail = split(model)
    trunk.requires_grad_(False)
    tail(trunk(images(model))).sum().backward()
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert with_gradient == {name for name, _ in model.named_parameters() if name.startswith(("layer4.", "fc."))}


def test_a_vit_is_cut_before_its_last_blocks():
    model = create_model("vit_tiny_patch16_224", "random")
    trunk, tail = split(model, blocks=3)
    assert (len(trunk.model.blocks), len(tail.model.blocks)) == (9, 3)
    with torch.no_grad():
        x = images(model)
        assert trunk(x).shape == (2, 1 + 196, 192)
        torch.testing.assert_close(tail(trunk(x)), model(x), rtol=1e-5, atol=1e-5)
    for blocks in (0, 12):
        with pytest.raises(InputError, match=r"between 1 and 11 for 'vit_tiny_patch16_224'"):
            split(model, blocks)


@pytest.mark.parametrize("model", ["swin_tiny_patch4_window7_224", torch.nn.Linear(1, 1)])
def test_unsupported_models_are_named(model):
    name = model if isinstance(model, str) else "Linear"
    with pytest.raises(InputError, match=f"cannot split the model '{name}'.*ResNet.*VisionTransformer"):
        split(timm.create_model(model) if isinstance(model, str) else model)


def test_a_subclass_with_another_forward_pass_is_refused():
    class Doubled(timm.models.resnet.ResNet):
        def forward_features(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward_features(x)

    with pytest.raises(InputError, match="cannot split the model 'Doubled'"):
        split(Doubled(timm.models.resnet.BasicBlock, (1, 1, 1, 1)))


@pytest.mark.parametrize(
    ("name", "layer", "first"),
    [
        ("resnet18", "layer3", "layer3.0."),
        ("resnet18", "layer4.1", "layer4.1."),
        ("resnet18", "conv1", "conv1."),
        ("tf_efficientnet_lite0", "blocks.4", "blocks.4."),
        ("tf_efficientnet_lite0", "conv_head", "conv_head."),
        ("vit_tiny_patch16_224", "blocks.10", "blocks.10."),
    ],
)
def test_any_layer_may_be_the_first_of_the_tail(name, layer, first):
    model = create_model(name, "random")
    trunk, tail = split(model, train_from=layer)
    names = list(tail.model.state_dict())
    assert names[0].startswith(first)
    assert not set(names) & set(trunk.model.state_dict())
    with torch.no_grad():
        x = images(model)
        torch.testing.assert_close(tail(trunk(x)), model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "layer"), [("resnet18", "layer5"), ("vit_tiny_patch16_224", "patch_embed")])
def test_an_unknown_first_layer_is_named(name, layer):
    with pytest.raises(InputError, match=f"unknown layer of '{name}' '{layer}'"):
        split(create_model(name, "random"), train_from=layer)
