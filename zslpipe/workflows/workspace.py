"""Where things lie: data sets under one root, stores and runs under another."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The two folders that every verb works in."""

    data_root: Path
    cache: Path

    @classmethod
    def at(cls, data_root: Path | None = None, cache: Path | None = None) -> "Workspace":
        """The folders given, else those of ZSLPIPE_DATA and ZSLPIPE_CACHE, else ./data and ./cache."""
        return cls(
            data_root=Path(data_root or os.environ.get("ZSLPIPE_DATA") or "data"),
            cache=Path(cache or os.environ.get("ZSLPIPE_CACHE") or "cache"),
        )

    @property
    def stores(self) -> Path:
        return self.cache / "stores"

    @property
    def runs(self) -> Path:
        return self.cache / "runs"
