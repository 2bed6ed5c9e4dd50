"""Stores made by a model that saw labels: which of their versions may be used for which problem."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.data.benchmark import ClassSplit
from zslpipe.errors import LeakError
from zslpipe.evaluation.protocol import score_tests
from zslpipe.selection.fitting import fit, hold_out_images
from zslpipe.selection.rules import OracleTest, SeenValidation, UnseenClassValidation
from zslpipe.store.derived import admissible, labels_seen, leak, readable, versions_header
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import take
from zslpipe.store.version import Version


def mask(index, rows=120):
    images = np.zeros(rows, bool)
    images[index] = True
    return images


def version(benchmark, problem, tap="global"):
    return Version.made(tap, "global", mask(problem.trainval), benchmark, "0" * 64)


@pytest.fixture
def fold(benchmark_):
    return benchmark_.fold(ClassSplit(tuple(range(6)), (6, 7, 8)))


@pytest.fixture
def store_of(tmp_path, benchmark_):
    """Create a store whose versions hold their number in every row."""

    def create(*versions):
        provenance = {"fingerprinted": {"derived": {"versions": versions_header(versions)}}, "recorded": {}}
        taps = {v.tap: TapSpec((4,), "float32") for v in versions}
        store = FeatureStore.create(tmp_path / "derived", benchmark_, taps, provenance)
        store.write_piece(0, {tap: np.full((120, 4), n, np.float32) for n, tap in enumerate(taps)})
        return FeatureStore.open(store.path)

    return create


@given(rows=st.integers(1, 40), data=st.data())
def test_versions_survive_the_header(rows, data):
    images = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    given = [Version("global_fold1", "global", images, ("a",), "1"), Version("global", "global", ~images, ("b",), "2")]
    found = labels_seen({"fingerprinted": {"derived": {"versions": versions_header(given)}}}, rows)
    assert [v.tap for v in found] == ["global", "global_fold1"]  # the final one first
    for one, other in zip(found, reversed(given)):
        assert (one.of, one.classes, one.model) == (other.of, other.classes, other.model)
        assert np.array_equal(one.images, other.images)


def test_a_version_names_the_classes_of_its_images(benchmark_, fold):
    made = version(benchmark_, fold)
    assert made.classes == benchmark_.class_names[:6]
    assert np.flatnonzero(made.images).tolist() == fold.trainval.tolist()


def test_only_what_the_problem_trains_on_may_have_been_seen(benchmark_, fold):
    final, inner = version(benchmark_, benchmark_), version(benchmark_, fold)
    assert leak(final, benchmark_) is None
    assert leak(inner, fold) is None
    assert leak(inner, benchmark_) is None
    assert "labels of 'class 6' (3 of the 3 unseen classes" in str(leak(final, fold))
    seen_only = version(benchmark_, hold_out_images(benchmark_, 0.2, 0))
    assert leak(seen_only, hold_out_images(benchmark_, 0.2, 0)) is None
    assert "labels of 9 of the 9 test images" in str(
        leak(version(benchmark_, benchmark_), hold_out_images(benchmark_, 0.1, 0))
    )
    without_class_5 = benchmark_.fold(ClassSplit(tuple(range(5)), (6, 7, 8)))
    assert "labels of 'class 5', a class without training images" in str(leak(inner, without_class_5))


def test_images_that_cannot_be_used_are_no_leak(benchmark_):
    """A row that was lost after the model was trained is neither trained on nor tested."""
    usable = np.ones(120, bool)
    usable[benchmark_.trainval[3]] = False
    assert leak(version(benchmark_, benchmark_), benchmark_.keep(usable)) is None


def test_the_version_that_fits_the_problem_is_used(benchmark_, fold, store_of):
    other = benchmark_.fold(ClassSplit(tuple(range(3, 9)), (0, 1, 2)))
    less = replace(fold, trainval=fold.trainval[::2])
    store = store_of(
        version(benchmark_, benchmark_),
        version(benchmark_, less, "global_fold1"),
        version(benchmark_, fold, "global_fold2"),
        version(benchmark_, other, "global_fold3"),
    )
    features = store.features()
    assert list(features) == list(features.specs) == ["global"]
    assert [v.tap for v in features.used] == ["global"]
    for problem, number in ((benchmark_, 0), (fold, 2), (other, 3)):
        assert (admissible(features, problem)["global"][:] == number).all()
        assert (admissible(admissible(features, fold), problem)["global"][:] == number).all()
    with pytest.raises(KeyError):
        features["global_fold1"]


def reversed_benchmark(benchmark, unseen, held=()):
    """The benchmark with its images in reverse order, other unseen classes, and the images `held` in test_seen."""
    labels, held = benchmark.labels[::-1].copy(), 119 - np.array(held, int)
    tests = np.flatnonzero(np.isin(labels, unseen))
    return replace(
        benchmark,
        image_ids=benchmark.image_ids[::-1],
        labels=labels,
        trainval=np.setdiff1d(np.arange(120), [*tests, *held]),
        test_seen=held,
        test_unseen=tests,
    )


def test_rows_that_were_taken_keep_their_versions(benchmark_, fold, store_of):
    store = store_of(version(benchmark_, benchmark_), version(benchmark_, fold, "global_fold1"))
    taken = take(store.features(), np.arange(120)[::-1].copy())
    assert list(taken.specs) == ["global"]
    for unseen, number in (((9, 10, 11), 0), ((6, 7, 8), 1)):
        assert (admissible(taken, reversed_benchmark(benchmark_, unseen))["global"][:] == number).all()
    for unseen, held, message in (
        ((0, 1, 2), (), "labels of 'class 0' .3 of the 3"),
        ((9, 10, 11), (8, 9), None),  # test_seen of class 0
        ((9, 10, 11), (fold.trainval[0], 9), "labels of 1 of the 32 test images"),
    ):
        problem = reversed_benchmark(benchmark_, unseen, held)
        with pytest.raises(LeakError, match=message) if message else contextlib.nullcontext():
            admissible(taken, problem)


@pytest.mark.parametrize("rule", [UnseenClassValidation(), SeenValidation()], ids=lambda rule: rule.name)
def test_selection_refuses_a_final_version_alone(benchmark_, store_of, ridge, rule):
    store = store_of(version(benchmark_, benchmark_))
    with pytest.raises(LeakError, match=r"derived was made by a model that has seen labels of .*: derive it fold-wise"):
        rule.select(ridge, store.features(), benchmark_)
    fit(ridge, store.features(), benchmark_)  # but a head can be trained with settings chosen elsewhere,
    OracleTest().select(ridge, store.features(), benchmark_)  # and the oracle looks at the test images only


@pytest.mark.parametrize("transfer", ["raw", "matched"])
@pytest.mark.parametrize("criterion", ["H", "AUSUC"])
def test_the_inner_problems_are_all_that_selection_needs(benchmark_, store_of, contents, ridge, transfer, criterion):
    rule = UnseenClassValidation(transfer=transfer, criterion=criterion, seed=3)
    problems = rule.inner_problems(benchmark_)
    assert len(problems) == (3 if transfer == "raw" else 3 + 2 + 1)  # two more folds to calibrate, one refit
    versions = [version(benchmark_, p, f"global_fold{n}") for n, p in enumerate(problems, 1)]
    store = store_of(version(benchmark_, benchmark_), *versions)
    rule.select(ridge, store.features(), benchmark_)
    with pytest.raises(LeakError):
        UnseenClassValidation(transfer=transfer, seed=4).select(ridge, store.features(), benchmark_)


def test_test_sets_are_not_scored_with_features_that_know_them(benchmark_, store_of, ridge):
    store = store_of(Version.made("global", "global", mask(benchmark_.test_unseen), benchmark_, ""))
    fitted = fit(ridge, {"global": np.ones((120, 4), np.float32)}, benchmark_)
    with pytest.raises(LeakError, match="labels of 'class 9'"):
        score_tests(fitted, store.features(), benchmark_)


def test_stores_without_labels_and_arrays_are_used_as_they_are(full, contents, benchmark_):
    for features in (full.features(), contents, take(contents, np.arange(120)), take(full.features(), np.arange(120))):
        assert admissible(features, benchmark_) is features
    assert take(contents, np.arange(3)).specs == {}
    assert full.features().specs == full.taps
    assert readable(full.provenance, 120) == full.provenance


def test_people_read_numbers_instead_of_lists(benchmark_, fold, store_of):
    store = store_of(version(benchmark_, benchmark_), version(benchmark_, fold, "global_fold1"))
    shown = readable(store.provenance, 120)["fingerprinted"]["derived"]["versions"]
    assert shown == {
        "global": "labels of 72 images of 9 classes",
        "global_fold1": f"labels of {len(fold.trainval)} images of 6 classes",
    }
