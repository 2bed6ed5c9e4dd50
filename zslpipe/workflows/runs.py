"""A run: trained heads (one per seed), what they were trained on, and how their settings were chosen."""

import errno
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, UnknownNameError
from zslpipe.files import read_json

if TYPE_CHECKING:  # both import torch, which listings do without
    from zslpipe.heads import Head
    from zslpipe.selection import SelectionResult

ABOUT = "run.json"
FORMAT = 2  # of runs; those without a number are of format 1, which lacks "plugins"


@dataclass(frozen=True)
class Run:
    """A folder with run.json, benchmark.npz (with the semantics used) and, per seed, seed-N/{head.*, choice.json}."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def about(self) -> dict[str, Any]:
        """The content of run.json: head, settings, store, selection, seeds, versions.

        Raises:
            InputError: if the folder is not a run.
        """
        try:
            about: dict[str, Any] = read_json(self.path / ABOUT)
        except (OSError, ValueError) as problem:
            raise InputError(f"{self.path} is not a run ({problem}): train one with zslpipe train-head.") from problem
        if about.get("format", 1) > FORMAT:
            raise InputError(
                f"{self.path} was written by a later version of zslpipe (format {about['format']}): update zslpipe."
            )
        return about

    @property
    def seeds(self) -> list[int]:
        return list(self.about["seeds"])

    @cached_property
    def benchmark(self) -> Benchmark:
        return Benchmark.load(self.path / "benchmark.npz")

    def head(self, seed: int) -> "Head":
        """The trained head of a seed.

        Raises:
            InputError: if its files are incomplete, or a plugin that registers it is not loaded.
        """
        from zslpipe.heads import load_head

        try:
            return load_head(self.path / f"seed-{seed}")
        except UnknownNameError as problem:
            plugins = " ".join(f"--plugin {name}" for name in self.about.get("plugins", ()))
            if not plugins:
                raise
            raise UnknownNameError(
                f"{problem} Run {self.name} was trained with {plugins}: give that here too."
            ) from None

    def losses(self, seed: int) -> dict[str, list[float]]:
        """The mean of every loss term per epoch of the final training; empty for heads in closed form."""
        kept: dict[str, list[float]] = read_json(self.path / f"seed-{seed}" / "head.json").get("losses", {})
        return kept

    def notes(self, seed: int) -> list[str]:
        """What the trained head tells about itself."""
        return list(read_json(self.path / f"seed-{seed}" / "head.json").get("notes", ()))

    def choice(self, seed: int) -> "SelectionResult":
        """What selection chose for a seed."""
        from zslpipe.selection import SelectionResult

        kept = SelectionResult.from_json(read_json(self.path / f"seed-{seed}" / "choice.json"))
        finite = kept.delta is not None and math.isfinite(kept.delta)
        return kept if finite else replace(kept, delta=None)


def runs(folder: Path) -> list[Run]:
    """All complete runs in `folder`, newest first."""
    found = [Run(about.parent) for about in folder.glob(f"[!.]*/{ABOUT}")]
    return sorted(found, key=lambda run: run.about["created"], reverse=True)


def find_run(folder: Path, name: str | None) -> Run:
    """The run with this name or path, or the newest run if `name` is None.

    Raises:
        InputError: if there is none.
    """
    from zslpipe.registry import unknown

    if name is not None and (Path(name) / ABOUT).is_file():
        return Run(Path(name))
    known = runs(folder)
    if not known:
        raise InputError(f"there is no run in {folder}: train one with 'zslpipe train-head remse'.")
    if name is None:
        return known[0]
    for run in known:
        if run.name == name:
            return run
    raise unknown("run", name, [run.name for run in known])


def refuse_repeated(named: Sequence[Run]) -> None:
    """Raise `InputError` if a run is given twice."""
    for i, run in enumerate(named):
        if run.path.resolve() in [other.path.resolve() for other in named[:i]]:
            raise InputError(f"run {run.name} is given twice: give each run once.")


class NewRun:
    """A run that is being written to `folder`; when it is complete, `run` is set."""

    folder: Path
    run: Run


@contextmanager
def new_run(folder: Path, name: str) -> Iterator[NewRun]:
    """A working folder that is renamed to `folder/name` when the block succeeds, and deleted if it fails.

    If that name is taken (two runs within a second), a number is appended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = NewRun()
    made.folder = Path(tempfile.mkdtemp(dir=folder, prefix=f".{name}."))
    try:
        yield made
        made.folder.chmod(0o755)
        for path in (folder / name, *(folder / f"{name}-{n}" for n in range(2, 1000))):
            try:
                made.folder.rename(path)  # fails if another run is there: a folder with files is never replaced
            except OSError as problem:
                if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                made.run = Run(path)
                return
    except BaseException:
        shutil.rmtree(made.folder, ignore_errors=True)
        raise
