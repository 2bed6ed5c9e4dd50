from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.data.load import load_benchmark
from zslpipe.data.splits import seeded_splits, validation_splits
from zslpipe.errors import InputError


def made(seen: int, unseen: int) -> Benchmark:
    classes = seen + unseen
    return Benchmark(
        name="made",
        class_names=tuple(map(str, range(classes))),
        semantics=np.eye(classes, dtype=np.float32),
        attribute_names=tuple(map(str, range(classes))),
        image_ids=tuple(f"{i}.png" for i in range(classes)),
        labels=np.arange(classes),
        trainval=np.arange(seen),
        test_seen=np.arange(0),
        test_unseen=np.arange(seen, classes),
    )


@given(seen=st.integers(2, 40), unseen=st.integers(0, 40), folds=st.integers(1, 5), seed=st.integers(0, 9))
def test_random_folds_are_disjoint_and_hold_out_the_right_share(seen: int, unseen: int, folds: int, seed: int) -> None:
    splits = validation_splits(made(seen, unseen), folds, seed)
    assert len(splits) == folds
    for split in splits:
        assert sorted((*split.train, *split.val)) == list(range(seen))
        least = 2 if seen >= 4 else 1
        assert min(len(split.train), len(split.val)) >= least
        wanted = round(unseen / (seen + unseen) * seen)
        if least <= wanted <= seen - least:
            assert len(split.val) == wanted
    assert splits == validation_splits(made(seen, unseen), folds, seed)


def test_consecutive_folds_hold_out_different_classes() -> None:
    one, two, three = seeded_splits(made(20, 10), 3)  # 7 classes each: 20 are enough for two folds and part of a third
    assert not set(one.val) & set(two.val)
    assert set(one.val) | set(two.val) | set(three.val) == set(range(20))


def test_folds_depend_on_the_seed() -> None:
    assert seeded_splits(made(30, 10), 3, seed=0) != seeded_splits(made(30, 10), 3, seed=1)


def test_official_folds_come_first_then_random_ones(tiny: tuple[Benchmark, np.ndarray]) -> None:
    official = (ClassSplit((0, 1, 2), (3, 4)), ClassSplit((3, 4, 5), (6, 7)))
    benchmark = replace(tiny[0], class_splits=official)
    assert validation_splits(benchmark, 1) == official[:1]
    assert validation_splits(benchmark, 2) == official
    assert validation_splits(benchmark, 3)[:2] == official
    assert len(validation_splits(benchmark, 3)) == 3


def test_no_fold_contains_a_test_image(tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark = tiny[0]
    for split in validation_splits(benchmark, 4):
        fold = benchmark.fold(split)
        assert np.isin(np.concatenate([fold.trainval, fold.test_seen, fold.test_unseen]), benchmark.trainval).all()


@given(tested=st.sets(st.integers(20, 31)))
def test_folds_count_the_classes_described_and_not_those_with_test_images(tested: set[int]) -> None:
    benchmark = made(20, 12)
    fewer = replace(benchmark, test_unseen=np.array(sorted(tested), np.int64))
    assert validation_splits(fewer, 3) == validation_splits(benchmark, 3)


@pytest.mark.real
def test_folds_of_flo_do_not_depend_on_the_classes_with_test_images(data_root: Path) -> None:
    benchmark = load_benchmark("flo", data_root)
    kept = ~np.isin(benchmark.labels[benchmark.test_unseen], benchmark.unseen_classes[:12])
    fewer = replace(benchmark, test_unseen=benchmark.test_unseen[kept])
    splits = validation_splits(benchmark, 3)
    assert [len(split.val) for split in splits] == [20, 16, 16]
    assert validation_splits(fewer, 3) == splits


def test_one_seen_class_is_too_few() -> None:
    with pytest.raises(InputError, match="needs at least two seen classes, but there is 1"):
        validation_splits(made(1, 3))
