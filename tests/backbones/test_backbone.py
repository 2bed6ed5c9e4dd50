"""Backbones against timm itself: taps, transform, precision, and invalid requests."""

import numpy as np
import pytest
import timm
import timm.data
import torch
from PIL import Image
from torch._dynamo.exc import TorchDynamoException

from zslpipe.backbones import Backbone, create_model, load_backbone
from zslpipe.errors import InputError, ZslpipeError

LITE = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Smooth pictures of different shapes, like photos."""
    rng = np.random.default_rng(0)
    sizes = [(300, 220), (190, 260), (256, 256)]
    coarse = [Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)) for _ in sizes]
    return [c.resize(size, Image.Resampling.BICUBIC) for c, size in zip(coarse, sizes)]


@pytest.fixture(scope="module")
def lite() -> Backbone:
    return load_backbone(LITE, "package", taps=("global", "region", "trunk"))


def pixels(backbone: Backbone, pictures: list[Image.Image]) -> torch.Tensor:
    return torch.from_numpy(np.stack([backbone.transform(p) for p in pictures]))


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(1).double(), b.flatten(1).double()).min())


def test_shapes_are_known_before_the_first_batch(lite, pictures):
    assert lite.taps == {"global": (1280,), "region": (49, 1280), "trunk": (14, 14, 112)}
    assert lite.grids == {"global": None, "region": (7, 7), "trunk": (14, 14)}
    for tap, values in lite(pixels(lite, pictures)).items():
        assert tuple(values.shape) == (3, *lite.taps[tap])


def test_features_equal_timms_own_way(lite, pictures):
    model = timm.create_model(LITE).eval()
    model.load_state_dict(lite_state(model))
    steps = timm.data.create_transform(
        (3, 224, 224), interpolation="bicubic", mean=(127 / 255,) * 3, std=(128 / 255,) * 3, crop_pct=0.875
    )
    with torch.no_grad():
        expected = model.forward_head(
            model.forward_features(torch.stack([steps(p) for p in pictures])), pre_logits=True
        )
    assert cosine(lite(pixels(lite, pictures))["global"], expected) > 0.999999


def lite_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    from zslpipe.backbones.packages import package_state

    return model.state_dict() | package_state(LITE, model)


def test_global_is_the_mean_of_the_regions(lite, pictures):
    out = lite(pixels(lite, pictures))
    torch.testing.assert_close(out["global"], out["region"].mean(1), rtol=1e-4, atol=1e-5)


def test_float_images_are_taken_as_normalised(lite, pictures):
    raw = pixels(lite, pictures)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (lite.transform.mean, lite.transform.std))
    normalised = (raw.permute(0, 3, 1, 2) / 255 - mean) / std
    assert cosine(lite(raw)["region"], lite(normalised)["region"]) > 0.999999


def test_bfloat16_points_the_same_way(lite, pictures):
    half = load_backbone(LITE, "package", precision="bfloat16")
    assert half(pixels(half, pictures))["global"].dtype == torch.bfloat16
    assert cosine(half(pixels(half, pictures))["global"], lite(pixels(lite, pictures))["global"]) > 0.998
    assert half.describe() != lite.describe()


def test_resnet_regions_are_rows_of_the_map(pictures):
    backbone = load_backbone("resnet18", "random", 96, taps=("region", "trunk", "global"))
    assert list(backbone.taps.items()) == [("global", (512,)), ("region", (9, 512)), ("trunk", (6, 6, 256))]
    torch.manual_seed(0)
    model = timm.create_model("resnet18").eval()
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        final, maps = model.forward_intermediates(images)
    out = backbone(images)
    torch.testing.assert_close(out["region"][:, 5], final[:, :, 1, 2], rtol=1e-3, atol=1e-4)  # 5 = 1 * 3 + 2
    torch.testing.assert_close(out["trunk"], maps[-2].permute(0, 2, 3, 1), rtol=1e-3, atol=1e-4)


def test_grids_of_images_that_are_not_square():
    size = (96, 64)
    backbone = load_backbone("resnet18", "random", size, taps=("global", "region", "trunk"))
    assert backbone.taps == {"global": (512,), "region": (6, 512), "trunk": (6, 4, 256)}
    assert backbone.grids == {"global": None, "region": (3, 2), "trunk": (6, 4)}
    model = create_model("resnet18", "random", size)
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        final = model.forward_features(images)
    region = backbone(images)["region"].unflatten(1, backbone.grids["region"])
    torch.testing.assert_close(region, final.permute(0, 2, 3, 1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"])
def test_grids_of_vits_leave_out_prefix_tokens(name):
    backbone = load_backbone(name, "random", (96, 64))
    assert backbone.taps["region"] == (24, 192)
    assert backbone.grids == {"global": None, "region": (6, 4)}


def test_a_grid_that_is_not_the_patch_grid_is_unknown():
    backbone = load_backbone("levit_128s", "random", taps=("region",))  # merges its 14 x 14 patches
    assert backbone.taps["region"] == (16, 384)
    assert backbone.grids == {"region": None}


@pytest.mark.slow
def test_resnet101_has_the_papers_shapes():
    assert load_backbone("resnet101", "random", taps=("region", "trunk")).taps == {
        "region": (49, 2048),
        "trunk": (14, 14, 1024),
    }
    assert load_backbone("resnet101", "random", 448).taps == {"global": (2048,), "region": (196, 2048)}


def test_vit_regions_leave_out_the_class_token():
    name = "vit_tiny_patch16_224"
    backbone = load_backbone(name, "random", 64)
    assert backbone.taps == {"global": (192,), "region": (16, 192)}
    torch.manual_seed(0)
    model = timm.create_model(name, img_size=(64, 64)).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        tokens = model.forward_features(images)
    out = backbone(images)
    torch.testing.assert_close(out["region"], tokens[:, 1:], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(out["global"], tokens[:, 0], rtol=1e-3, atol=1e-4)


def test_swin_keeps_channels_last():
    backbone = load_backbone("swin_tiny_patch4_window7_224", "random")
    out = backbone(torch.rand(1, 3, 224, 224))
    torch.testing.assert_close(out["global"], out["region"].mean(1), rtol=1e-3, atol=1e-4)


def test_the_description_contains_what_changes_features():
    def about(**changes):
        return load_backbone("resnet18", **({"weights": "random", "image_size": 64} | changes)).describe()

    one = about()
    assert one == about()
    changes = [
        {"seed": 1},
        {"image_size": 96},
        {"precision": "bfloat16"},
        {"taps": ("global",)},
    ]
    different = [about(**change) for change in changes]
    assert all(d != one for d in different)


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"name": "resnet11"}, "resnet101"),
        ({"name": "resnet18.nonsense"}, r"resnet18\.\w+_in1k"),
        ({"name": "resnet18", "weights": "random", "taps": ("regions",)}, "region"),
        ({"name": "resnet18", "weights": "random", "taps": ()}, "no taps"),
        ({"name": "vit_tiny_patch16_224", "weights": "random", "taps": ("trunk",)}, "leave out the tap 'trunk'"),
        ({"name": "vit_tiny_patch16_224", "weights": "random", "image_size": 8}, "8 x 8"),
        ({"name": "resnet18", "weights": "random", "device": "gpu"}, "unknown device"),
        ({"name": "resnet18", "weights": "random", "precision": "int8"}, "bfloat16"),
        ({"name": "resnet18", "weights": "random", "precision": "float16"}, "bfloat16"),
        ({"name": "resnet18", "weights": "package"}, "tf_efficientnet_lite0"),
    ],
)
def test_invalid_requests_get_one_sentence(request_, word):
    with pytest.raises(InputError, match=word) as caught:
        load_backbone(**request_)
    assert "\n" not in str(caught.value)


@pytest.mark.real
def test_the_packages_weights_recognise_birds(data_root):
    """Laysan albatrosses and indigo buntings are ImageNet classes 146 and 14."""
    backbone = load_backbone(LITE, "package", taps=("global",))
    model = timm.create_model(LITE).eval()
    model.load_state_dict(lite_state(model))
    right = []
    for folder, label in (("002.Laysan_Albatross", 146), ("014.Indigo_Bunting", 14)):
        files = sorted((data_root / "images" / "CUB50" / folder).glob("*.jpg"))[:30]
        features = backbone(pixels(backbone, [Image.open(f).convert("RGB") for f in files]))["global"]
        right += (model.classifier(features).argmax(1) == label).tolist()
    assert np.mean(right) > 0.9


@pytest.mark.slow
def test_compiled_features_are_the_same_and_described(lite, pictures):
    compiled = load_backbone(LITE, "package", compile=True)
    for count in (3, 2):
        out = compiled(pixels(compiled, pictures[:count]))
        assert cosine(out["region"], lite(pixels(lite, pictures[:count]))["region"]) > 0.9999
    assert compiled.describe()["engine"] == "compile"


def test_features_can_be_used_in_training(lite, pictures):
    features = lite(pixels(lite, pictures))["global"]
    weight = torch.zeros(1280, 1, requires_grad=True)
    (features @ weight).sum().backward()
    assert weight.grad is not None


def test_a_failing_compiler_is_reported(monkeypatch):
    def broken(module):
        def run(images):
            raise TorchDynamoException("no working C++ compiler found")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    backbone = load_backbone("resnet18", "random", 64, compile=True)
    with pytest.raises(ZslpipeError, match=r"no working C\+\+ compiler found.*leave out --compile"):
        backbone(torch.rand(1, 3, 64, 64))
