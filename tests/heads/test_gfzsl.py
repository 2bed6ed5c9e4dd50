"""Gaussian classes against the formulas written out in float64, and posteriors against brute-force Bayes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from zslpipe.errors import InputError
from zslpipe.heads import load_head
from zslpipe.heads.gfzsl import NOISE, Gfzsl
from zslpipe.parts import scatter
from zslpipe.parts.problem import Classes

D, A, SEEN, CLASSES, EACH = 8, 5, 12, 16, 30


class Problem:
    """Class means that depend on semantics through a non-linear map, with correlated noise."""

    def __init__(self, seed: int = 0, images: int = EACH, width: int = D) -> None:
        rng = np.random.default_rng(seed)
        self.semantics = rng.uniform(0, 1, (CLASSES, A)).astype(np.float32)
        self.means = np.tanh((self.semantics - 0.5) @ rng.normal(size=(A, width)) * 2) * 2
        self.mix = 0.5 * np.eye(width) + 0.3 * rng.normal(size=(width, width))
        self.labels = rng.permutation(np.repeat(np.arange(SEEN), images))
        self.x = self.draw(rng, self.labels)
        self.new_labels = np.repeat(np.arange(CLASSES), 40)
        self.new = self.draw(rng, self.new_labels)

    def draw(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        noise = rng.normal(size=(len(labels), len(self.mix))) @ self.mix
        return np.asarray(self.means[labels] + noise + 1, np.float32)

    def fit(self, **settings: Any) -> Gfzsl:
        return Gfzsl(**settings).fit({"global": self.x}, self.labels, self.semantics)

    def scores(self, head: Gfzsl, x: np.ndarray | None = None) -> np.ndarray:
        classes = Classes(self.semantics, np.arange(CLASSES) < SEEN)
        return head.bind(classes)({"global": self.new if x is None else x})


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem()


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_attributes_add_up_to_the_lead_of_one_class(problem: Problem, kernel: str) -> None:
    head = problem.fit(kernel=kernel)
    head.offset_ = 0.0
    scores, photos = problem.scores(head), {"global": problem.new}
    for winner, rival in ((13, 14), (2, 15), (3, 3)):
        added = head.attribute_differences(photos, problem.semantics[winner], problem.semantics[rival])
        assert added.shape == (len(problem.new), A)
        lead = scores[:, winner] - scores[:, rival]
        assert np.allclose(added.sum(1), lead, atol=1e-3 * np.abs(scores).max())


def test_slopes_are_those_of_the_score(problem: Problem) -> None:
    """Between two classes that differ in one attribute, hardly, only its slope matters."""
    head = problem.fit()
    regression, step = head.gaussians_.regression, 1e-4
    one = problem.semantics[13].astype(np.float64)
    other = one + step * np.eye(A)[2]
    added = head.attribute_differences({"global": problem.new[:5]}, other, one)
    at, beside = regression.scaled(np.stack([one, other]))
    for a in range(A):
        moved = np.stack([at, at + 1e-5 * np.eye(A)[a]])
        means = regression.at(moved, head.gaussians_.scatter.means, head.lambda_)
        z = head.gaussians_.scatter.project(problem.new[:5]).astype(np.float64)
        variance = head.gaussians_.scatter.shrunk(head.shrinkage)
        low, high = (-0.5 * ((z - m) ** 2 / variance).sum(1) / head.temperature_ for m in means)
        assert np.allclose(added[:, a], (beside - at)[a] * (high - low) / 1e-5, rtol=1e-2, atol=1e-6)


class Literal:
    """Every quantity of the docstring by explicit inverses, in float64."""

    def __init__(self, p: Problem, head: Gfzsl) -> None:
        x = p.x.astype(np.float64)
        if head.unit:
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
        self.unit, self.centre = head.unit, x.mean(0)
        self.spread = (x - self.centre).std()
        x = self.scaled(p.x)
        self.measured = np.stack([x[p.labels == c].mean(0) for c in range(SEEN)])
        self.scatter = np.cov((x - self.measured[p.labels]).T, bias=True)
        prior = head.shrinkage * D
        trace = np.trace(self.scatter) / D
        self.sigma = (len(x) * self.scatter + prior * trace * np.eye(D)) / (len(x) + prior)
        z = p.semantics.astype(np.float64) - p.semantics[:SEEN].astype(np.float64).mean(0)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        squared = ((z[:, None] - z[None]) ** 2).sum(-1)
        kernel = np.exp(-head.gamma * squared) if head.kernel == "rbf" else z @ z.T + 1
        self.ridge = kernel[:SEEN, :SEEN] + head.lambda_ * np.eye(SEEN)
        self.kernel = kernel
        self.regressed = kernel[:, :SEEN] @ np.linalg.inv(self.ridge) @ self.measured

    def scaled(self, x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        if self.unit:
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return np.asarray((x - self.centre) / getattr(self, "spread", 1.0))

    def log_likelihood(self, x: np.ndarray, means: np.ndarray) -> np.ndarray:
        z = self.scaled(x)
        return np.stack([multivariate_normal(m, self.sigma).logpdf(z) for m in means], 1)


def relative(scores: np.ndarray) -> np.ndarray:
    """Without the constant of each image."""
    return np.asarray(scores - scores[:, :1], np.float64)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("shrinkage", [0.0, 0.5, 20.0])
def test_scores_are_log_likelihoods(problem: Problem, unit: bool, kernel: Any, shrinkage: float) -> None:
    head = problem.fit(unit=unit, kernel=kernel, shrinkage=shrinkage, gamma=0.7, lambda_=0.05, balanced=False)
    literal = Literal(problem, head)
    expected = relative(literal.log_likelihood(problem.new, literal.regressed))
    atol = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(relative(problem.scores(head)), expected, rtol=1e-3, atol=atol)


def test_measured_means_take_the_place_of_regressed_ones(problem: Problem) -> None:
    head = problem.fit(seen_means="measured", balanced=False)
    literal = Literal(problem, head)
    means = np.concatenate([literal.measured, literal.regressed[SEEN:]])
    expected = relative(literal.log_likelihood(problem.new, means))
    np.testing.assert_allclose(relative(problem.scores(head)), expected, rtol=1e-3, atol=2e-3)


def test_leaving_a_class_out_in_closed_form_is_fitting_without_it(problem: Problem) -> None:
    head = problem.fit(balanced=False)
    known = head.gaussians_
    found = known.regression.left_out(known.scatter.means, head.lambda_)
    literal = Literal(problem, head)
    for c in range(SEEN):  # the centre of the semantics stays that of all classes
        rest = np.setdiff1d(np.arange(SEEN), c)
        weights = literal.kernel[c, rest] @ np.linalg.inv(literal.ridge[np.ix_(rest, rest)])
        expected = weights @ literal.measured[rest] @ known.scatter.basis
        np.testing.assert_allclose(found[c], expected, rtol=1e-3, atol=1e-4)


def test_the_mean_given_photos_is_the_posterior_of_brute_force_bayes(problem: Problem) -> None:
    head = problem.fit(balanced=False)
    photos = problem.new[problem.new_labels == SEEN][:3]
    prior = head.class_means(head.gaussians_, problem.semantics)[SEEN]
    head.partial_fit({"global": photos}, np.full(3, SEEN), problem.semantics)
    known = head.gaussians_
    variance, spread = known.scatter.shrunk(NOISE), head.uncertainty(known)
    z = known.scatter.project(photos).astype(np.float64)
    found = head.class_means(known, problem.semantics)[SEEN]
    for axis in range(D):  # on a grid: prior times the likelihood of every photo
        grid = np.linspace(-20, 20, 400_001)
        log = -0.5 * (grid - prior[axis]) ** 2 / spread[axis]
        log += sum(-0.5 * (value - grid) ** 2 / variance[axis] for value in z[:, axis])
        weight = np.exp(log - log.max())
        assert found[axis] == pytest.approx((weight @ grid) / weight.sum(), abs=1e-4)


def test_seen_means_can_be_posterior_means_too(problem: Problem) -> None:
    few, many = Problem(images=2), Problem(images=2000)
    for p, nearer in ((few, "regressed"), (many, "measured")):
        head = p.fit(seen_means="posterior", balanced=False)
        known = head.gaussians_
        found = head.class_means(known, p.semantics)[:SEEN]
        expected = known.regression.left_out(known.scatter.means, head.lambda_)
        to_measured = np.abs(found - known.scatter.means).mean()
        assert (to_measured < 0.05 * np.abs(found - expected).mean()) == (nearer == "measured")


def test_photos_do_not_depend_on_their_order_and_are_saved(problem: Problem, tmp_path: Path) -> None:
    rows = np.flatnonzero(problem.new_labels >= SEEN)[::8]
    features, labels = {"global": problem.new[rows]}, problem.new_labels[rows]
    once = problem.fit(balanced=True).partial_fit(features, labels, problem.semantics)
    twice = problem.fit(balanced=True)
    for part in (rows[1::2], rows[::2]):
        twice.partial_fit({"global": problem.new[part]}, problem.new_labels[part], problem.semantics)
    np.testing.assert_allclose(problem.scores(once), problem.scores(twice), rtol=1e-4, atol=1e-4)
    once.save(tmp_path / "head")
    np.testing.assert_array_equal(problem.scores(load_head(tmp_path / "head")), problem.scores(once))


def test_photos_help(problem: Problem) -> None:
    head = problem.fit(lambda_=1.0)
    unseen = problem.new_labels >= SEEN
    before = problem.scores(head)[unseen].argmax(1) == problem.new_labels[unseen]
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(SEEN, CLASSES), 10)
    head.partial_fit({"global": problem.draw(rng, labels)}, labels, problem.semantics)
    after = problem.scores(head)[unseen].argmax(1) == problem.new_labels[unseen]
    assert after.mean() > before.mean() + 0.05


def test_what_a_photo_says_does_not_depend_on_the_covariance_of_scores(problem: Problem) -> None:
    """Sigma is shrunk as suits the scores; images vary by S_w."""
    labels = np.arange(SEEN, CLASSES)
    photo = {"global": problem.draw(np.random.default_rng(1), labels)}
    heads = [problem.fit(shrinkage=s, balanced=False) for s in (0.0, 100.0)]
    one, other = (h.partial_fit(photo, labels, problem.semantics) for h in heads)
    means = [h.class_means(h.gaussians_, problem.semantics) for h in (one, other)]
    np.testing.assert_allclose(means[0], means[1], rtol=1e-5, atol=1e-6)


def test_photos_of_a_training_class_are_refused(problem: Problem) -> None:
    with pytest.raises(InputError, match="class 3 was a training class of gfzsl: fit again"):
        problem.fit().partial_fit({"global": problem.new[:1]}, np.array([3]), problem.semantics)


def test_per_class_covariances_are_those_of_the_paper(problem: Problem) -> None:
    """Diagonal, with logarithms regressed from semantics."""
    head = problem.fit(covariance="per-class", balanced=False, shrinkage=0.0, unit=False)
    literal = Literal(problem, head)
    x = literal.scaled(problem.x)
    logs = np.log([x[problem.labels == c].var(0) for c in range(SEEN)])
    weights = literal.kernel[:, :SEEN] @ np.linalg.inv(literal.ridge)
    variances = np.exp(logs.mean(0) + weights @ (logs - logs.mean(0)))
    z = literal.scaled(problem.new)
    expected = np.stack(
        [multivariate_normal(m, np.diag(v)).logpdf(z) for m, v in zip(literal.regressed, variances)], axis=1
    )
    np.testing.assert_allclose(relative(problem.scores(head)), relative(expected), rtol=1e-3, atol=5e-3)


def test_priors_are_counts(problem: Problem) -> None:
    uneven = Problem()
    keep = (uneven.labels != 0) | (np.cumsum(uneven.labels == 0) <= 5)
    uneven.x, uneven.labels = uneven.x[keep], uneven.labels[keep]
    uniform, counts = (uneven.fit(prior=prior, balanced=False) for prior in ("uniform", "counts"))
    gained = (uneven.scores(counts) - uneven.scores(uniform)).mean(0)
    logs = np.log(np.bincount(uneven.labels) / len(uneven.labels))
    np.testing.assert_allclose(gained[:SEEN], logs, atol=1e-4)
    np.testing.assert_allclose(gained[SEEN:], logs.mean(), atol=1e-4)


def test_samples_have_the_mean_and_covariance_of_their_class(problem: Problem) -> None:
    head = problem.fit()
    drawn, labels = head.sample(problem.semantics, 20_000)
    deviation = np.sqrt(head.gaussians_.scatter.shrunk(head.shrinkage))
    means = head.class_means(head.gaussians_, problem.semantics) / deviation
    for c in (0, SEEN):
        np.testing.assert_allclose(drawn[labels == c].mean(0), means[c], atol=0.05)
        np.testing.assert_allclose(np.cov(drawn[labels == c].T), np.eye(D), atol=0.05)
    assert np.array_equal(head.sample(problem.semantics, 2, 1)[0], head.sample(problem.semantics, 2, 1)[0])


def test_embeddings_are_white_within_classes(problem: Problem) -> None:
    head = problem.fit(shrinkage=0.0)
    z = head.embed({"global": problem.x})
    within = z - np.stack([z[problem.labels == c].mean(0) for c in range(SEEN)])[problem.labels]
    np.testing.assert_allclose(np.cov(within.T, bias=True), np.eye(D), atol=1e-3)


def test_distances_are_mahalanobis_and_larger_for_images_of_no_class(problem: Problem) -> None:
    head = problem.fit()
    literal = Literal(problem, head)
    found = head.distance({"global": problem.new}, problem.semantics)
    z, inverse = literal.scaled(problem.new), np.linalg.inv(literal.sigma)
    difference = z[:, None] - literal.regressed[None]
    expected = np.einsum("ncd,de,nce->nc", difference, inverse, difference)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)
    known = head.distance({"global": problem.new}, problem.semantics[:SEEN]).min(1)
    of_seen = problem.new_labels < SEEN
    assert np.median(known[~of_seen]) > np.median(known[of_seen])


def test_wide_features_are_projected_on_what_matters(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    full = problem.fit(balanced=False)
    monkeypatch.setattr(scatter, "FULL", D - 1)
    np.testing.assert_allclose(
        relative(problem.scores(problem.fit(balanced=False))), relative(problem.scores(full)), rtol=1e-2, atol=1e-2
    )
    wide = Problem(width=60)
    exact = Problem(width=60)
    monkeypatch.setattr(scatter, "FULL", 60)
    of_all = (exact.scores(exact.fit()).argmax(1) == exact.new_labels).mean()
    monkeypatch.setattr(scatter, "FULL", 59)
    monkeypatch.setattr(scatter, "RANK", 40)
    of_some = (wide.scores(wide.fit()).argmax(1) == wide.new_labels).mean()
    assert of_some > of_all - 0.05


def test_scores_are_balanced_without_a_delta() -> None:
    """On problems where the plain likelihood favours training classes, b and T bring H close to its best."""
    from zslpipe.evaluation.curve import Curve

    lost, gained = [], []
    for seed in range(4):
        p = Problem(seed, width=40)
        seen = np.arange(CLASSES) < SEEN
        for balanced, to in ((False, lost), (True, gained)):
            curve = Curve.of(p.scores(p.fit(balanced=balanced, lambda_=0.3)), p.new_labels, seen)
            to.append(curve.best().H - curve.at(0).H)
    assert np.mean(gained) < 0.5 * np.mean(lost)


def test_too_few_classes_to_leave_any_out_are_not_balanced(problem: Problem) -> None:
    two = problem.labels < 2
    head = Gfzsl().fit({"global": problem.x[two]}, problem.labels[two], problem.semantics[:3])
    assert (head.offset_, head.temperature_) == (0.0, 1.0)
    one = problem.labels < 1
    head = Gfzsl().fit({"global": problem.x[one]}, problem.labels[one], problem.semantics[:3])
    assert np.isfinite(head.decision_function({"global": problem.new}, problem.semantics)).all()
