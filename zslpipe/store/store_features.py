"""The features of a store as heads read them: each tap in one of its versions."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from zslpipe.errors import InputError
from zslpipe.store.layout import TapSpec
from zslpipe.store.pieces import StoredPieces
from zslpipe.store.rows import IMAGE, Rows
from zslpipe.store.version import Version


class StoreFeatures(Mapping[str, Rows]):
    """A store's taps, each opened on first use; one version of each tap, by default the final one."""

    def __init__(self, store: StoredPieces, rows: Callable[[str], Rows], taps: Mapping[str, str] = {}) -> None:
        """
        Args:
            store: the store.
            rows: opens a tap of it.
            taps: name of a tap to the tap that contains the version to use, by default the final one.
        """
        self._store, self._rows = store, rows
        further = {version.tap for version in store.versions if version.tap != version.of}
        self._taps = {tap: taps.get(tap, tap) for tap in store.taps if tap not in further}

    def __getitem__(self, tap: str) -> Rows:
        return self._images() if tap == IMAGE else self._rows(self._taps[tap])

    def _images(self) -> np.ndarray:
        """(N,) the files that the features were extracted from."""
        benchmark = self._store.benchmark
        if benchmark.image_root is None or not benchmark.image_root.is_dir():
            where = "no image folder" if benchmark.image_root is None else f"no folder {benchmark.image_root} any more"
            raise InputError(f"{self._store.path} has {where}: extract from images, or put them back.")
        return np.array([str(benchmark.image_root / one) for one in benchmark.image_ids])

    def __iter__(self) -> Iterator[str]:
        return iter(self._taps)

    def __len__(self) -> int:
        return len(self._taps)

    @property
    def specs(self) -> Mapping[str, TapSpec]:
        """Tap name to shape, dtype and grid."""
        return {tap: self._store.taps[version] for tap, version in self._taps.items()}

    @property
    def backbone(self) -> Mapping[str, Any]:
        """The description of the backbone in the provenance of the store; if it was extracted, how to load it again."""
        made = self._store.provenance["fingerprinted"]
        described = made.get("backbone", {})
        about = described if isinstance(described, Mapping) else {"name": described}
        request = self._store.provenance["recorded"].get("request", {})
        if not {"weights", "transform"} <= made.keys() or not {"weights", "image_size"} <= request.keys():
            return about
        if any(version.tap != version.of for version in self.used):
            return {**about, "other": True}  # `request` loads the network of the final version
        where = {"weights": request["weights"], "image_size": request["image_size"]}
        return {**about, **where, "hash": made["weights"], "transform": made["transform"]}

    @property
    def source(self) -> str:
        """Folder of the store."""
        return str(self._store.path)

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions of all taps, the final ones first; none for a store whose model saw no labels."""
        return self._store.versions

    @property
    def used(self) -> tuple[Version, ...]:
        """The versions that these features use."""
        return tuple(version for version in self.versions if version.tap in self._taps.values())

    def using(self, taps: Mapping[str, str]) -> "StoreFeatures":
        """The same features with other versions: tap to the tap that contains the version."""
        return StoreFeatures(self._store, self._rows, taps)
