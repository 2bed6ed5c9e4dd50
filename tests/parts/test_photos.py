"""What photos add to scores, against a slow solver, and the head that carries it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Classes, Head
from zslpipe.parts.photos import Mixing, Scored, Space, WithPhotos, moves, residual

RNG = np.random.default_rng(0)


def literal_residual(
    offset: np.ndarray, z: np.ndarray, labels: np.ndarray, moved: np.ndarray, ridge: float
) -> np.ndarray:
    """Gradient descent on all r numbers of every class, as the docstring says it."""
    u = torch.zeros(offset.shape[1], z.shape[1], dtype=torch.float64, requires_grad=True)
    mask = torch.zeros(offset.shape[1], 1, dtype=torch.float64)
    mask[torch.from_numpy(moved)] = 1
    solver = torch.optim.LBFGS([u], max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14)

    def closure() -> torch.Tensor:
        solver.zero_grad()
        logits = torch.from_numpy(offset).double() + torch.from_numpy(z).double() @ (mask * u).T
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels), reduction="sum")
        loss = loss + 0.5 * ridge * (mask * u).square().sum()
        loss.backward()
        return loss

    solver.step(closure)
    return (mask * u).detach().numpy()[moved]


@pytest.mark.parametrize(("images", "width"), [(9, 30), (30, 5)])
def test_the_residual_is_that_of_plain_gradient_descent(images: int, width: int) -> None:
    offset, z = RNG.normal(size=(images, 7)), RNG.normal(size=(images, width))
    labels, moved = RNG.integers(0, 7, images), np.array([1, 4, 5])
    found = residual(offset, z, labels, moved, ridge=2.0)
    np.testing.assert_allclose(found, literal_residual(offset, z, labels, moved, 2.0), atol=1e-3)
    assert np.abs(found).max() > 0.05


def test_a_strong_ridge_leaves_the_scores_as_they_are() -> None:
    photos = Scored(RNG.normal(size=(6, 5)), RNG.normal(size=(6, 8)), np.array([3, 3, 3, 4, 4, 4]))
    others = Scored(RNG.normal(size=(3, 5)), RNG.normal(size=(3, 8)), np.array([0, 1, 2]))
    moved, weights = moves(photos, others, trust=1.0, ridge=1e9)
    assert moved.tolist() == [3, 4]
    assert np.abs(weights).max() < 1e-6
    _, some = moves(photos, others, trust=1.0, ridge=1.0)
    own = photos.z @ some.T
    assert (own[:3, 0] > 0).all()  # photos of a class raise its score
    assert (own[3:, 1] > 0).all()


def test_shifts_are_interpolated_between_numbers_of_photos() -> None:
    mixing = Mixing(1.0, 10.0, {1: 0.5, 2: 1.0, 10: 3.0}, {1: (0.5, 0.5)})
    assert mixing.shift(np.array([0, 1, 2, 10, 50])).tolist() == [0, 0.5, 1.0, 3.0, 3.0]
    assert 1.0 < mixing.shift(np.array([5]))[0] < 3.0
    assert Mixing.from_json(mixing.to_json()) == mixing


class Fitted:
    """eszsl on 4 seen classes of 6, and photos of class 4."""

    def __init__(self) -> None:
        self.semantics = RNG.normal(size=(6, 5)).astype(np.float32)
        self.labels = np.repeat(np.arange(4), 8)
        mix = RNG.normal(size=(5, 12))
        self.x = (self.semantics[self.labels] @ mix + 0.3 * RNG.normal(size=(32, 12))).astype(np.float32)
        self.base: Head = HEADS["eszsl"]().fit({"global": self.x}, self.labels, self.semantics)
        self.space = Space.of({"global": self.x}, self.labels)
        width = self.space({"global": self.x}).shape[1]
        weights = RNG.normal(size=(1, width))
        self.head = WithPhotos(self.base, self.space, self.semantics[4:5], weights, np.array([0.25]), np.array([3]))


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return Fitted()


def test_only_classes_with_photos_are_moved(fitted: Fitted) -> None:
    rows, classes = {"global": fitted.x}, Classes(fitted.semantics, np.arange(6) < 4)
    before, after = fitted.base.bind(classes)(rows), fitted.head.bind(classes)(rows)
    assert np.array_equal(np.delete(before, 4, 1), np.delete(after, 4, 1))
    expected = before[:, 4] + fitted.space(rows) @ fitted.head.weights[0] + 0.25
    np.testing.assert_allclose(after[:, 4], expected, rtol=1e-4, atol=1e-4)
    order = np.array([5, 4, 0])
    np.testing.assert_array_equal(fitted.head.bind(fitted.semantics[order])(rows), after[:, order])
    alone = fitted.head.bind(fitted.semantics[:2])(rows)
    np.testing.assert_array_equal(alone, before[:, :2])


def test_whitened_features_have_unit_variance_within_classes(fitted: Fitted) -> None:
    many = RNG.normal(size=(4000, 6)) @ RNG.normal(size=(6, 6)) * 0.1 + np.repeat(RNG.normal(size=(10, 6)), 400, 0)
    labels = np.repeat(np.arange(10), 400)
    z = Space.of({"global": many.astype(np.float32)}, labels)({"global": many.astype(np.float32)})
    within = np.concatenate([z[labels == c] - z[labels == c].mean(0) for c in range(10)])[:, :-1]
    np.testing.assert_allclose(np.cov(within.T), np.eye(6), atol=0.05)
    assert (z[:, -1] == 1).all()


def test_saved_and_read(fitted: Fitted, tmp_path: Path) -> None:
    fitted.head.save(tmp_path)
    again = WithPhotos.read(tmp_path, fitted.base)
    rows = {"global": fitted.x}
    np.testing.assert_array_equal(
        again.decision_function(rows, fitted.semantics), fitted.head.decision_function(rows, fitted.semantics)
    )
    assert again.fitted_problem.stored["global"].shape == (12,)
    (tmp_path / "photos.json").write_text("{}")
    with pytest.raises(InputError, match="has no usable photos"):
        WithPhotos.read(tmp_path, fitted.base)


def test_features_without_one_vector_an_image_are_refused() -> None:
    with pytest.raises(InputError, match="photos are compared by global or embedding features"):
        Space.of({"region": np.zeros((4, 2, 3), np.float32)}, np.array([0, 0, 1, 1]))


def test_without_a_head_it_is_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    z, labels = RNG.normal(size=(30, 8)), RNG.integers(0, 4, 30)
    found = residual(np.zeros((30, 4)), z, labels, np.arange(4), ridge=2.0)
    theirs = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10, max_iter=1000).fit(z, labels)
    np.testing.assert_allclose(found, theirs.coef_, atol=1e-3)
