"""The base of trained heads: where features are kept, which settings it rejects, which settings share a training."""

import numpy as np
import pytest
import torch

from zslpipe.errors import InputError
from zslpipe.heads import Attributes
from zslpipe.heads.attention_net import AttentionNet
from zslpipe.store.rows import Features, Subset
from zslpipe.training import placed
from zslpipe.training.placed import Placed

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
REGION = RNG.normal(size=(40, 4, 6)).astype(np.float16)
FEATURES: Features = {"region": Subset(REGION, np.arange(40)), "global": REGION.mean(1)}
LABELS = np.repeat(np.arange(5), 8)
SEMANTICS = RNG.uniform(size=(5, 7)).astype(np.float32)
ATTRIBUTES = Attributes(tuple("abcdefg"), RNG.normal(size=(7, 3)).astype(np.float32))


def quick(**settings: object) -> AttentionNet:
    return AttentionNet(**{"epochs": 2, "width": 8, "batch": 16, "device": "cpu", **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("small", "share", "kept"), [(2**30, 1.0, torch.float32), (0, 1.0, torch.float16), (0, 0.0, None)]
)
def test_batches_are_the_same_wherever_features_are(
    monkeypatch: pytest.MonkeyPatch, small: int, share: float, kept: torch.dtype | None
) -> None:
    monkeypatch.setattr(placed, "SMALL", small)
    monkeypatch.setattr(placed, "SHARE", share)
    features = Placed(FEATURES, ("region",), CPU)
    held = features.taps["region"]
    assert isinstance(held, torch.Tensor) if kept else isinstance(held, Subset)
    assert kept is None or held.dtype == kept
    index = np.array([5, 3, 39, 3])
    batch = features[index]["region"]
    assert batch.dtype == torch.float32
    np.testing.assert_array_equal(batch.numpy(), REGION[index].astype(np.float32))
    assert len(features) == 40
    rms = np.sqrt(np.square(REGION.astype(np.float64)).mean())
    assert features.root_mean_squares(100)["region"] == pytest.approx(rms, rel=1e-5)


def test_training_does_not_depend_on_where_features_are(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = []
    for share in (1.0, 0.0):
        monkeypatch.setattr(placed, "SMALL", 0)
        monkeypatch.setattr(placed, "SHARE", share)
        head = quick().fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)
        scores.append(head.decision_function(FEATURES, SEMANTICS))
    np.testing.assert_array_equal(*scores)


def test_settings_that_differ_in_epochs_share_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = []
    build = AttentionNet.build
    monkeypatch.setattr(AttentionNet, "build", lambda self, problem: trainings.append(1) or build(self, problem))
    candidates = [{"epochs": 3}, {"epochs": 1}, {}, {"ratio": 0.5}]
    told = [s for s, _ in quick().fit_candidates(FEATURES, LABELS, SEMANTICS, ATTRIBUTES, candidates)]
    assert told == [
        {"epochs": 1},
        {"epochs": 2},
        {"epochs": 3},
        {"ratio": 0.5, "epochs": 1},
        {"ratio": 0.5, "epochs": 2},
    ]
    assert len(trainings) == 2


@pytest.mark.parametrize("sampling", ["shuffle", "episodes", "balanced"])
@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_samplers_and_optimisers(sampling: str, optimiser: str) -> None:
    head = quick(sampling=sampling, optimiser=optimiser, ways=4).fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)
    assert np.isfinite(head.decision_function(FEATURES, SEMANTICS)).all()


def test_half_precision_steps_stay_close() -> None:
    whole, half = (
        quick(precision=p).fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES).decision_function(FEATURES, SEMANTICS)
        for p in ("float32", "bfloat16")
    )
    assert not np.array_equal(half, whole)
    assert np.abs(half - whole).max() < 0.05 * np.abs(whole).max()


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("sampling", "episode", "did you mean episodes"),
        ("optimiser", "adm", "did you mean adam"),
        ("precision", "float16", "unknown value of precision 'float16'"),
        ("loss", "sce+remss", "did you mean"),
        ("device", "gpu", "unknown device 'gpu'"),
        ("errors", "cross-batch", "did you mean cross_batch"),
        ("reduction", "total", "value of reduction"),
    ],
)
def test_wrong_settings_are_answered(setting: str, value: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        quick(**{setting: value}).fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="device 'cuda' is not available here: use cpu"):
        quick(device="cuda").fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)


def test_other_semantics_than_in_training_are_refused() -> None:
    head = quick().fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)
    with pytest.raises(InputError, match="trained with 7 semantics per class, not 6"):
        head.decision_function(FEATURES, SEMANTICS[:, :6])


def test_labels_may_skip_classes() -> None:
    labels = LABELS * 2
    semantics = np.repeat(SEMANTICS, 2, 0)
    spaced = quick().fit(FEATURES, labels, semantics, ATTRIBUTES)
    plain = quick().fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)
    np.testing.assert_array_equal(
        spaced.decision_function(FEATURES, SEMANTICS), plain.decision_function(FEATURES, SEMANTICS)
    )


def test_little_memory_makes_small_batches_of_equal_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    head = quick().fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)
    expected = head.decision_function(FEATURES, SEMANTICS)
    taken: list[int] = []
    inputs = AttentionNet._inputs

    def counted(self: AttentionNet, rows: Features, part: slice, device: torch.device) -> object:
        taken.append(part.stop - part.start)
        return inputs(self, rows, part, device)

    monkeypatch.setattr(AttentionNet, "_inputs", counted)
    monkeypatch.setattr("zslpipe.parts.torch_head.free_bytes", lambda device: 64 * REGION[0].size * 15)
    np.testing.assert_allclose(head.decision_function(FEATURES, SEMANTICS), expected, atol=1e-5)
    assert taken == [15, 15, 10]
