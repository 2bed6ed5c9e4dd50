"""A run: trained heads (one per seed), what they were trained on, and how their settings were chosen."""

import errno
import math
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, UnknownNameError, ZslpipeError
from zslpipe.files import read_json
from zslpipe.json_types import mismatch
from zslpipe.workflows.leftovers import in_use
from zslpipe.workflows.run_record import ABOUT, check_file, read_record

if TYPE_CHECKING:  # both import torch, which listings do without
    from zslpipe.heads import Head
    from zslpipe.selection import SelectionResult


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
            InputError: if the folder is not a run that this version can use.
            DamagedError: if run.json is not what was written.
        """
        return read_record(self.path)

    @property
    def problem(self) -> str | None:
        """Why the run cannot be used, as far as its run.json tells; None if nothing is wrong."""
        try:
            _ = self.about
        except ZslpipeError as problem:
            return str(problem)
        return None

    def file(self, name: str) -> Path:
        """The path of one of the run's files, which is compared with its checksum on first use.

        Raises:
            DamagedError: if it is missing or not what was written.
        """
        check_file(self.path, self.about, name)
        return self.path / name

    @property
    def seeds(self) -> list[int]:
        return list(self.about["seeds"])

    @cached_property
    def benchmark(self) -> Benchmark:
        return Benchmark.load(self.file("benchmark.npz"))

    def head(self, seed: int, part: str = "") -> "Head":
        """The trained head of a seed, which can score images among the classes of the run.

        `part` is a folder below that of the seed: that of a head which would have been chosen without a fold.

        Raises:
            InputError: if its files are incomplete or do not fit the run, or a plugin that registers it is not loaded.
        """
        from zslpipe.heads import load_head
        from zslpipe.workflows.rehearse import rehearse

        folder = self.path / f"seed-{seed}" / part
        for name in ("head.json", "head.safetensors"):
            self.file((folder / name).relative_to(self.path).as_posix())
        try:
            head = load_head(folder)
        except UnknownNameError as problem:
            plugins = " ".join(f"--plugin {name}" for name in self.about.get("plugins", ()))
            if not plugins:
                raise
            raise UnknownNameError(
                f"{problem} Run {self.name} was trained with {plugins}: give that here too."
            ) from None
        rehearse(head, self.benchmark, folder)
        return head

    def head_with_photos(self, seed: int) -> "Head":
        """The trained head of a seed, with the photos of unseen classes that it was given, if any."""
        from zslpipe.parts.photos import FILE, WithPhotos

        names = [f"seed-{seed}/{FILE}.{suffix}" for suffix in ("json", "safetensors")]
        if names[0] not in self.about.get("files", {}):
            return self.head(seed)
        for name in names:
            self.file(name)
        return WithPhotos.read(self.path / f"seed-{seed}", self.head(seed))

    def losses(self, seed: int) -> dict[str, list[float]]:
        """The mean of every loss term per epoch of the final training; empty for heads in closed form."""
        return dict(self._about_head(seed).get("losses", {}))

    def notes(self, seed: int) -> list[str]:
        """What the trained head tells about itself."""
        return list(self._about_head(seed).get("notes", ()))

    def _about_head(self, seed: int) -> dict[str, Any]:
        from zslpipe.parts.saved_head import read_about

        return read_about(self.file(f"seed-{seed}/head.json").parent)

    def choice(self, seed: int) -> "SelectionResult":
        """What selection chose for a seed.

        Raises:
            InputError: if its file is missing or does not say.
        """
        from zslpipe.evaluation.confidence import CERTAINTIES
        from zslpipe.selection import SelectionResult

        path = self.file(f"seed-{seed}/choice.json")
        try:
            values = read_json(path)
            wrong = mismatch(values, SelectionResult, "it")
            if wrong:
                raise ValueError(wrong)
            certainty = (values["confidence"] or {}) if "confidence" in values else {}
            if certainty and (certainty["certainty"] not in CERTAINTIES or not certainty["temperature"] > 0):
                raise ValueError("its confidence is not one that this version knows")
            kept = SelectionResult.from_json(values)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
            raise InputError(f"{path} is not what a selection wrote ({problem}): train the run again.") from problem
        finite = kept.delta is not None and math.isfinite(kept.delta)
        return kept if finite else replace(kept, delta=None)


def runs(folder: Path) -> list[Run]:
    """All usable runs in `folder`, newest first."""
    return sorted_runs(folder)[0]


def sorted_runs(folder: Path) -> tuple[list[Run], list[Run]]:
    """The usable runs in `folder`, newest first, and those that have a `problem`, by name."""
    usable: list[Run] = []
    unusable: list[Run] = []
    for run in all_runs(folder):
        (usable if run.problem is None else unusable).append(run)
    return sorted(usable, key=lambda run: run.about["created"], reverse=True), unusable


def all_runs(folder: Path) -> list[Run]:
    """All folders that should be runs, usable or not, by name."""
    return [Run(path) for path in sorted(folder.glob("[!.]*")) if path.is_dir()]


def find_run(folder: Path, name: str | None) -> Run:
    """The run with this name or path, or the newest run if `name` is None.

    Raises:
        InputError: if there is none.
    """
    from zslpipe.registry import unknown

    if name is not None and (Path(name) / ABOUT).is_file():
        return Run(Path(name))
    if name is not None and (folder / name / ABOUT).is_file():
        return Run(folder / name)
    known = runs(folder)
    if not known:
        raise InputError(f"no runs in {folder}: train one with 'zslpipe train-head remse'.")
    if name is None:
        return known[0]
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
    made.folder = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        with in_use(made.folder):
            made.folder.mkdir()
            yield made
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
