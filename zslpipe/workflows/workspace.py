"""The folders of datasets, stores and runs."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The two folders that every command uses: one for datasets, one for stores and runs."""

    data_root: Path
    cache: Path

    @classmethod
    def at(cls, data_root: Path | None = None, cache: Path | None = None) -> "Workspace":
        """The given folders; by default ZSLPIPE_DATA and ZSLPIPE_CACHE, or ./data and ./cache if those are not set."""
        return cls(
            data_root=Path(data_root or os.environ.get("ZSLPIPE_DATA") or "data"),
            cache=Path(cache or os.environ.get("ZSLPIPE_CACHE") or "cache"),
        )

    @property
    def stores(self) -> Path:
        return self.cache / "stores"

    @property
    def mirrors(self) -> Path:
        """Copies of what was read from stores elsewhere; they can be deleted at any time."""
        return self.cache / "mirrors"

    @property
    def runs(self) -> Path:
        return self.cache / "runs"
