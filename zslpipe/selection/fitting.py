"""Fitting heads on the training images of a benchmark, without features that have seen the labels to be predicted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark, split_images
from zslpipe.evaluation.protocol import TestScores, score_tests
from zslpipe.parts.head import Attributes, Head, Setting
from zslpipe.store.derived import admissible
from zslpipe.store.rows import Features, take


def attributes_of(benchmark: Benchmark) -> Attributes:
    return Attributes(benchmark.attribute_names, benchmark.attribute_vectors)


def fit(head: Head, features: Features, benchmark: Benchmark) -> Head:
    """Fit on all of the benchmark's trainval, with the semantics of all of its classes."""
    rows, labels = take(admissible(features, benchmark), benchmark.trainval), benchmark.labels[benchmark.trainval]
    return head.fit(rows, labels, benchmark.semantics, attributes_of(benchmark))


def fit_candidates(
    head: Head, features: Features, benchmark: Benchmark, candidates: Sequence[Setting]
) -> Iterator[tuple[dict[str, Any], Head]]:
    """`Head.fit_candidates` on the benchmark's trainval."""
    rows, labels = take(admissible(features, benchmark), benchmark.trainval), benchmark.labels[benchmark.trainval]
    return head.fit_candidates(rows, labels, benchmark.semantics, attributes_of(benchmark), candidates)


def hold_out_images(benchmark: Benchmark, holdout: float, seed: int) -> Benchmark:
    """Use a share of each seen class's training images as test_seen; test_unseen is empty, all classes stay."""
    trainval = np.zeros(len(benchmark.labels), bool)
    trainval[benchmark.trainval] = True
    labels = np.where(trainval, benchmark.labels, -1)
    rest, held = split_images(labels, benchmark.seen_classes, holdout, seed)
    nothing = np.empty(0, np.int64)
    return replace(benchmark, labels=labels, trainval=rest, test_seen=held, test_unseen=nothing, class_splits=())


def score_held_out(
    head: Head,
    features: Features,
    benchmark: Benchmark,
    holdout: float,
    seed: int,
    settings: Mapping[str, Setting],
) -> dict[str, TestScores]:
    """Scores of held-out seen images for all classes, including the real unseen ones (by their semantics).

    Fits copies of `head` with these settings on trainval without those images; the result has the settings' keys.
    """
    part = hold_out_images(benchmark, holdout, seed)
    return {key: score_tests(fitted, features, part) for key, fitted in fit_settings(head, features, part, settings)}


def fit_settings(
    head: Head, features: Features, benchmark: Benchmark, settings: Mapping[str, Setting]
) -> Iterator[tuple[str, Head]]:
    """Fit copies of `head` with these settings on the benchmark's trainval, sharing work; yields keys and heads.

    A yielded head is only valid until the next one is requested.
    """
    if len(settings) == 1:
        ((key, setting),) = settings.items()
        yield key, fit(head.with_params(**setting), features, benchmark)
        return
    keys = {key_of(setting): key for key, setting in settings.items()}
    for setting, fitted in fit_candidates(head, features, benchmark, list(settings.values())):
        if key_of(setting) in keys:  # heads that train in epochs also stop at others
            yield keys[key_of(setting)], fitted


def key_of(setting: Setting) -> str:
    """The same text for equal settings."""
    return json.dumps(setting, sort_keys=True, default=str)
