"""The plan of an extraction: what one process, the ranks of torchrun and the actors of Ray carry out alike.

The work is the missing pieces of a store. Whoever carries out the plan claims pieces, computes them from the images
alone and commits each whole, so that the store has the same bytes however the pieces were shared out.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zslpipe.backbones import Backbone
from zslpipe.extract.pipeline import ExtractionSummary, extract
from zslpipe.progress import say
from zslpipe.store.claims import AVAILABLE
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.remote import open_store

POLL_S = 0.5  # how often a rank without work looks for pieces that others have committed or left


@dataclass(frozen=True)
class Plan:
    """Everything that a process needs to extract pieces; it can be sent to another one.

    Attributes:
        store: its folder or URL.
        mirrors: folder for the mirror of a store under a URL.
        image_root: folder of the images.
        load: makes the backbone on a device.
        device: auto, cpu, cuda, ...
        options: the keyword arguments of `extract`.
        plugins: what `load` needs.
    """

    store: str
    mirrors: Path
    image_root: Path
    load: Callable[[str], Backbone]
    device: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()


class Worker:
    """A process that carries out a plan, with the backbone in memory."""

    def __init__(self, plan: Plan, net: Backbone | None = None, store: FeatureStore | None = None) -> None:
        """`net` and `store`: if they are open already."""
        self.plan = plan
        self.store = store or open_store(plan.store, plan.mirrors)
        self.net = net or plan.load(plan.device)

    def all_of(self, pieces: Sequence[int]) -> ExtractionSummary:
        """Extract those of these pieces that are missing.

        Raises:
            LockedError: if another process is writing one of them.
        """
        with self.store.claim(pieces) as missing:
            return self._extract(missing, len(missing))

    def free(self, pieces: Sequence[int]) -> ExtractionSummary:
        """Extract those of these pieces that nobody else has written or is writing; each is claimed at its turn."""
        with self.store.claim_free(pieces) as free:
            return self._extract(free, len(pieces))

    def together(self, rank: int, world: int) -> ExtractionSummary:
        """Extract all pieces together with other processes that do the same; returns when none is missing.

        Pieces are not shared out beforehand: a slow process does fewer, and those of one that died are taken over. Only
        where there are no file locks each process has its own.
        """
        if not AVAILABLE:
            return self.all_of(self.store.missing_pieces((rank, world)))
        total = ExtractionSummary()
        while True:
            self.store.refresh()
            missing = self.store.missing_pieces()
            if not missing:
                return total
            first = rank * len(missing) // world
            done = self.free([*missing[first:], *missing[:first]])
            if not done.pieces:
                say(f"rank {rank} waits for {len(missing)} pieces of other ranks")
                time.sleep(POLL_S)
            total += done

    def _extract(self, pieces: Iterable[int], count: int) -> ExtractionSummary:
        return extract(
            self.net,
            self.plan.image_root,
            self.store.benchmark.image_ids,
            ((piece, self.store.piece_rows_of(piece)) for piece in pieces),
            self.store.write_piece,
            total=count * self.store.piece_rows,
            **self.plan.options,
        )
