"""Extracting from Python changes nothing in the user's process."""

import ctypes
import os
import random
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from zslpipe.backbones import create_model, load_backbone
from zslpipe.backbones.engine import tf32
from zslpipe.extract.pipeline import extract


def process_state() -> dict[str, object]:
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    numbers = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
        "numpy": (numbers[1].tolist(), *numbers[2:]),
        "python": random.getstate(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch modes": (
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
            convolutions.benchmark,
            convolutions.deterministic,
            convolutions.allow_tf32,
            products.allow_tf32,
        ),
        "pillow": (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
    }


def fail(*_: object) -> None:
    pytest.fail("the library called it")


def test_extraction_leaves_the_process_as_it_was(folder, tmp_path, monkeypatch):
    for module in (torch.cuda, torch):  # which also reach GPUs that are not initialised yet
        monkeypatch.setattr(module, "manual_seed_all" if module is torch.cuda else "manual_seed", fail)
    monkeypatch.setattr(ctypes, "CDLL", fail)  # the way to malloc's settings
    ids = folder(5)
    before = process_state()
    backbone = load_backbone("resnet18", "random", 64, seed=7)
    extract(backbone, tmp_path / "images", ids, [(0, range(5))], lambda *_: None, batch_size=2, workers=2)
    after = process_state()
    assert {key for key in before if before[key] != after[key]} == set()


def test_random_weights_depend_on_the_seed_alone():
    def first(seed: int) -> torch.Tensor:
        return create_model("resnet18", "random", seed=seed).conv1.weight

    one = first(1)
    torch.rand(3)
    assert torch.equal(one, first(1))
    assert not torch.equal(one, first(2))


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_set_within_the_block_only(allowed):
    def flags() -> list[object]:
        convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
        owners = [convolutions.conv, convolutions.rnn, products] if hasattr(convolutions, "conv") else []
        return [convolutions.allow_tf32, products.allow_tf32, *(owner.fp32_precision for owner in owners)]

    before = flags()
    with tf32(allowed):
        assert flags()[:2] == [allowed, allowed]
    assert flags() == before
