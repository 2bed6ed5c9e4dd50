"""The final classifier: what it is trained on, what is shared between settings, how it treats lists of classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from zslpipe.errors import InputError
from zslpipe.heads import Classes, load_head
from zslpipe.heads.f_clswgan import FClswgan
from zslpipe.heads.gfzsl_softmax import GfzslSoftmax
from zslpipe.heads.tf_vaegan import TfVaegan
from zslpipe.parts import synthesis
from zslpipe.parts.generator_health import complaints
from zslpipe.parts.softmax_classifier import train_softmax
from zslpipe.parts.synthesis import SeenFeatures
from zslpipe.progress import show_progress
from zslpipe.training import checkpoints

RNG = np.random.default_rng(0)
SEMANTICS = RNG.uniform(0.1, 1, size=(9, 5)).astype(np.float32)
LABELS = np.repeat(np.arange(6), 8)
CENTRES = (SEMANTICS - SEMANTICS.mean(0)) @ RNG.normal(size=(5, 7))
FEATURES = {"global": (CENTRES[LABELS] + 0.1 * RNG.normal(size=(48, 7))).astype(np.float32)}
SMALL: dict[str, Any] = {
    "device": "cpu",
    "epochs": 2,
    "batch": 16,
    "hidden": 8,
    "every": 1,
    "synthetic": 6,
    "classifier_epochs": 3,
}


def fitted(**changes: Any) -> TfVaegan:
    return TfVaegan(**{**SMALL, **changes}).fit(FEATURES, LABELS, SEMANTICS)


def test_softmax_regression_is_that_of_torch() -> None:
    x, labels = torch.from_numpy(FEATURES["global"]), torch.from_numpy(LABELS)
    torch.manual_seed(0)
    found = list(train_softmax(x, labels, 6, 3, 20, 1e-2))
    standardised = (x - x.mean(0)) / x.std(0, correction=0)
    torch.manual_seed(0)
    layer = torch.nn.Linear(7, 6)
    torch.manual_seed(0)
    layer.weight.data, layer.bias.data = 0.02 * torch.randn(6, 7), torch.zeros(6)
    optimiser = torch.optim.Adam(layer.parameters(), 1e-2, (0.5, 0.999))
    for weight, bias in found:
        order = torch.randperm(48)
        for start in (0, 20, 40):
            part = order[start : start + 20]
            optimiser.zero_grad()
            cross_entropy(layer(standardised[part]), labels[part]).backward()
            optimiser.step()
        torch.testing.assert_close(x @ weight.T + bias, layer(standardised).detach(), atol=1e-5, rtol=1e-4)


def test_it_is_trained_on_real_images_of_training_classes_and_synthetic_ones_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[tuple[torch.Tensor, torch.Tensor]] = []

    def recorded(x: torch.Tensor, labels: torch.Tensor, *args: Any) -> Any:
        given.append((x, labels))
        return train_softmax(x, labels, *args)

    monkeypatch.setattr(synthesis, "train_softmax", recorded)
    head = fitted()
    head.bind(Classes(SEMANTICS, np.arange(9) < 6))
    head.bind(SEMANTICS[6:])
    (both, of_both), (alone, of_alone) = given
    assert both.shape == (48 + 3 * 6, 7 + 5 + 8)
    assert sorted(of_both.bincount().tolist()) == [6, 6, 6, 8, 8, 8, 8, 8, 8]
    assert alone.shape == (3 * 6, 7 + 5 + 8), "CZSL has a training of its own, without seen classes"
    assert of_alone.bincount().tolist() == [6, 6, 6]
    gan = head.module_
    real = gan.described(gan.scaled(torch.from_numpy(FEATURES["global"]))).detach()
    closest = torch.cdist(real, both).amin(1)
    assert float(closest.max()) < 5e-3  # kept in half precision


def test_what_is_kept_is_bounded_and_spread_over_the_images() -> None:
    labels = np.array([4] * 10 + [1] * 3)
    seen = SeenFeatures.of(np.arange(13.0)[:, None], labels, SEMANTICS, 4)
    assert seen.labels.tolist() == [4, 4, 4, 4, 1, 1, 1]
    assert seen.features[:, 0].tolist() == [0, 3, 6, 9, 10, 11, 12]
    assert seen.features.dtype == np.float16
    assert seen.rows_of(SEMANTICS[[1, 4]]).tolist() == [1, 4]
    assert seen.rows_of(SEMANTICS[[1]] + 1).tolist() == [-1]
    assert len(fitted(kept=2).seen_.labels) == 12


def test_new_classes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    head = fitted()
    with show_progress():
        head.bind(SEMANTICS)
        assert "new" not in capsys.readouterr().err
        head.bind(np.concatenate([SEMANTICS, SEMANTICS[:2] + 0.1]))
    assert "2 of 11 classes are new: their features are synthesised" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [TfVaegan, FClswgan, GfzslSoftmax])
def test_candidates_share_generators_and_classifiers(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []

    def counted(x: Any, labels: Any, classes: int, epochs: int, *args: Any) -> Any:
        trained.append(epochs)
        return train_softmax(x, labels, classes, epochs, *args)

    settings = {k: v for k, v in SMALL.items() if k in kind().get_params()}
    grid = [{"synthetic": n, "classifier_epochs": e} for n in (4, 8) for e in (1, 5)]
    monkeypatch.setattr(synthesis, "train_softmax", counted)
    steps = [
        (setting, head.decision_function(FEATURES, SEMANTICS))
        for setting, head in kind(**settings).fit_candidates(FEATURES, LABELS, SEMANTICS, candidates=grid)
    ]
    lengths = 2 if kind is not GfzslSoftmax else 1
    assert trained == [5, 5] * lengths, "one training for all epochs of the classifier"
    assert len(steps) == 4 * lengths
    for setting, scores in steps:
        again = kind(**{**settings, **setting}).fit(FEATURES, LABELS, SEMANTICS)
        np.testing.assert_allclose(again.decision_function(FEATURES, SEMANTICS), scores, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("error:The checkpoint")  # they are whole, though not every epoch is kept
def test_selection_tries_only_some_epochs(tmp_path: Path) -> None:
    def told() -> list[int]:
        path = TfVaegan(**{**SMALL, "epochs": 5, "every": 2}).fit_candidates(FEATURES, LABELS, SEMANTICS)
        return [setting["epochs"] for setting, _ in path]

    with checkpoints(tmp_path, every_s=0):
        assert told() == [2, 4, 5]
        assert told() == [2, 4, 5], "again from the checkpoints"
    assert len(list(tmp_path.glob("*/generator/epoch-*"))) == 3


def test_only_what_scoring_needs_is_saved(tmp_path: Path) -> None:
    head = fitted()
    names = {name.split(".")[0] for name in head.state()}
    assert names == {
        "generator",
        "decoder",
        "feedback",
        "offset",
        "divisor",
        "centre",
        "length",
        "penalty_weight",
        "real_variance",
        "seen",
    }
    head.save(tmp_path)
    new = SEMANTICS[:2] + 0.1
    np.testing.assert_array_equal(
        load_head(tmp_path).decision_function(FEATURES, new),  # type: ignore[arg-type]
        head.decision_function(FEATURES, new),
    )


def test_what_the_learner_fixes_is_no_setting() -> None:
    with pytest.raises(InputError, match="unknown setting of tf-vaegan 'momentum'"):
        TfVaegan().set_params(momentum=0.5)


def test_losses_and_health_are_recorded() -> None:
    record = fitted().record()
    assert {"generator: critic", "generator: penalty", "generator: reconstruction", "generator: spread"} <= set(
        record["losses"]
    )
    assert "notes" not in record


HEALTHY = {"penalty": 0.2, "spread": 0.5}


def test_complaints() -> None:
    assert complaints([{"spread": 0.01}, HEALTHY, HEALTHY]) == [], "the spread starts near zero"
    (exploded,) = complaints([HEALTHY, {**HEALTHY, "penalty": 2e5}, {**HEALTHY, "penalty": 3e5}])
    assert exploded.startswith("epoch 2: the critic has exploded (gradient penalty 2e+05)")
    (collapsed,) = complaints([HEALTHY, HEALTHY, {**HEALTHY, "spread": 0.02}])
    assert collapsed.startswith("epoch 3: the generator has collapsed: synthetic images of a class differ by 2.0%")


def test_an_exploded_run_says_so_while_it_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zslpipe.parts.generator_health.EXPLODED", 0.0)
    with show_progress():
        fitted()
    assert capsys.readouterr().err.count("tf-vaegan, epoch 1: the critic has exploded") == 1


def test_samples_of_gaussians_feed_the_same_classifier() -> None:
    head = GfzslSoftmax(device="cpu", synthetic=30, classifier_epochs=30, classifier_rate=1e-2)
    head.fit(FEATURES, LABELS, SEMANTICS)
    assert np.mean(head.predict(FEATURES, SEMANTICS[:6]) == LABELS) > 0.9
    torch.manual_seed(0)
    made = head.transform(head.synthesise(SEMANTICS[6:], 4))
    np.testing.assert_allclose(made.numpy(), head.sample(SEMANTICS[6:], 4, head.seed)[0], rtol=1e-5)
    kept = torch.from_numpy(head.seen_.features).float()
    np.testing.assert_allclose(head.transform(kept).numpy(), head.embed(FEATURES), atol=2e-2)


def test_synthetic_features_vary_as_much_as_real_ones_if_asked() -> None:
    def spread(**changes: Any) -> np.ndarray:
        head = fitted(**changes)
        scaled = head.real_features(FEATURES)
        real = np.mean([scaled[LABELS == c].var(0, ddof=1) for c in range(6)], 0)
        made = head.make_features(SEMANTICS[:6], 400).var(1, ddof=1).mean(0)
        return np.sqrt(made / real)

    assert spread(fill_spread=False).max() < 0.5, "of a generator that was hardly trained"
    np.testing.assert_allclose(spread(), 1, atol=0.1)


def test_made_features_are_repeatable_and_lie_where_real_ones_do() -> None:
    head = fitted(epochs=30, learning_rate=1e-2)
    np.testing.assert_array_equal(head.make_features(SEMANTICS, 3), head.make_features(SEMANTICS, 3))
    real, made = head.real_features(FEATURES), head.make_features(SEMANTICS[:6], 50).mean(1)
    means = np.stack([real[LABELS == c].mean(0) for c in range(6)])
    distances = np.linalg.norm(made[:, None] - means, axis=2)
    assert (distances.argmin(1) == np.arange(6)).mean() > 0.6
