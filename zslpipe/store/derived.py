"""Features made by a model that saw labels: which labels these are, and for which problems they do not leak.

The features of such a store come in versions. The final version was made by the model that was trained on all training
images. Further versions, each in its own tap, were made by models that were trained inside a validation fold: only
these allow selecting settings without a leak, since the final model saw the labels of all validation images.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, LeakError
from zslpipe.json_types import mismatch
from zslpipe.store.rows import Features
from zslpipe.store.version import Version


def versions_header(versions: Sequence[Version]) -> dict[str, Any]:
    """Versions as JSON, for a provenance."""
    return {
        version.tap: {
            "of": version.of,
            "classes": list(version.classes),
            "images": base64.b64encode(np.packbits(version.images).tobytes()).decode(),  # one bit per image
            "model": version.model,
        }
        for version in versions
    }


@dataclass(frozen=True)
class _Described:
    """A version in a provenance."""

    of: str
    classes: list[str]
    images: str
    model: str


def labels_seen(provenance: Mapping[str, Any], rows: int) -> tuple[Version, ...]:
    """The versions that a provenance describes, the final ones first; empty if no model saw labels.

    Raises:
        InputError: if they are not described as `versions_header` does it.
    """
    found, derived = [], provenance["fingerprinted"].get("derived", {})
    described = derived.get("versions", {}) if isinstance(derived, dict) else derived
    if wrong := mismatch(described, dict[str, _Described], "versions"):
        raise InputError(f"the store does not say which labels its model saw ({wrong}): derive it again.")
    for tap, about in described.items():
        try:
            bits = np.frombuffer(base64.b64decode(about["images"], validate=True), np.uint8)
        except ValueError:
            bits = np.zeros(0, np.uint8)
        if len(bits) != -(-rows // 8):
            raise InputError(f"the store does not say which of {rows} images '{tap}' depends on: derive it again.")
        images = np.unpackbits(bits, count=rows).astype(bool)
        found.append(Version(tap, about["of"], images, tuple(about["classes"]), about["model"]))
    return tuple(sorted(found, key=lambda version: version.tap != version.of))


def readable(provenance: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """A readable provenance: numbers of images and classes instead of lists."""
    versions = {
        version.tap: f"labels of {version.images.sum()} images of {len(version.classes)} classes"
        for version in labels_seen(provenance, rows)
    }
    if not versions:
        return dict(provenance)
    fingerprinted = provenance["fingerprinted"]
    derived = {**fingerprinted["derived"], "versions": versions}
    return {**provenance, "fingerprinted": {**fingerprinted, "derived": derived}}


def admissible(features: Features, problem: Benchmark) -> Features:
    """The features in the version that may be used for a problem: for a benchmark, or for a fold of one.

    A version may be used if its model saw no label of the problem's test images, and none of classes that the problem
    does not train on; among several, the one whose model saw the most images is used. Features of a store whose model
    saw no labels, and features that do not come from a store, are returned unchanged.

    Raises:
        LeakError: if there is no such version.
    """
    versions: tuple[Version, ...] = getattr(features, "versions", ())
    if not versions:
        return features
    chosen = {}
    for tap in features:
        candidates = [version for version in versions if version.of == tap]
        allowed = [version for version in candidates if leak(version, problem) is None]
        if candidates and not allowed:
            raise LeakError(
                f"{features.source} was made by a model that {leak(candidates[0], problem)}: "  # type: ignore[attr-defined]
                "derive it fold-wise for this selection rule and seed (zslpipe derive RUN; a fine-tuned backbone: "
                "zslpipe extract --weights RUN --folds), or use the store it was derived from."
            )
        if allowed:
            chosen[tap] = max(allowed, key=lambda version: version.images.sum()).tap
    using: Features = features.using(chosen)  # type: ignore[attr-defined]
    return using


def leak(version: Version, problem: Benchmark) -> str | None:
    """Which labels the version's model saw that leak into the problem, in words; None if none."""
    held_out = [problem.class_names[c] for c in problem.unseen_classes]
    known = [name for name in held_out if name in version.classes]
    if known:
        return f"has seen labels of '{known[0]}' ({len(known)} of the {len(held_out)} unseen classes of this problem)"
    tests = np.concatenate([problem.test_seen, problem.test_unseen])
    if images := int(version.images[tests].sum()):
        return f"has seen labels of {images} of the {len(tests)} test images of this problem"
    trained = {problem.class_names[c] for c in problem.seen_classes}
    other = [name for name in version.classes if name not in trained]
    return f"has seen labels of '{other[0]}', a class without training images in this problem" if other else None
