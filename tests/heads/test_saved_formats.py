"""Heads saved by earlier versions can be read; if not, the error says why."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zslpipe.errors import InputError
from zslpipe.heads import load_head
from zslpipe.heads.eszsl import Eszsl

SAVED = Path(__file__).parent / "saved_in_format_1"  # written by version 0.1.0, with its scores


@pytest.mark.parametrize("name", sorted(p.name for p in SAVED.iterdir() if p.is_dir()))
def test_format_1_is_read(name: str) -> None:
    with np.load(SAVED / "expected.npz") as file:
        arrays = dict(file)
    features = {tap: arrays[tap] for tap in ("global", "region")}
    scores = load_head(SAVED / name).decision_function(features, arrays["semantics"])
    np.testing.assert_allclose(scores, arrays[f"scores {name}"], rtol=1e-5, atol=1e-6)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    shutil.copytree(SAVED / "eszsl", tmp_path / "head")
    return tmp_path / "head"


def rewrite(folder: Path, **changed: Any) -> None:
    about = json.loads((folder / "head.json").read_text())
    (folder / "head.json").write_text(json.dumps(about | changed))


def test_a_later_format_asks_for_an_update(saved: Path) -> None:
    rewrite(saved, format=99)
    with pytest.raises(InputError, match=r"written by a later version of zslpipe \(format 99\): update zslpipe"):
        load_head(saved)


def test_a_setting_that_is_gone_is_named(saved: Path) -> None:
    rewrite(saved, params={"gama": 1.0})
    with pytest.raises(InputError, match="unknown setting of eszsl 'gama': did you mean gamma"):
        load_head(saved)


def test_a_renamed_setting_is_read_and_reported(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Eszsl, "renamed", {"ridge": "gamma"})
    rewrite(saved, params={"ridge": 5.0})
    assert load_head(saved).get_params()["gamma"] == 5.0
    with pytest.raises(InputError, match="the setting 'ridge' of eszsl is now called 'gamma'"):
        Eszsl().set_params(ridge=5.0)


@pytest.mark.parametrize("gone", ["head.json", "head.safetensors"])
def test_half_a_head_is_refused(saved: Path, gone: str) -> None:
    (saved / gone).unlink()
    with pytest.raises(InputError, match="does not contain a complete head"):
        load_head(saved)
