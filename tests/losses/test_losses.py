"""Every loss against a literal implementation, and the properties claimed in the papers."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zslpipe.losses import balanced_mse, cosine_scores, mse, nmse, remse, sce
from zslpipe.losses.mse import squared_errors
from zslpipe.losses.remse import class_mean_errors, error_weights, reweight


def batch(seed: int = 0, samples: int = 12, attributes: int = 5, classes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions, targets and labels in float64; some of the classes have no samples."""
    rng = torch.Generator().manual_seed(seed)
    semantics = torch.randn(classes, attributes, generator=rng, dtype=torch.float64)
    labels = torch.randint(classes, (samples,), generator=rng)
    return torch.randn(samples, attributes, generator=rng, dtype=torch.float64), semantics[labels], labels


def literal_weights(
    errors: Tensor, labels: Tensor, alpha: float, beta: float, remembered: Tensor | None = None
) -> Tensor:
    """Eq. 11 and 12, entry by entry: weights (classes, A) from the errors of a batch."""
    classes, attributes = (len(remembered) if remembered is not None else int(labels.max()) + 1), errors.shape[1]
    m = torch.zeros(classes, attributes, dtype=errors.dtype) if remembered is None else remembered.clone()
    for c in range(classes):
        members = [i for i in range(len(labels)) if labels[i] == c]
        for j in range(attributes):
            if members:
                m[c, j] = sum(errors[i, j] for i in members) / len(members)
    w = torch.ones_like(m)
    for c in range(classes):
        for j in range(attributes):
            if m[c, j] > 0:
                over_classes = min(m[k, j] for k in range(classes) if m[k, j] > 0)
                over_attributes = min(m[c, k] for k in range(attributes) if m[c, k] > 0)
                w[c, j] = (1 + math.log(m[c, j] / over_classes)) ** alpha
                w[c, j] *= (1 + math.log(m[c, j] / over_attributes)) ** beta
    return w


@pytest.mark.parametrize("exponents", [(0.1, 0.75), (1.0, 0.1), (0.0, 1.0), (2.0, 0.0)])
def test_remse_equals_the_literal_loop(exponents: tuple[float, float]) -> None:
    predicted, target, labels = batch()
    errors = squared_errors(predicted, target)
    weights = literal_weights(errors, labels, *exponents)
    expected = sum(weights[labels[i], j] * errors[i, j] for i in range(12) for j in range(5)) / 12
    value, memory = remse(predicted, target, labels, *exponents)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert memory is None
    mean, _ = remse(predicted, target, labels, *exponents, reduction="mean")
    assert mean.item() == pytest.approx(expected.item() / 5, rel=1e-12)


def test_cross_batch_remembers_the_last_errors_of_every_class() -> None:
    memory = torch.zeros(4, 5, dtype=torch.float64)
    reference = memory.clone()
    for seed in range(4):
        predicted, target, labels = batch(seed, samples=3)
        errors = squared_errors(predicted, target)
        weights = literal_weights(errors, labels, 0.5, 0.75, reference)
        for c in labels.unique():
            reference[c] = errors[labels == c].mean(0)
        before = memory.clone()
        weighted, after = reweight(errors, labels, 0.5, 0.75, memory)
        assert torch.equal(memory, before), "the memory passed in was modified"
        assert after is not None
        memory = after
        torch.testing.assert_close(weighted, weights[labels] * errors)
        torch.testing.assert_close(memory, reference)
    assert (memory > 0).all(1).sum() > len(labels.unique())


def test_zero_exponents_give_nmse_and_mse() -> None:
    predicted, target, labels = batch()
    assert remse(predicted, target, labels, 0.0, 0.0)[0].item() == pytest.approx(
        nmse(predicted, target).item(), rel=1e-14
    )
    plain, _ = remse(predicted, target, labels, 0.0, 0.0, normalise=False)
    assert plain.item() == pytest.approx(mse(predicted, target).item(), rel=1e-14)


def test_nmse_is_two_minus_twice_the_cosine() -> None:
    predicted, target, _ = batch()
    cosine = torch.cosine_similarity(predicted, target).mean()
    assert nmse(predicted, target).item() == pytest.approx(2 - 2 * cosine.item(), rel=1e-9)


