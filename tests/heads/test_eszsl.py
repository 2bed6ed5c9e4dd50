"""The closed form against the paper's formulas, written out."""

import numpy as np
import pytest

from zslpipe.errors import InputError
from zslpipe.heads.eszsl import Eszsl
from zslpipe.store import rows

D, A, SEEN, CLASSES, EACH = 6, 4, 5, 8, 7
SETTINGS = [(0.1, 1.0), (10.0, 0.01), (1e-3, 1e-3), (100.0, 100.0)]


class Problem:
    """Images of the seen classes in random order; some classes have none."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.semantics = rng.uniform(0, 1, (CLASSES, A)).astype(np.float32)
        self.seen = np.array([0, 2, 3, 6, 7])
        self.labels = rng.permutation(np.repeat(self.seen, EACH))
        self.x = (rng.normal(size=(SEEN * EACH, D)) + 2).astype(np.float32)
        self.new = (rng.normal(size=(9, D)) + 2).astype(np.float32)

    def fitted(self, **settings: object) -> Eszsl:
        raw = {"feature_scaling": "raw", "semantic_scaling": "raw"}
        head = Eszsl(**{**raw, **settings})  # type: ignore[arg-type]
        return head.fit({"global": self.x}, self.labels, self.semantics)

    def literal(self, gamma: float, lambda_: float, negative: float) -> tuple[np.ndarray, ...]:
        """X (d, m), S (a, z), Y (m, z) and V (d, a) of eq. 4, in double precision and with plain inverses."""
        x, s = self.x.T.astype(np.float64), self.semantics[self.seen].T.astype(np.float64)
        y = np.full((x.shape[1], s.shape[1]), negative)
        for image, label in enumerate(self.labels):
            y[image, list(self.seen).index(label)] = 1
        left = np.linalg.inv(x @ x.T + gamma * np.eye(D))
        right = np.linalg.inv(s @ s.T + lambda_ * np.eye(A))
        return x, s, y, left @ x @ y @ s.T @ right


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem()


@pytest.mark.parametrize("negative", [0.0, -1.0])
@pytest.mark.parametrize(("gamma", "lambda_"), SETTINGS)
def test_it_is_equation_4(problem: Problem, gamma: float, lambda_: float, negative: float) -> None:
    *_, v = problem.literal(gamma, lambda_, negative)
    head = problem.fitted(gamma=gamma, lambda_=lambda_, negative=negative)
    np.testing.assert_allclose(head.V_, v, rtol=1e-3, atol=1e-4 * np.abs(v).max())
    scores = head.decision_function({"global": problem.new}, problem.semantics)
    np.testing.assert_allclose(scores, problem.new @ v @ problem.semantics.T, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("gamma", "lambda_"), SETTINGS)
def test_it_is_the_minimum_of_the_papers_objective(problem: Problem, gamma: float, lambda_: float) -> None:
    """|X'VS - Y|^2 + gamma |VS|^2 + lambda |X'V|^2 + gamma lambda |V|^2 has no slope at V (eqs. 2 and 3)."""
    x, s, y, v = problem.literal(gamma, lambda_, 0.0)
    found = problem.fitted(gamma=gamma, lambda_=lambda_).V_.astype(np.float64)

    def slope(at: np.ndarray) -> np.ndarray:
        fit = x @ (x.T @ at @ s - y) @ s.T
        return fit + gamma * at @ s @ s.T + lambda_ * x @ x.T @ at + gamma * lambda_ * at

    assert np.abs(slope(v)).max() < 1e-8 * np.abs(x @ y @ s.T).max()  # the test's own formula
    assert np.abs(slope(found)).max() < 1e-4 * np.abs(x @ y @ s.T).max()


def test_scaling_comes_from_the_training_images_and_the_seen_classes(problem: Problem) -> None:
    x, s = problem.x - problem.x.mean(0), problem.semantics - problem.semantics[problem.seen].mean(0)
    by_hand = Problem()
    by_hand.x, by_hand.new, by_hand.semantics = x, problem.new - problem.x.mean(0), s
    expected = by_hand.fitted().decision_function({"global": by_hand.new}, s)
    head = problem.fitted(feature_scaling="centred", semantic_scaling="centred")
    scores = head.decision_function({"global": problem.new}, problem.semantics)
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)


def test_minus_one_doubles_the_scores_of_centred_features(problem: Problem) -> None:
    zero, minus = (problem.fitted(feature_scaling="centred", negative=n) for n in (0.0, -1.0))
    np.testing.assert_allclose(minus.V_, 2 * zero.V_, rtol=1e-3, atol=1e-4)


def test_a_path_gives_what_single_fits_give(problem: Problem) -> None:
    candidates = [
        {"gamma": 0.1, "lambda_": 1.0},
        {"gamma": 10.0, "lambda_": 0.01, "negative": -1.0},
        {"feature_scaling": "unit", "semantic_scaling": "centred-unit"},
    ]
    raw = Eszsl(feature_scaling="raw", semantic_scaling="raw")
    tests = {"global": problem.new}
    steps = raw.fit_candidates({"global": problem.x}, problem.labels, problem.semantics, candidates=candidates)
    for (setting, head), candidate in zip(steps, candidates, strict=True):
        assert setting == candidate
        expected = problem.fitted(**candidate).decision_function(tests, problem.semantics)
        for _ in range(2):  # the second time from the cache
            scores = head.decision_function(tests, problem.semantics)
            np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)


def test_any_number_of_rows_at_a_time(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    head = problem.fitted()
    whole = head.decision_function({"global": problem.new}, problem.semantics)
    monkeypatch.setattr(rows, "BLOCK", 4)
    np.testing.assert_allclose(head.decision_function({"global": problem.new}, problem.semantics), whole, rtol=1e-5)


def test_the_search_space_holds_every_setting_once() -> None:
    space = [tuple(sorted(setting.items())) for setting in Eszsl.search_space()]
    assert len(set(space)) == len(space)
    assert (("gamma", Eszsl.gamma), ("lambda_", Eszsl.lambda_)) in space


def test_an_unknown_scaling_is_answered(problem: Problem) -> None:
    with pytest.raises(InputError, match="unknown value of semantic_scaling 'units'"):
        problem.fitted(semantic_scaling="units")
