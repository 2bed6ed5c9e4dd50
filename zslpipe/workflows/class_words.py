"""Semantics that come from words, through an encoder or the text tower of a store's backbone."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.semantics import load_semantics
from zslpipe.data.texts import TEXTS, Encode, TextSpec, class_texts, described, in_words
from zslpipe.data.word_vectors import vectors_of
from zslpipe.data.words import plain
from zslpipe.errors import InputError
from zslpipe.files import sha256_json
from zslpipe.store.feature_store import FeatureStore
from zslpipe.workflows.find import Origin

if TYPE_CHECKING:
    from zslpipe.backbones.two_towers import TextTower

PROMPTS = "prompts"
TEMPLATES = {  # published with CLIP for datasets of the same kind (Radford et al., 2021)
    "cub": ("a photo of a {}, a type of bird.",),
    "flo": ("a photo of a {}, a type of flower.",),
    "sun": ("a photo of a {}.", "a photo of the {}."),
}
PLAIN = ("a photo of a {}.",)


def describe(benchmark: Benchmark, spec: str, store: FeatureStore, data_root: Path | None = None) -> Benchmark:
    """`load_semantics`, and `prompts[:TEMPLATES.txt]`: class names in prompts, through the store's text tower.

    Raises:
        InputError: as for `load_semantics`, or if the store's backbone has no text tower.
    """
    words = TextSpec.of(spec)
    if words.kind != PROMPTS:
        return load_semantics(benchmark, spec, data_root)
    tower, templates = _tower(store), read_templates(words.file, benchmark.name)
    source = f"{PROMPTS} {store.provenance['fingerprinted']['backbone']} {sha256_json(templates)[:16]}"
    return described(benchmark, tower.prompts(class_texts(benchmark.class_names), templates), source)


def lasting_spec(spec: str) -> str:
    """The specification with the absolute path of its file, if it is one from words."""
    words = TextSpec.of(spec)
    return str(words) if words.kind in (PROMPTS, *TEXTS) else spec


def encoder_of(spec: str, store: FeatureStore | Origin, dataset: str) -> Encode | None:
    """What makes the semantics of further classes of a run with this specification; None if it takes no words.

    A sentence given to `prompts` is encoded as it is; a name is put into the templates.
    """
    words = TextSpec.of(spec)

    def from_text(texts: Mapping[str, str]) -> np.ndarray:
        from zslpipe.data.sentence_encoder import sentence_encoder

        return sentence_encoder(words.model)(in_words(texts, texts))

    def from_words(texts: Mapping[str, str]) -> np.ndarray:
        assert words.file is not None
        return vectors_of(words.file, in_words(texts, texts), "class").vectors

    def from_prompts(texts: Mapping[str, str]) -> np.ndarray:
        tower, templates = _tower(store), read_templates(words.file, dataset)
        rows = [tower([text]) if text else tower.prompts([plain(name)], templates) for name, text in texts.items()]
        return np.concatenate(rows)

    return {"text": from_text, "words": from_words, PROMPTS: from_prompts}.get(words.kind)


def read_templates(file: Path | None, dataset: str) -> tuple[str, ...]:
    """The lines of a file, each with {} in the place of the class; without a file the published ones of the dataset.

    Raises:
        InputError: if the file is missing or empty, or a line has no {}.
    """
    if file is None:
        return TEMPLATES.get(dataset, PLAIN)
    if not file.is_file():
        raise InputError(f"there is no file {file}: give one with a template such as '{PLAIN[0]}' on each line.")
    lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    for number, line in enumerate(lines, start=1):
        if (line and line.count("{}") != 1) or line.replace("{}", "").count("{") + line.replace("{}", "").count("}"):
            raise InputError(f"{file} line {number}: a template needs {{}} once, where the class name goes.")
    templates = tuple(line for line in lines if line)
    if not templates:
        raise InputError(f"{file} is empty: put a template such as '{PLAIN[0]}' on each line.")
    return templates


@cache
def _text_tower(backbone: str, weights: str) -> "TextTower":
    from zslpipe.backbones.two_towers import TextTower

    return TextTower(backbone, weights)


def _tower(store: FeatureStore | Origin) -> "TextTower":
    """The text tower that was trained with the image tower that made the store.

    Raises:
        InputError: if there is none, or its weights have changed.
    """
    from zslpipe.backbones.open_clip_models import PREFIX

    request = store.provenance["recorded"].get("request", {})
    name = str(request.get("backbone", ""))
    if not name.startswith(PREFIX):
        raise InputError(
            f"{store.path.name} was not extracted with two towers, so there is no text tower for '{PROMPTS}': extract "
            f"with --backbone {PREFIX}MODEL.TAG, or use --semantics text."
        )
    tower = _text_tower(name, request["weights"])
    if tower.image_hash != store.provenance["fingerprinted"]["weights"]:
        raise InputError(f"the weights of {name} are not those that made {store.path.name}: extract again.")
    return tower