def test_weights_carry_no_gradient() -> None:
    predicted, target, labels = batch()
    predicted.requires_grad_()
    value, _ = remse(predicted, target, labels, 0.5, 0.75, normalise=False)
    value.backward()
    weights = literal_weights((predicted.detach() - target).square(), labels, 0.5, 0.75)[labels]
    torch.testing.assert_close(predicted.grad, 2 * weights * (predicted.detach() - target) / 12)


@given(st.permutations(range(5)), st.permutations(range(4)), st.permutations(range(12)))
def test_the_order_does_not_matter(attributes: list[int], classes: list[int], samples: list[int]) -> None:
    predicted, target, labels = batch()
    value, _ = remse(predicted, target, labels, 0.5, 0.75)
    moved, _ = remse(
        predicted[samples][:, attributes],
        target[samples][:, attributes],
        torch.tensor(classes)[labels][samples],
        0.5,
        0.75,
    )
    assert moved.item() == pytest.approx(value.item(), rel=1e-12)


def test_zero_errors_have_weight_one_and_are_not_minima() -> None:
    m = torch.tensor([[0.0, 1.0, 4.0], [2.0, 0.0, 2.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    w = error_weights(m, 1.0, 0.0)
    torch.testing.assert_close(w, torch.tensor([[1, 1, 1 + math.log(2)], [1, 1, 1], [1, 1, 1]], dtype=torch.float64))
    w = error_weights(m, 0.0, 1.0)
    torch.testing.assert_close(w, torch.tensor([[1, 1, 1 + math.log(4)], [1, 1, 1], [1, 1, 1]], dtype=torch.float64))


def test_perfect_and_zero_predictions_have_finite_loss_and_gradient() -> None:
    _, target, labels = batch()
    for start in (target.clone(), torch.zeros_like(target)):
        predicted = start.requires_grad_()
        value, _ = remse(predicted, target, labels, 0.5, 0.75)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(predicted.grad).all()


def test_absent_classes_do_not_matter() -> None:
    predicted, target, labels = batch(classes=3)
    assert remse(predicted, target, labels, 0.5, 0.75)[0] == remse(predicted, target, labels * 50, 0.5, 0.75)[0]
    errors = squared_errors(predicted, target)
    assert len(class_mean_errors(errors, labels)) == len(labels)


def test_errors_of_two_classes_converge() -> None:
    """Appendix of the paper: of two classes, the one with the larger error has weight > 1, and the gap shrinks.

    Each class has one free parameter with error m = (p - t)^2, so plain MSE scales both errors alike.
    """
    labels = torch.tensor([0, 1])
    target = torch.zeros(2, 1, dtype=torch.float64)
    for alpha in (0.25, 1.0, 2.0):
        predicted = torch.tensor([[1.0], [3.0]], dtype=torch.float64, requires_grad=True)
        uniform = predicted.detach().clone()
        ratios, gaps = [9.0], [8.0]
        for _ in range(40):
            errors = squared_errors(predicted, target, normalise=False)
            weights = error_weights(errors.detach(), alpha, 0.0).ravel()
            m = errors.detach().ravel()
            assert weights[0] == 1
            assert weights[1].item() == pytest.approx((1 + math.log(m[1] / m[0])) ** alpha)
            value, _ = remse(predicted, target, labels, alpha, 0.0, normalise=False)
            (gradient,) = torch.autograd.grad(value, predicted)
            predicted = (predicted - 0.02 * gradient).detach().requires_grad_()
            uniform = uniform - 0.02 * uniform
            ratios.append((predicted[1] / predicted[0]).square().item())
            gaps.append((predicted[1].square() - predicted[0].square()).item())
        assert all(b < a for a, b in itertools.pairwise(ratios))
        assert all(0 < b < a for a, b in itertools.pairwise(gaps))
        assert (uniform[1] / uniform[0]).square().item() == pytest.approx(9.0)
        assert gaps[-1] < (uniform[1].square() - uniform[0].square()).item()


def test_sce_is_cross_entropy_of_cosines() -> None:
    predicted, _, labels = batch()
    semantics = torch.randn(4, 5, dtype=torch.float64)
    expected = 0.0
    for i in range(12):
        cosines = [float(predicted[i] @ s / (predicted[i].norm() * s.norm())) for s in semantics]
        expected -= math.log(math.exp(20 * cosines[labels[i]]) / sum(math.exp(20 * c) for c in cosines)) / 12
    assert sce(predicted, semantics, labels, 20.0).item() == pytest.approx(expected, rel=1e-9)
    scores = cosine_scores(predicted, semantics, 20.0)
    torch.testing.assert_close(cosine_scores(7 * predicted, 3 * semantics, 20.0), scores)


@pytest.mark.parametrize("dedupe", [False, True])
def test_balanced_mse_is_the_likelihood_of_a_gaussian_over_the_batch(dedupe: bool) -> None:
    predicted, target, labels = batch()
    p, t = torch.nn.functional.normalize(predicted, dim=1), torch.nn.functional.normalize(target, dim=1)
    sigma = 0.3
    expected = 0.0
    for i in range(12):
        own = torch.distributions.MultivariateNormal(p[i], sigma**2 * torch.eye(5, dtype=torch.float64))
        negatives = [t[j] for j in range(12) if not dedupe or labels[j] not in labels[:j]]
        expected -= (
            float(own.log_prob(t[i]) - torch.logsumexp(torch.stack([own.log_prob(r) for r in negatives]), 0)) / 12
        )
    value = balanced_mse(predicted, target, 2 * sigma**2, labels=labels, dedupe=dedupe)
    assert value.item() == pytest.approx(expected, rel=1e-9)
    released = balanced_mse(predicted, target, 2 * sigma**2, labels=labels, dedupe=dedupe, times_divisor=True)
    assert released.item() == pytest.approx(2 * sigma**2 * expected, rel=1e-9)


def test_dedupe_removes_the_lower_bound_of_equal_targets() -> None:
    target = torch.eye(4, dtype=torch.float64).repeat_interleave(2, 0)  # two samples per class
    labels = torch.arange(4).repeat_interleave(2)
    floor = balanced_mse(target, target, 0.02, labels=labels)
    assert floor.item() == pytest.approx(math.log(2), rel=1e-6)
    assert balanced_mse(target, target, 0.02, labels=labels, dedupe=True).item() < 1e-12


def test_a_learnable_noise_has_a_gradient_but_the_factor_does_not() -> None:
    predicted, target, _ = batch()
    divisor = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    h = 1e-6
    ce = [balanced_mse(predicted, target, 0.5 + d).item() for d in (h, -h)]
    for times_divisor, factor in ((False, 1.0), (True, 0.5)):
        value = balanced_mse(predicted, target, divisor, times_divisor=times_divisor)
        (gradient,) = torch.autograd.grad(value, divisor)
        assert gradient.item() == pytest.approx(factor * (ce[0] - ce[1]) / (2 * h), rel=1e-5)


@pytest.mark.parametrize("name", ["sce", "mse", "nmse", "remse", "balanced", "balanced, dedupe"])
def test_gradients_are_correct(name: str) -> None:
    predicted, target, labels = batch()
    predicted.requires_grad_()
    semantics = torch.randn(4, 5, dtype=torch.float64)
    weights = literal_weights(squared_errors(predicted.detach(), target), labels, 0.5, 0.75)[labels]

    def remse_with_fixed_weights(p: Tensor) -> Tensor:
        return (weights * squared_errors(p, target)).sum(1).mean()

    losses = {
        "sce": lambda p: sce(p, semantics, labels, 5.0),
        "mse": lambda p: mse(p, target),
        "nmse": lambda p: nmse(p, target),
        "remse": remse_with_fixed_weights,
        "balanced": lambda p: balanced_mse(p, target, 0.5),
        "balanced, dedupe": lambda p: balanced_mse(p, target, 0.5, labels=labels, dedupe=True),
    }
    assert torch.autograd.gradcheck(losses[name], (predicted,))
    if name == "remse":
        (fixed,) = torch.autograd.grad(remse_with_fixed_weights(predicted), predicted)
        (own,) = torch.autograd.grad(remse(predicted, target, labels, 0.5, 0.75)[0], predicted)
        torch.testing.assert_close(own, fixed)


def test_a_batch_of_one() -> None:
    predicted, target, labels = batch(samples=1)
    assert balanced_mse(predicted, target).item() == 0
    assert np.isfinite(remse(predicted, target, labels, 0.5, 0.75)[0].item())


def test_invalid_settings_are_rejected() -> None:
    predicted, target, _ = batch()
    with pytest.raises(ValueError, match="reduction"):
        mse(predicted, target, "total")
    with pytest.raises(ValueError, match="labels"):
        balanced_mse(predicted, target, dedupe=True)
