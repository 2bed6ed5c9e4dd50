"""Checks of the arguments of `fit` and scoring, before any work is done, with a one-sentence error for each problem."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zslpipe.errors import InputError
from zslpipe.parts.problem import Attributes, Problem, TrainingData
from zslpipe.store.rows import IMAGE, Features


def check_training(
    features: Features, labels: Any, semantics: Any, attributes: Attributes | None = None
) -> TrainingData:
    """The arguments of `Head.fit` as `TrainingData`.

    That features are finite is checked where they are read, since a store may be larger than memory.

    Raises:
        InputError: if lengths, types, ranges or widths do not fit together.
    """
    semantics = check_semantics(semantics)
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels must be integers of shape (N,), not {labels.dtype} of shape {labels.shape}.")
    if not len(labels):
        raise InputError("there is no training image: labels are empty.")
    if labels.min() < 0 or labels.max() >= len(semantics):
        row = int(np.flatnonzero((labels < 0) | (labels >= len(semantics)))[0])
        raise InputError(
            f"label {labels[row]} in row {row} does not index the {len(semantics)} rows of semantics: "
            f"labels must be between 0 and {len(semantics) - 1}."
        )
    for tap, rows in _taps(features).items():
        if len(rows) != len(labels):
            raise InputError(f"the features '{tap}' have {len(rows)} rows but there are {len(labels)} labels.")
    if attributes is not None:
        _check_attributes(attributes, semantics.shape[1])
    return TrainingData(features, labels.astype(np.int64, copy=False), semantics, attributes)


def check_semantics(semantics: Any) -> np.ndarray:
    """Semantics (C, A) as float32.

    Raises:
        InputError: unless they are finite numbers in two dimensions.
    """
    array = np.asarray(semantics)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number) or not array.size:
        raise InputError(
            f"semantics must be numbers of shape (classes, attributes), not {array.dtype} of shape {array.shape}."
        )
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise InputError(f"semantics contain NaN or infinity in row {row}, column {column}: fill in that value.")
    return array.astype(np.float32, copy=False)


def check_scoring(name: str, problem: Problem, features: Features) -> None:
    """Raise `InputError` unless a head fitted on `problem` can score these features."""
    taps, lengths = _taps(features), {}
    for tap, spec in problem.stored.items():
        if tap == IMAGE:
            lengths[tap] = len(taps[tap])
            continue
        if tap not in taps:
            raise InputError(f"{name} was trained on the features '{tap}', which are missing: got {', '.join(taps)}.")
        shape = tuple(taps[tap].shape[1:])
        if len(shape) != len(spec.shape) or shape[-1:] != spec.shape[-1:]:
            raise InputError(
                f"{name} was trained on '{tap}' features of shape {_shape(spec.shape)} per image, not {_shape(shape)}."
            )
        lengths[tap] = len(taps[tap])
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{tap} {count}" for tap, count in lengths.items())
        raise InputError(f"the features have different numbers of rows: {counts}.")


def _taps(features: Features) -> Features:
    if not isinstance(features, Mapping):
        raise InputError(
            f"features must map tap names to arrays, such as {{'global': x}}, not {type(features).__name__}."
        )
    return features


def _check_attributes(attributes: Attributes, width: int) -> None:
    if len(attributes.names) != width:
        raise InputError(f"there are {len(attributes.names)} attribute names for {width} columns of semantics.")
    vectors = attributes.vectors
    if vectors is not None and (vectors.ndim != 2 or len(vectors) != width or not np.isfinite(vectors).all()):
        raise InputError(
            f"word vectors must be finite and of shape ({width}, W), one row per attribute, not {vectors.shape}."
        )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join("any" if n < 0 else str(n) for n in shape)
