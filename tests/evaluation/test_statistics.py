import numpy as np
import pytest

from zslpipe.errors import InputError
from zslpipe.evaluation.metrics import harmonic_mean
from zslpipe.evaluation.protocol import Result, TestScores, evaluate_scores
from zslpipe.evaluation.statistics import compare, compare_tables, estimate, estimate_tables

LOGITS = {"zsl": 0.6, "unseen": 0.1, "seen": -0.3}


def simulate(
    rng: np.random.Generator, seeds: int, unseen: int, seen: int, spread: float, by_seed: float, better: float = 0.0
) -> dict[str, np.ndarray]:
    """Accuracies of classes of varying difficulty for seeds of varying quality, with 30 images per class."""
    quality = rng.normal(better, by_seed, (seeds, 1))
    difficulty = {k: rng.normal(0, spread, seen if k == "seen" else unseen) for k in LOGITS}
    return {k: rng.binomial(30, 1 / (1 + np.exp(-(LOGITS[k] + difficulty[k] + quality)))) / 30 for k in LOGITS}


def truth(spread: float, by_seed: float) -> dict[str, float]:
    noise = np.random.default_rng(0).normal(0, np.hypot(spread, by_seed), 400_000)
    t, u, s = (float((1 / (1 + np.exp(-(LOGITS[k] + noise)))).mean()) for k in LOGITS)
    return {"T1": t, "U": u, "S": s, "H": float(harmonic_mean(u, s))}


@pytest.mark.parametrize(
    ("seeds", "unseen", "seen", "by_seed"), [(1, 30, 60, 0.0), (2, 30, 60, 0.1), (3, 30, 60, 0.4), (5, 10, 40, 0.2)]
)
def test_intervals_have_about_the_nominal_coverage(seeds: int, unseen: int, seen: int, by_seed: float) -> None:
    rng, runs, real = np.random.default_rng(1), 150, truth(0.8, by_seed)
    covered = dict.fromkeys(real, 0)
    for i in range(runs):
        found = estimate_tables(simulate(rng, seeds, unseen, seen, 0.8, by_seed), i, resamples=500)
        for metric, value in real.items():
            covered[metric] += found[metric].low <= value <= found[metric].high  # type: ignore[operator]
    assert all(0.88 <= count / runs <= 1 for count in covered.values()), covered
    assert np.mean(list(covered.values())) <= 0.99 * runs  # and are not too wide


def test_means_and_deviations_are_over_seeds() -> None:
    tables = simulate(np.random.default_rng(0), 4, 10, 20, 1.0, 0.3)
    found = estimate_tables(tables)
    u, s = tables["unseen"].mean(1), tables["seen"].mean(1)
    h = 2 * u * s / (u + s)
    assert found["U"].mean == pytest.approx(u.mean())
    assert found["H"].mean == pytest.approx(h.mean())
    assert found["H"].std == pytest.approx(h.std(ddof=1))
    assert all(e.low < e.mean < e.high for e in found.values())  # type: ignore[operator]
    assert estimate_tables({k: v[:1] for k, v in tables.items()})["H"].std is None


def test_the_same_seed_gives_the_same_interval() -> None:
    tables = simulate(np.random.default_rng(0), 4, 10, 20, 1.0, 0.3)
    assert estimate_tables(tables, 5) == estimate_tables(tables, 5)
    assert estimate_tables(tables, 5) != estimate_tables(tables, 6)


def test_without_variation_intervals_have_no_width() -> None:
    tables = {"zsl": np.full((3, 5), 0.5), "unseen": np.full((3, 5), 0.4), "seen": np.full((3, 8), 0.6)}
    found = estimate_tables(tables)["H"]
    assert found.low == pytest.approx(found.mean)
    assert found.high == pytest.approx(0.48)


def test_metrics_without_images_are_omitted() -> None:
    tables = simulate(np.random.default_rng(0), 2, 10, 20, 1.0, 0.3)
    assert set(estimate_tables({**tables, "seen": np.empty((2, 0))})) == {"T1", "U"}


def test_paired_differences_are_more_sensitive_than_separate_intervals() -> None:
    rng = np.random.default_rng(0)
    a = simulate(rng, 3, 50, 150, 1.0, 0.02)
    b = {k: np.clip(v - 0.03, 0, 1) for k, v in a.items()}
    one, other = estimate_tables(a)["H"], estimate_tables(b)["H"]
    assert one.low < other.high  # type: ignore[operator]
    found = compare_tables(a, b, ("one", "other"))["H"]
    assert found.more_than_noise
    assert found.low < found.mean < found.high
    assert "H of one is 3.0 points above other" in found.sentence
    assert found.sentence.endswith("more than noise.")
    back = compare_tables(b, a, ("other", "one"))["H"]
    assert back.mean == pytest.approx(-found.mean)
    assert "below" in back.sentence


def test_equal_runs_rarely_differ_by_more_than_noise() -> None:
    rng, false_alarms, trials = np.random.default_rng(2), 0, 150
    for i in range(trials):
        difficulty = {k: rng.normal(0, 1, 40 if k == "seen" else 20) for k in LOGITS}
        runs = []
        for _ in range(2):
            quality = rng.normal(0, 0.2, (3, 1))
            p = {
                k: 1 / (1 + np.exp(-(difficulty[k] + quality + rng.normal(0, 0.3, difficulty[k].shape))))
                for k in LOGITS
            }
            runs.append({k: rng.binomial(30, v) / 30 for k, v in p.items()})
        false_alarms += compare_tables(runs[0], runs[1], ("a", "b"), i, resamples=500)["H"].more_than_noise
    assert false_alarms / trials <= 0.1


def result(seed: int, classes: int = 8, skill: float = 1.5) -> Result:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 20)
    scores = rng.normal(size=(len(labels), classes)) + skill * np.eye(classes)[labels]
    names = tuple(f"class {c}" for c in range(classes))
    return evaluate_scores(TestScores(np.arange(len(labels)), labels, np.arange(classes) < 5, scores), names, 0.2)


def test_results_of_seeds_become_estimates_and_differences() -> None:
    results = [result(s) for s in range(3)]
    found = estimate(results)
    assert found["S"].mean == pytest.approx(np.mean([r.S for r in results]))
    assert found["T1"].mean == pytest.approx(np.mean([r.T1 for r in results]))
    assert found["AUSUC"].mean == pytest.approx(np.mean([r.AUSUC for r in results]))
    assert found["AUSUC"].low is None
    oracle = estimate(results, at="oracle")
    assert oracle["H"].mean == pytest.approx(np.mean([r.oracle.H for r in results]))  # type: ignore[union-attr]
    better = compare([result(s, skill=4) for s in range(3)], results, ("good", "bad"))
    assert better["H"].more_than_noise
    assert not compare(results, results, ("a", "a"))["H"].more_than_noise
    assert compare(results[:1], results[:1], ("a", "b"))["H"].sentence == "H of a and b are equal."
    assert "covers classes only" in compare([result(0, skill=4)], results[:1], ("a", "b"))["H"].sentence


def test_results_for_different_classes_are_rejected() -> None:
    with pytest.raises(InputError, match="different classes"):
        estimate([result(0), result(1, classes=9)])
    with pytest.raises(InputError, match="different classes"):
        compare([result(0)], [result(1, classes=9)], ("a", "b"))
    with pytest.raises(InputError, match="no results"):
        estimate([])
