"""open_clip's two towers against open_clip itself, with small random weights."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from zslpipe.backbones import list_backbones, load_backbone, weights_source
from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Classes

open_clip = pytest.importorskip("open_clip")

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
TIMM = {
    "image_size": 64,
    "timm_model_name": "test_vit",
    "timm_model_pretrained": False,
    "timm_pool": "",
    "timm_proj": "",
}
NAMES, TEMPLATES = ["red bird", "blue dog", "aeroplane"], ["a photo of a {}.", "a drawing of the {}."]


@pytest.fixture(scope="module", autouse=True)
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("models")
    before = dict(open_clip.factory._MODEL_CONFIGS)
    timm_tower = {**TIMM, "timm_pool": "avg", "timm_proj": "linear"}
    for name, vision in {"small-vit": VIT, "small-resnet": RESNET, "small-timm": timm_tower}.items():
        (folder / f"{name}.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": TEXT}))
    open_clip.add_model_config(folder)
    yield
    open_clip.factory._MODEL_CONFIGS.clear()
    open_clip.factory._MODEL_CONFIGS.update(before)


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (50 + i, 60, 3), np.uint8)) for i in range(4)]


def pixels(backbone: Any) -> torch.Tensor:
    return torch.from_numpy(np.stack([backbone.transform(image) for image in pictures()]))


@pytest.mark.parametrize("name", ["small-vit", "small-resnet", "small-timm"])
def test_scores_of_the_head_prompt_are_those_of_open_clip(name: str) -> None:
    """Images through our transform, engine and head; texts through our tower; all against the library's own way."""
    from zslpipe.backbones.two_towers import TextTower

    backbone = load_backbone(f"open_clip/{name}", "random", taps=("embedding", "global", "region"))
    tower = TextTower(f"open_clip/{name}", "random")
    made = {tap: rows.numpy() for tap, rows in backbone(pixels(backbone)).items()}
    texts = tower.prompts(NAMES, TEMPLATES)
    head = HEADS["prompt"]().fit(made, np.array([0, 1, 2, 0]), texts)
    scores = head.bind(Classes(texts, np.ones(3, bool)))(made)

    model = tower.model
    transform = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg), is_train=False
    )
    weights = open_clip.build_zero_shot_classifier(model, open_clip.get_tokenizer(name), NAMES, TEMPLATES)
    with torch.no_grad():
        images = model.encode_image(torch.stack([transform(image) for image in pictures()]), normalize=True)
        expected = 100.0 * images @ weights
    np.testing.assert_allclose(scores / 100, expected / 100, atol=1e-5)
    assert tower.image_hash == backbone.describe()["weights"]
    assert np.ptp(expected.numpy()) > 0.01  # the comparison could fail


def test_taps() -> None:
    backbone = load_backbone("open_clip/small-vit", "random", taps=("region", "embedding", "global"))
    assert backbone.taps == {"embedding": (16,), "global": (16,), "region": (16, 32)}
    assert backbone.grids == {"embedding": None, "global": None, "region": (4, 4)}
    made = backbone(pixels(backbone))
    norms = made["global"].norm(dim=1, keepdim=True)
    torch.testing.assert_close(made["embedding"], made["global"] / norms)
    alone = load_backbone("open_clip/small-vit", "random", taps=("embedding",))
    torch.testing.assert_close(alone(pixels(alone))["embedding"], made["embedding"])
    resnet = load_backbone("open_clip/small-resnet", "random", taps=("region",))
    assert resnet.taps == {"region": (1, 256)}


def test_weights_from_a_file(tmp_path: Path) -> None:
    from zslpipe.backbones.open_clip_models import create_open_clip

    other = create_open_clip("open_clip/small-vit", "random", seed=7)
    torch.save(other.state_dict(), tmp_path / "w.pt")
    taken = load_backbone("open_clip/small-vit", tmp_path / "w.pt", taps=("embedding",))
    made = load_backbone("open_clip/small-vit", "random", taps=("embedding",), seed=7)
    assert taken.describe()["weights"] == made.describe()["weights"]
    assert load_backbone("open_clip/small-vit", "random", taps=("embedding",)).describe() != made.describe()
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt do not fit this model"):
        load_backbone("open_clip/small-vit", tmp_path / "other.pt", taps=("embedding",))


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("open_clip/ViT-B-32", {}, r"say which weights of ViT-B-32, as in open_clip/ViT-B-32\.openai: openai, laion"),
        ("open_clip/ViT-B-32.opanai", {}, "unknown weights of ViT-B-32 'opanai': did you mean openai"),
        ("open_clip/ViT-B-31", {"weights": "random"}, "unknown open_clip model 'ViT-B-31': did you mean ViT-B-32"),
        ("open_clip/small-vit", {}, "open_clip has no pretrained weights for small-vit: give --weights FILE"),
        (
            "open_clip/small-vit",
            {"weights": "random", "taps": ("trunk",)},
            "unknown tap of open_clip/small-vit 'trunk'",
        ),
    ],
)
def test_wrong_requests(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_backbone(name, **options)


def test_an_absent_library_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "open_clip" else find(name, *a))
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(InputError, match=r"needs open_clip: pip install 'zslpipe\[clip\]'"):
        load_backbone("open_clip/ViT-B-32.openai")
    assert not list_backbones("open_clip/*")


def test_names_are_listed_and_sources_recorded() -> None:
    assert "open_clip/ViT-B-32" in list_backbones("vit-b-32")
    assert weights_source("open_clip/ViT-B-32.laion2b_s34b_b79k", "timm")["hf_hub"].startswith("laion/")
