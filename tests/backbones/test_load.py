"""Registered backbones, and names of backbones."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from zslpipe.backbones import BACKBONES, Backbone, Transform, list_backbones, load_backbone
from zslpipe.errors import InputError
from zslpipe.extract.pipeline import extract

GREY = (0.5, 0.5, 0.5)


class MeanColour:
    """One region for each quarter of the image: its mean colour."""

    def __init__(self, taps, side, device):
        self.taps = {tap: shape for tap, shape in {"global": (3,), "region": (4, 3)}.items() if tap in taps}
        self.grids = {"global": None, "region": (2, 2)}
        self.transform = Transform((side, side), 1.0, "bilinear", GREY, GREY)
        self.device = torch.device(device)

    def __call__(self, images):
        region = torch.nn.functional.adaptive_avg_pool2d(images.permute(0, 3, 1, 2).float(), 2).flatten(2).mT
        features = {"region": region, "global": region.mean(1)}
        return {tap: features[tap] for tap in reversed(self.taps)}

    def describe(self):
        return {"backbone": "mean-colour", "transform": self.transform.describe()}


def make_mean_colour(*, weights, image_size, taps, precision, device, compile, seed):
    return MeanColour(taps, image_size or 32, device)


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(BACKBONES, "_things", {})
    monkeypatch.setitem(vars(BACKBONES), "_entries", {})
    BACKBONES.register("mean-colour")(make_mean_colour)


@pytest.mark.usefixtures("registered")
def test_a_registered_backbone_is_extracted_like_any_other(tmp_path):
    ids = ["a.png", "b.png", "c.png"]
    for shade, name in enumerate(ids):
        Image.new("RGB", (40, 30), (10 * shade, 200, 30)).save(tmp_path / name)
    backbone = load_backbone("mean-colour", image_size=16)
    assert isinstance(backbone, Backbone)
    written = {}

    def write(piece, arrays, failures):
        written.update(arrays)

    extract(backbone, tmp_path, ids, [(0, range(3))], write, dtype="float32")
    assert {tap: values.shape for tap, values in written.items()} == {"global": (3, 3), "region": (3, 4, 3)}
    np.testing.assert_allclose(written["global"], [[0, 200, 30], [10, 200, 30], [20, 200, 30]], atol=0.01)


@pytest.mark.usefixtures("registered")
def test_registered_names_come_before_timms():
    assert load_backbone("mean-colour", taps=("global",)).taps == {"global": (3,)}
    BACKBONES.register("resnet18")(make_mean_colour)
    assert isinstance(load_backbone("resnet18"), MeanColour)
    assert list_backbones("*n*18")[:1] == ["resnet18"]
    assert list_backbones("resnet18").count("resnet18") == 1


@pytest.mark.usefixtures("registered")
def test_entry_points_of_packages_are_backbones(monkeypatch):
    entry = EntryPoint("from-package", "some_module", BACKBONES.group)
    monkeypatch.setattr(EntryPoint, "load", lambda self: BACKBONES.register(self.name)(make_mean_colour))
    monkeypatch.setitem(vars(BACKBONES), "_entries", {entry.name: entry})
    assert "from-package" in list_backbones("package")
    assert isinstance(load_backbone("from-package"), MeanColour)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("name", "near"), [("mean-color", "mean-colour"), ("resnet11", "resnet101"), ("resnet18.x", r"resnet18\.\w+_in1k")]
)
def test_unknown_names_suggest_near_ones(name, near):
    with pytest.raises(InputError, match=f"unknown backbone '{name}': did you mean .*{near}"):
        load_backbone(name)


@pytest.mark.usefixtures("registered")
def test_what_a_factory_returned_is_checked():
    with pytest.raises(InputError, match="the backbone 'mean-colour' has no tap 'trunk': available: global"):
        load_backbone("mean-colour", taps=("global", "trunk"))
    BACKBONES.register("half")(lambda **_: object())
    with pytest.raises(InputError, match="the backbone 'half' lacks taps, grids, transform, device, describe"):
        load_backbone("half")


@pytest.mark.usefixtures("registered")
def test_names_are_listed_by_word_and_by_pattern():
    names = list_backbones()
    assert names[0] == "mean-colour"
    assert [name for name in names[1:] if not name.startswith("open_clip/")] == timm.list_models()
    by_word = list_backbones("resnet")
    assert {"resnet18", "seresnet50"} <= set(by_word)
    assert all("resnet" in name for name in by_word)
    assert list_backbones("COLOUR") == ["mean-colour"]
    assert list_backbones("resnet18?") == ["resnet18d"]
    assert list_backbones("no such name") == []
