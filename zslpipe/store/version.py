"""One version of the features of a tap: the model that made them, and the labels that it saw."""

from dataclasses import dataclass, replace

import numpy as np

from zslpipe.data.benchmark import Benchmark


@dataclass(frozen=True, eq=False)
class Version:
    """The features of one tap as made by one model.

    Attributes:
        tap: the tap of the store that contains them.
        of: the tap that they are a version of; that tap itself for the final version.
        images: (N,) bool, the images whose labels the model saw.
        classes: names of the classes of those images.
        model: sha256 of the model's weights.
    """

    tap: str
    of: str
    images: np.ndarray
    classes: tuple[str, ...]
    model: str

    @classmethod
    def made(cls, tap: str, of: str, images: np.ndarray, benchmark: Benchmark, model: str) -> "Version":
        """A version whose model saw the labels that the benchmark gives to `images`."""
        names = tuple(benchmark.class_names[c] for c in np.unique(benchmark.labels[images]))
        return cls(tap, of, images, names, model)

    def take(self, index: np.ndarray) -> "Version":
        """The same for the rows `index`."""
        return replace(self, images=self.images[index])
