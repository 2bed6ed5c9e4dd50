"""The network that made features, loaded again to train its layers."""

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

from zslpipe.errors import InputError, LeakError


def model_of(backbone: Mapping[str, Any], pretrained: bool) -> nn.Module:
    """The model that made features, with its weights or with random ones.

    Raises:
        InputError: if the features were not extracted by a timm model, or its weights have changed.
        LeakError: if they were made by a network fine-tuned in a fold, of which only the features are kept.
    """
    from zslpipe.backbones import BACKBONES

    if backbone.get("other"):
        raise LeakError(
            f"{backbone['name']} was fine-tuned with labels of classes that validation holds out, so its layers cannot "
            "be trained further on these features: train them on the store that it was fine-tuned on."
        )
    if "weights" not in backbone or backbone["name"] in BACKBONES:
        name = backbone.get("name", "an unknown model")
        raise InputError(
            f"these features were made by {name}, whose layers cannot be trained: extract images with a timm model "
            "and --taps global,region,trunk."
        )
    size = backbone["image_size"]
    weights = str(backbone["weights"]) if pretrained else "random"
    model, found = _model(backbone["name"], weights, tuple(size) if isinstance(size, list) else size)
    if pretrained and found != backbone["hash"]:
        raise InputError(
            f"the weights {weights} of {backbone['name']} are not those that made the features: put them back, or "
            "extract again."
        )
    return copy.deepcopy(model)


def pretrained_tail(backbone: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of the backbone's last stage, named as in `TailTaps`."""
    from zslpipe.backbones import split

    _, tail = split(model_of(backbone, pretrained=True))
    tail.model.reset_classifier(0)
    return {f"model.{name}": value for name, value in tail.state_dict().items()}


@lru_cache(2)
def _model(name: str, weights: str, size: int | tuple[int, int] | None) -> tuple[nn.Module, str]:
    """The model and the hash of its weights; every fold starts from it."""
    from zslpipe.backbones import create_model
    from zslpipe.backbones.weights import content_hash

    model = create_model(name, weights, size)
    return model, content_hash(model)
