"""The weight of photos is chosen without test images, and photos help."""

from dataclasses import replace

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.metrics import accuracies, per_class
from zslpipe.evaluation.protocol import classes_of
from zslpipe.heads import HEADS, Head
from zslpipe.parts.photos import Photos
from zslpipe.selection import fit
from zslpipe.selection.any_shot import SHOTS, Known, _at_best_delta, choose_mixing, draw_photos, fit_with, learn_photos
from zslpipe.selection.rules import UnseenClassValidation
from zslpipe.store.rows import take


@pytest.fixture
def vague(tiny: tuple[Benchmark, np.ndarray]) -> tuple[Benchmark, np.ndarray]:
    """Features whose class means are only half explained by the semantics, so that photos can tell more."""
    benchmark, features = tiny
    rng = np.random.default_rng(5)
    own = 2.0 * rng.normal(size=(len(benchmark.class_names), features.shape[1]))
    return benchmark, (features + own[benchmark.labels]).astype(np.float32)


def t1(head: Head, features: np.ndarray, benchmark: Benchmark, rows: np.ndarray) -> float:
    scores = head.bind(classes_of(benchmark))({"global": features[rows]})
    unseen = benchmark.unseen_classes
    return per_class(unseen[scores[:, unseen].argmax(1)], benchmark.labels[rows], unseen).mean


def given(
    head: Head, features: np.ndarray, benchmark: Benchmark, photos: np.ndarray, refit: bool = False
) -> tuple[Head, Head]:
    rows = {"global": features}
    mixing = choose_mixing(head, rows, benchmark, refit=refit)
    shown = Photos({"global": features[photos]}, benchmark.labels[photos])
    base = fit_with(head.with_params(), rows, benchmark, shown) if refit else fit(head.with_params(), rows, benchmark)
    known = Known.of(base, rows, benchmark, classes_of(benchmark), 0.1)
    return base, learn_photos(known, shown, mixing)


@pytest.mark.parametrize("refit", [False, True])
def test_photos_help(vague: tuple[Benchmark, np.ndarray], refit: bool) -> None:
    benchmark, features = vague
    photos, rest = draw_photos(benchmark, 3, seed=0)
    assert len(photos) == 9
    assert set(photos) | set(rest) == set(benchmark.test_unseen)
    head = HEADS["eszsl"]()
    before = t1(fit(head.with_params(), {"global": features}, benchmark), features, benchmark, rest)
    _, after = given(head, features, benchmark, photos, refit)
    assert t1(after, features, benchmark, rest) >= before + 0.1


def test_no_test_image_is_read(vague: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = vague
    head, hidden = HEADS["eszsl"](), features.copy()
    hidden[np.concatenate([benchmark.test_seen, benchmark.test_unseen])] = np.nan
    for refit in (False, True):
        one = choose_mixing(head, {"global": features}, benchmark, refit=refit)
        other = choose_mixing(head, {"global": hidden}, benchmark, refit=refit)
        assert one == other
        assert set(one.shifts) == set(one.values) == set(SHOTS)
        assert (one.trust is None) == refit


def test_classes_without_photos_keep_their_scores(vague: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = vague
    photos, _ = draw_photos(benchmark, 2, seed=0)
    some = photos[benchmark.labels[photos] == 10]
    base, after = given(HEADS["eszsl"](), features, benchmark, some)
    rows, classes = {"global": features}, classes_of(benchmark)
    others = np.delete(np.arange(len(classes)), 10)
    np.testing.assert_array_equal(base.bind(classes)(rows)[:, others], after.bind(classes)(rows)[:, others])
    assert not np.array_equal(base.bind(classes)(rows)[:, 10], after.bind(classes)(rows)[:, 10])


def test_a_refit_trains_on_the_photos(vague: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = vague
    photos, _ = draw_photos(benchmark, 3, seed=0)
    shown = Photos({"global": features[photos]}, benchmark.labels[photos])
    head = fit_with(HEADS["gfzsl"](), {"global": features}, benchmark, shown)
    both = np.concatenate([benchmark.trainval, photos])
    again = HEADS["gfzsl"]().fit(take({"global": features}, both), benchmark.labels[both], benchmark.semantics)
    np.testing.assert_allclose(
        head.decision_function({"global": features}, benchmark.semantics),
        again.decision_function({"global": features}, benchmark.semantics),
        rtol=1e-5,
    )


def test_photos_of_a_class_that_is_described_as_another_are_refused(vague: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = vague
    alike = benchmark.semantics.copy()
    alike[11] = alike[10]
    photos, _ = draw_photos(benchmark, 2, seed=0)
    with pytest.raises(InputError, match="class 10 has the same semantics as another unseen class"):
        given(HEADS["eszsl"](), features, replace(benchmark, semantics=alike), photos)


def test_the_shift_keeps_seen_and_unseen_classes_in_balance(vague: tuple[Benchmark, np.ndarray]) -> None:
    """At the chosen shift H on the folds is the largest: larger than without it, and than with the opposite one."""
    benchmark, features = vague
    rows, head = {"global": features}, HEADS["eszsl"]()
    mixing = choose_mixing(head, rows, benchmark)
    assert abs(mixing.shifts[5]) > 0.1
    found: dict[float, list[float]] = {1.0: [], 0.0: [], -1.0: []}
    for fold in UnseenClassValidation(folds=3, seed=0).problems(benchmark):
        known = _at_best_delta(fit(head.with_params(), rows, fold), rows, fold)
        photos, rest = draw_photos(fold, 5, seed=0)
        shown = Photos({"global": features[photos]}, fold.labels[photos])
        index = np.concatenate([fold.test_seen, rest])
        for sign, values in found.items():
            shifts = {n: sign * shift for n, shift in mixing.shifts.items()}
            moved = learn_photos(known, shown, replace(mixing, shifts=shifts))
            scores = moved.bind(known.classes)({"global": features[index]})
            values.append(accuracies(scores, fold.labels[index], known.classes.seen, known.delta).H)
    means = {sign: np.mean(values) for sign, values in found.items()}
    assert means[1.0] > means[0.0]
    assert means[1.0] > means[-1.0]
