"""A timm model cut in two: a trunk that is run once, and a tail that can be fine-tuned on the trunk's outputs."""

import copy
from typing import Any

from timm.models.convnext import ConvNeXt
from timm.models.efficientnet import EfficientNet
from timm.models.mobilenetv3 import MobileNetV3
from timm.models.regnet import RegNet
from timm.models.resnet import ResNet
from timm.models.resnetv2 import ResNetV2
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from zslpipe.errors import InputError
from zslpipe.registry import unknown

# The children that `forward_features` applies one after another. The other children belong to `forward_head`.
LAYERS: dict[type[nn.Module], tuple[str, ...]] = {
    ResNet: ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4"),
    ResNetV2: ("stem", "stages", "norm"),
    RegNet: ("stem", "s1", "s2", "s3", "s4", "final_conv"),
    EfficientNet: ("conv_stem", "bn1", "blocks", "conv_head", "bn2"),
    MobileNetV3: ("conv_stem", "bn1", "blocks"),
    ConvNeXt: ("stem", "stages", "norm_pre"),
    VisionTransformer: ("patch_embed", "pos_drop", "patch_drop", "norm_pre", "blocks", "norm"),
}


class Trunk(nn.Module):
    """The layers of `model` before the cut; see `split`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model.forward_features(images)


class Tail(nn.Module):
    """The layers of `model` after the cut; see `split`.

    `tail.model.state_dict()` has the names of the whole model, so `model.load_state_dict(..., strict=False)` puts a
    fine-tuned copy back.
    """

    def __init__(self, model: Any, layers: tuple[str, ...]) -> None:
        super().__init__()
        self.model: Any = model
        self.layers = layers

        self.num_features = model.num_features
        self.num_prefix_tokens = getattr(model, "num_prefix_tokens", 0)

    def blocks(self) -> dict[str, nn.Module]:
        """What the features pass one after another: the layers, or the parts of a layer that is a sequence."""
        found: dict[str, nn.Module] = {}
        for name in self.layers:
            layer = self.model.get_submodule(name)
            inside = layer.named_children() if isinstance(layer, nn.Sequential) else ()
            found |= {f"{name}.{key}": child for key, child in inside} or {name: layer}
        return found

    def forward_features(self, trunk: Tensor) -> Tensor:
        """The model's last feature map (B, D, H, W), or for a ViT its tokens (B, P + R, D)."""
        for name in self.layers:
            trunk = self.model.get_submodule(name)(trunk)
        return trunk

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits, or with `pre_logits` the `global` features, of what `forward_features` returned."""
        return self.model.forward_head(features, pre_logits=pre_logits)

    def forward(self, trunk: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(trunk))


def split(model: nn.Module, blocks: int = 1, train_from: str = "") -> tuple[Trunk, Tail]:
    """(trunk, tail) of a timm model, with tail(trunk(images)) == model(images).

    A convolutional network is cut before its last stage, where the tap `trunk` is: the trunk returns (B, D', H, W).
    A stored row of that tap is (H, W, D'), so `rows.permute(0, 3, 1, 2)` is what the tail takes. A vision transformer
    is cut before its last `blocks` blocks: the trunk returns all tokens (B, P + R, D), P prefix tokens first.
    `train_from` names another layer as the first one of the tail: "layer3" of a ResNet, "blocks.4" of others.

    Both parts share parameters, buffers and train/eval mode with `model`; fine-tune a `copy.deepcopy(tail)`.

    Raises:
        InputError: if the model is of a family that is not in LAYERS, or has too few blocks.
    """
    names = _layers(model)
    cut = _before(model, names, train_from) if train_from else _cut(model, blocks)
    first, _, index = cut.partition(".")
    at = names.index(first) if cut else -1
    before, after = {name: getattr(model, name) for name in names}, {}
    for name in names[at + 1 :]:
        after[name], before[name] = before[name], nn.Identity()
    if index:
        stages = dict(before[first].named_children())
        end = list(stages).index(index) + 1
        before[first] = _sequential(dict(list(stages.items())[:end]))
        after = {first: _sequential(dict(list(stages.items())[end:])), **after}
    head = {name: child for name, child in model.named_children() if name not in names}
    tail = _with_children(model, after | head)
    tail._parameters.clear()  # the class token and position embeddings of a ViT, which the trunk adds
    return Trunk(_with_children(model, before)), Tail(tail, tuple(after))


def _layers(model: nn.Module) -> tuple[str, ...]:
    for family, names in LAYERS.items():
        own = isinstance(model, family)
        # A subclass may do something else with the same children.
        if own and all(getattr(type(model), f) is getattr(family, f) for f in ("forward", "forward_features")):
            return names
    families = ", ".join(family.__name__ for family in LAYERS)
    raise InputError(f"cannot split the model '{_name(model)}': supported families are {families}.")


def _before(model: Any, names: tuple[str, ...], layer: str) -> str:
    """Name of the layer before this one; empty before the first."""
    order: list[str] = []
    for name in names:
        child = getattr(model, name)
        parts = [f"{name}.{key}" for key, _ in child.named_children()] if isinstance(child, nn.Sequential) else []
        order += [*parts] or [name]
    if layer in names:
        layer = next(name for name in order if name.partition(".")[0] == layer)
    known = order[order.index("blocks.0") + 1 :] if isinstance(model, VisionTransformer) else order
    if layer not in known:
        raise unknown(f"layer of '{_name(model)}'", layer, [*dict.fromkeys(n.partition(".")[0] for n in known), *known])
    before = order[order.index(layer) - 1] if layer != order[0] else ""
    whole = before.partition(".")[0]
    return before if whole == layer.partition(".")[0] else whole


def _cut(model: Any, blocks: int) -> str:
    """Name of the last layer of the trunk."""
    if isinstance(model, VisionTransformer):
        depth = len(model.blocks)
        if not 1 <= blocks < depth:
            raise InputError(f"blocks must be between 1 and {depth - 1} for '{_name(model)}', not {blocks}.")
        return f"blocks.{depth - blocks - 1}"
    stages = list(model.feature_info)
    return str([s["module"] for s in stages if s["reduction"] < stages[-1]["reduction"]][-1])


def _name(model: nn.Module) -> str:
    record = getattr(model, "pretrained_cfg", None) or {}
    return str(record.get("architecture") or type(model).__name__)


def _sequential(children: dict[str, nn.Module]) -> nn.Sequential:
    """Under the names they had, so that state dicts keep theirs."""
    part = nn.Sequential()
    for name, child in children.items():
        part.add_module(name, child)
    return part


def _with_children(model: nn.Module, children: dict[str, nn.Module]) -> nn.Module:
    """A shallow copy of `model` that has these children only."""
    twin = copy.copy(model)
    for key, value in vars(model).items():
        if isinstance(value, dict):  # parameters, buffers, hooks: the entries are shared, the dict is not
            vars(twin)[key] = copy.copy(value)
    vars(twin)["_modules"] = dict(children)
    return twin
