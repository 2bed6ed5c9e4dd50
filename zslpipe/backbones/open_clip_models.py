"""open_clip models, an optional extra: created by name, with pretrained weights, from a file, or random."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from zslpipe.backbones.download import offline, reachable
from zslpipe.backbones.weights import first_line, read_state
from zslpipe.errors import InputError
from zslpipe.extras import need
from zslpipe.random_state import own_random_state
from zslpipe.registry import unknown

PREFIX = "open_clip/"
HUB = "https://huggingface.co"


class Model(NamedTuple):
    """The name of a model: `open_clip/ViT-B-32.openai` is the architecture ViT-B-32 with the weights openai."""

    architecture: str
    tag: str

    @classmethod
    def of(cls, name: str) -> "Model":
        architecture, _, tag = name.removeprefix(PREFIX).partition(".")
        return cls(architecture, tag)


def library() -> ModuleType:
    """The module open_clip.

    Raises:
        InputError: if it is not installed.
    """
    return need("open_clip", "clip", "a backbone named open_clip/...")


def list_open_clip() -> list[str]:
    """Names of the architectures, without importing the library (which takes seconds); empty if it is not installed."""
    found = importlib.util.find_spec("open_clip")
    places = (found.submodule_search_locations or ()) if found else ()
    files = [file for place in places for file in Path(place).glob("model_configs/*.json")]
    return [f"{PREFIX}{file.stem}" for file in sorted(files)]


def create_open_clip(name: str, weights: str | Path = "timm", image_size: Any = None, seed: int = 0) -> Any:
    """Both towers of a model on the CPU, in eval mode; arguments and errors as for `load_backbone`."""
    open_clip, model = library(), Model.of(name)
    if model.architecture not in open_clip.list_models():
        raise unknown("open_clip model", model.architecture, open_clip.list_models())
    if weights == "timm":
        check_tag(model)
    options: dict[str, Any] = {} if image_size is None else {"force_image_size": image_size}
    # Only the CPU's generator is seeded, and put back: torch.manual_seed would seed every GPU as well.
    with torch.device("cpu"), own_random_state(), _quiet():
        torch.default_generator.manual_seed(seed)
        try:
            if weights == "timm":
                with offline(not reachable(HUB)):
                    options |= {"pretrained": model.tag, "require_pretrained": True}
                    return open_clip.create_model(model.architecture, **options).eval()
            made = open_clip.create_model(model.architecture, pretrained_text=False, **options)
        except Exception as error:  # whatever the library, the hub and the file system raise
            remedy = "use --weights FILE on a machine that cannot reach it" if weights == "timm" else "try another size"
            raise InputError(f"{name} cannot be created ({first_line(error)}): {remedy}.") from None
    if weights != "random":
        _load(made, Path(weights))
    return made.eval()


def check_tag(model: Model) -> None:
    """Raise `InputError` unless the name of the model says which of its pretrained weights are meant."""
    tags = library().list_pretrained_tags_by_model(model.architecture)
    if not tags:
        raise InputError(f"open_clip has no pretrained weights for {model.architecture}: give --weights FILE.")
    if not model.tag:
        known = ", ".join(tags)
        raise InputError(
            f"say which weights of {model.architecture}, as in {PREFIX}{model.architecture}.{tags[0]}: {known}."
        )
    if model.tag not in tags:
        raise unknown(f"weights of {model.architecture}", model.tag, tags)


def open_clip_source(name: str) -> dict[str, str]:
    """Where the pretrained weights of a model come from."""
    model = Model.of(name)
    config = library().get_pretrained_cfg(model.architecture, model.tag)
    return {key: str(config[key]) for key in ("hf_hub", "url") if config.get(key)}


def _load(model: Any, path: Path) -> None:
    state = read_state(path)
    own = model.state_dict()
    missing = [key for key in own if key not in state]
    wrong = [key for key, value in state.items() if key not in own or own[key].shape != value.shape]
    if missing or wrong:
        raise InputError(f"the weights of {path} do not fit this model: {(missing + wrong)[0]} is missing or differs.")
    model.load_state_dict(state)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's messages on standard error."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
