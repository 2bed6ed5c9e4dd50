"""The modes tail and end-to-end: one mechanism, the same numbers, and nothing trained that was not asked for."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from zslpipe.backbones import create_model, load_backbone
from zslpipe.backbones.weights import content_hash
from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Attributes, Head, load_head
from zslpipe.parts.fine_tuning import FineTuningSettings
from zslpipe.parts.torch_head import TorchHead
from zslpipe.store.rows import Features, take
from zslpipe.training import checkpoints

MODEL, SIDE = "test_resnet", 64
SEEN, UNSEEN, EACH, A, WORDS = 4, 2, 6, 5, 3
LABELS = np.repeat(np.arange(SEEN), EACH)
TRAINED = [name for name in HEADS if issubclass(HEADS[name], TorchHead) and "mode" in HEADS[name]().get_params()]


class Stored(dict[str, np.ndarray]):
    """Features that know how they were made, as a store's do."""

    backbone: dict[str, Any]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Random pictures, and the taps of a random network of them."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("images")
    paths = []
    for i, c in enumerate(LABELS):
        pixels = rng.integers(0, 40, size=(SIDE, SIDE, 3)) + 50 * np.array([c % 2, c // 2, c % 3])
        paths.append(folder / f"{i}.png")
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    net = load_backbone(MODEL, "random", SIDE, taps=("global", "region", "trunk"))
    pictures = torch.from_numpy(np.stack([net.transform(Image.open(path)) for path in paths]))
    found = Stored({tap: values.numpy() for tap, values in net(pictures).items()})
    found["image"] = np.array([str(path) for path in paths])
    found.backbone = {
        "name": MODEL,
        "weights": "random",
        "image_size": SIDE,
        "hash": content_hash(create_model(MODEL, "random", SIDE)),
        "transform": net.transform.describe(),
    }
    return found


RNG = np.random.default_rng(1)
SEMANTICS = RNG.uniform(0.1, 1, size=(SEEN + UNSEEN, A)).astype(np.float32)
ATTRIBUTES = Attributes(tuple("abcde"), RNG.normal(size=(A, WORDS)).astype(np.float32))


def head_of(name: str, mode: str, **settings: Any) -> TorchHead:  # type: ignore[type-arg]
    usual = {"epochs": 2, "batch": 8, "device": "cpu", "augment": False, "workers": 0, "optimiser": "sgd"}
    usual |= {"tail_rate": 0.1, "batch_norm": "train"}
    head = HEADS[name](**{**usual, "mode": mode, **settings})
    assert isinstance(head, TorchHead)
    return head


def fit(head: Head, features: Features) -> Head:
    return head.fit(features, LABELS, SEMANTICS, ATTRIBUTES)


def tail_weights(head: Head) -> dict[str, Tensor]:
    assert isinstance(head, TorchHead)
    return {k: v for k, v in head.module_.state_dict().items() if k.startswith("tail.")}


@pytest.mark.parametrize("name", TRAINED)
def test_every_head_trains_the_tail_and_end_to_end_alike(name: str, stored: Stored, tmp_path: Path) -> None:
    tail, whole = (fit(head_of(name, mode), stored) for mode in ("tail", "end-to-end"))
    assert isinstance(tail, TorchHead)
    assert isinstance(whole, TorchHead)
    for stage, history in tail.history_.items():
        for one, other in zip(history, whole.history_[stage], strict=True):
            assert one == pytest.approx(other, rel=1e-4, abs=1e-6)
    trained = whole.module_.state_dict()
    for key, value in tail.module_.state_dict().items():
        torch.testing.assert_close(value, trained[key], rtol=1e-4, atol=1e-4, msg=lambda m, k=key: f"{k}: {m}")
    scores = tail.decision_function(stored, SEMANTICS)
    np.testing.assert_allclose(whole.decision_function(stored, SEMANTICS), scores, rtol=1e-3, atol=1e-3)
    for head in (tail, whole):
        head.save(tmp_path)
        loaded = load_head(tmp_path)
        np.testing.assert_array_equal(
            loaded.decision_function(stored, SEMANTICS), head.decision_function(stored, SEMANTICS)
        )
        assert loaded.decision_function(take(stored, np.arange(0)), SEMANTICS).shape == (0, SEEN + UNSEEN)


def test_the_gradients_of_a_batch_are_the_same(stored: Stored) -> None:
    slopes = []
    for mode in ("tail", "end-to-end"):
        head = head_of("remse", mode, batch=len(LABELS), epochs=1, learning_rate=1.0, tail_rate=1.0, momentum=0.0)
        before = {k: v.clone() for k, v in tail_weights(fit(head.with_params(learning_rate=1e-30), stored)).items()}
        after = tail_weights(fit(head, stored))
        slopes.append({k: before[k] - after[k] for k in before if "running" not in k and "tracked" not in k})
    moved = [key for key, value in slopes[0].items() if value.abs().max() > 0]
    assert len(moved) > 5
    for key in moved:
        scale = float(slopes[0][key].abs().max())
        torch.testing.assert_close(slopes[0][key], slopes[1][key], rtol=1e-4, atol=1e-4 * scale)


def test_it_learns_more_than_a_head_on_frozen_features(stored: Stored) -> None:
    losses = {}
    for mode in ("cached", "tail"):
        head = fit(head_of("remse", mode, optimiser="adam", epochs=8, tail_rate=1.0, branch="global"), stored)
        assert isinstance(head, TorchHead)
        losses[mode] = head.history_[""][-1]["sce"]
    assert losses["tail"] < 0.8 * losses["cached"]


@pytest.mark.parametrize("taps", [("global", "trunk"), ("trunk",)])
def test_the_backbone_stays_as_it_is_while_the_head_warms_up(stored: Stored, taps: tuple[str, ...]) -> None:
    features = Stored({tap: stored[tap] for tap in taps})
    features.backbone = stored.backbone
    settings = {"branch": "global", "epochs": 3}
    warm = fit(head_of("remse", "tail", warm_up=3, **settings), features)
    before = create_model(MODEL, "random", SIDE).state_dict()
    kept = {key.removeprefix("tail.model.model."): value for key, value in tail_weights(warm).items()}
    assert all(torch.equal(value, before[key]) for key, value in kept.items())
    frozen = fit(head_of("remse", "cached", **settings), stored).decision_function(stored, SEMANTICS)
    np.testing.assert_allclose(warm.decision_function(features, SEMANTICS), frozen, rtol=1e-4, atol=1e-4)
    moved = fit(head_of("remse", "tail", warm_up=2, **settings), features)
    assert not all(torch.equal(value, tail_weights(warm)[key]) for key, value in tail_weights(moved).items())


def test_specialists_of_a_backbone_trained_below_its_last_stage(stored: Stored) -> None:
    head = fit(head_of("bgsnet", "end-to-end", modules=2, train_from="layer3", tail_rate=1.0), stored)
    assert isinstance(head, TorchHead)
    assert head.tuning_ is not None
    tuned = create_model(MODEL, "random", SIDE)
    before = tuned.layer3.state_dict()["0.conv1.weight"].clone()
    tuned.load_state_dict(head.tuning_.tail.model.model.state_dict(), strict=False)
    assert not torch.equal(before, tuned.layer3.state_dict()["0.conv1.weight"])
    images = head.tuning_.rows({"image": stored["image"]}, torch.device("cpu"))[np.arange(3)]
    with torch.no_grad():
        made = head.tuning_(images)
        layers = (tuned.layer1, tuned.layer2, tuned.layer3)
        trunk = nn.Sequential(tuned.conv1, tuned.bn1, tuned.act1, tuned.maxpool, *layers).eval()(images["image"])
    torch.testing.assert_close(made["trunk"], trunk.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_layers_have_learning_rates_of_their_own(stored: Stored) -> None:
    head = head_of("remse", "end-to-end", train_from="layer3", tail_rate=0.5, layer_decay=0.1)
    fit(head, stored)
    optimiser = head._optimiser(head.parameters(head.module_))
    rates = [
        (group["lr"] / head.learning_rate, sum(p.numel() for p in group["params"])) for group in optimiser.param_groups
    ]
    assert [rate for rate, _ in rates] == pytest.approx([1, 0.05, 0.5])
    model = create_model(MODEL, "random", SIDE)
    layers = [sum(p.numel() for p in layer.parameters()) for layer in (model.layer3, model.layer4)]
    assert [count for _, count in rates[1:]] == layers


def test_what_is_not_trained_stays(stored: Stored) -> None:
    head = head_of("remse", "end-to-end")
    fit(head, stored)
    assert head.tuning_ is not None
    trunk, model = head.tuning_.trunk.state_dict(), create_model(MODEL, "random", SIDE).state_dict()
    assert any("running_mean" in key for key in trunk)
    assert all(torch.equal(value, model[key.removeprefix("model.")]) for key, value in trunk.items())
    kept = {k.removeprefix("tail.model.model."): v for k, v in tail_weights(head).items()}
    assert not any(torch.equal(kept[k], model[k]) for k in kept if k.endswith(("conv1.weight", "running_mean")))


def test_frozen_batch_norm_keeps_its_statistics(stored: Stored) -> None:
    kept = tail_weights(fit(head_of("remse", "tail", batch_norm="frozen"), stored))
    start = create_model(MODEL, "random", SIDE).state_dict()
    names = [k for k in kept if "running" in k]
    assert names
    assert all(torch.equal(kept[k], start[k.removeprefix("tail.model.model.")]) for k in names)


def test_recomputed_activations_change_nothing(stored: Stored) -> None:
    once, again = (tail_weights(fit(head_of("remse", "tail", recompute=r), stored)) for r in (False, True))
    for key, value in once.items():
        if "tracked" not in key:
            torch.testing.assert_close(again[key], value, msg=lambda m, k=key: f"{k}: {m}")


def test_augmented_images_by_workers_are_repeatable(stored: Stored) -> None:
    scores = [
        fit(head_of("remse", "end-to-end", augment=True, workers=w, epochs=1), stored).decision_function(
            stored, SEMANTICS
        )
        for w in (0, 1)
    ]
    np.testing.assert_array_equal(*scores)


def test_mixed_precision(stored: Stored) -> None:
    half, whole = (
        fit(head_of("remse", "tail", precision=p), stored).decision_function(stored, SEMANTICS)
        for p in ("bfloat16", "float32")
    )
    assert not np.array_equal(half, whole)
    assert np.abs(half - whole).max() < 0.2 * np.ptp(whole)


@pytest.mark.parametrize(("mode", "warm_up"), [("tail", 0), ("tail", 1), ("end-to-end", 0)])
def test_interrupted_and_resumed_to_the_same_weights(mode: str, warm_up: int, stored: Stored, tmp_path: Path) -> None:
    settings = {"base_epochs": 2, "warm_up": warm_up}
    whole = fit(head_of("gnet", mode, **settings), stored)
    with checkpoints(tmp_path, every_s=0):
        stopped = head_of("gnet", mode, **settings)
        terms, left = stopped.terms, [5]  # in the middle of the second epoch

        def dying(*args: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return terms(*args)

        stopped.terms = dying  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            fit(stopped, stored)
        resumed = fit(head_of("gnet", mode, **settings), stored)
    for key, value in tail_weights(whole).items():
        assert torch.equal(tail_weights(resumed)[key], value), key
    np.testing.assert_array_equal(
        resumed.decision_function(stored, SEMANTICS), whole.decision_function(stored, SEMANTICS)
    )


def test_new_images_may_be_pixels(stored: Stored) -> None:
    head = fit(head_of("remse", "end-to-end"), stored)
    assert head.tuning_ is not None
    pixels = np.stack([head.tuning_.transform(Image.open(path)) for path in stored["image"]])
    np.testing.assert_allclose(
        head.decision_function({"image": pixels}, SEMANTICS), head.decision_function(stored, SEMANTICS), atol=1e-5
    )


@pytest.mark.parametrize("name", sorted(set(HEADS) - set(TRAINED)))
def test_heads_without_the_modes_have_none_of_their_settings(name: str) -> None:
    assert not {f.name for f in fields(FineTuningSettings)} & HEADS[name]().get_params().keys()


def with_backbone(stored: Stored, **changes: Any) -> Stored:
    changed = Stored(stored)
    changed.backbone = {**stored.backbone, **changes}
    return changed


def test_bad_requests_are_told(stored: Stored) -> None:
    def refused(text: str, features: Features = stored, **settings: Any) -> None:
        with pytest.raises(InputError, match=text):
            fit(head_of("remse", **{"mode": "tail", **settings}), features)

    bare = Stored({"global": stored["global"]})
    bare.backbone = {"name": "res101"}
    refused("'trunk', but there are only global: extract with --taps global,region,trunk", bare)
    refused("made by an unknown model, whose layers cannot be trained", dict(stored))
    imported = Stored(stored)
    imported.backbone = {"name": "res101"}
    refused("made by res101, whose layers", imported)
    refused("weights random of test_resnet are not those", with_backbone(stored, hash="0"))
    refused("train_from is for the mode end-to-end", train_from="layer4")
    refused("unknown layer of 'test_resnet' 'layer9'", mode="end-to-end", train_from="layer9")
    refused("unknown value of mode 'tails'", mode="tails")


def test_cached_features_need_no_timm() -> None:
    code = (
        "import sys, numpy as np; from zslpipe.heads import HEADS\n"
        "x, y = {'global': np.eye(6, dtype='f')}, np.arange(6) % 3\n"
        "HEADS['gnet'](epochs=1, base_epochs=1, device='cpu').fit(x, y, np.eye(3, dtype='f'))\n"
        "assert 'timm' not in sys.modules, 'timm was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
