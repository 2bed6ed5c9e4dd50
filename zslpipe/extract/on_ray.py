"""An extraction on a Ray cluster: actors carry out the plan, the driver only hands out numbers of pieces."""

import time
import warnings
from collections import deque
from collections.abc import Sequence
from typing import Any

from zslpipe.extract.pipeline import ExtractionSummary
from zslpipe.extract.plan import Plan, Worker
from zslpipe.plugins import load_plugin
from zslpipe.progress import ticking
from zslpipe.spread import ray_session, unwrapped
from zslpipe.store.feature_store import FeatureStore

AT_A_TIME = 8  # pieces per call: enough to keep an actor busy, few enough to share out evenly
QUEUED = 2  # calls per actor: one under way, one waiting
ATTEMPTS = 3  # for a piece whose actor dies; a piece that ends every process would never end


class RayWorker:
    """An actor: a `Worker` in a process of its own, with threads that decode beside its forward pass."""

    def __init__(self, plan: Plan, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the driver has shown them
            for name in plan.plugins:
                load_plugin(name)
        self.worker = Worker(plan)

    def extract(self, pieces: Sequence[int]) -> ExtractionSummary:
        """Extract pieces and commit each of them; what another process is writing is left to it."""
        return self.worker.free(pieces)


def extract_on_ray(plan: Plan, store: FeatureStore, actors: int | None = None, cpus: int = 1) -> ExtractionSummary:
    """Carry out a plan on the cluster of RAY_ADDRESS, or on a local one.

    Actors that find no place yet wait for it, which makes the autoscaler of a cluster add nodes. If a node is lost, its
    pieces under way are given to others.

    Args:
        actors: how many; by default one for each GPU, or as many as the CPUs of the cluster allow.
        cpus: that each reserves, for decoding and, without a GPU, the forward pass.

    Raises:
        What an actor raises, as `extract` would.
    """
    with ray_session():
        return Driver(plan, store, actors, cpus).run()


class Driver:
    """Keeps actors of the class `kind` busy with the missing pieces of a store."""

    def __init__(self, plan: Plan, store: FeatureStore, actors: int | None, cpus: int, kind: type = RayWorker) -> None:
        import ray

        self.ray, self.plan, self.store, self.cpus, self.kind = ray, plan, store, cpus, kind
        has, wants_gpu = ray.cluster_resources(), plan.device != "cpu"
        self.gpus = 1 if wants_gpu and has.get("GPU", 0) >= 1 else 0
        room = has.get("GPU", 0) if self.gpus else has.get("CPU", 1) // cpus
        missing = store.missing_pieces()
        self.count = max(1, min(actors or int(room), -(-len(missing) // AT_A_TIME)))
        self.left = deque(missing[i : i + AT_A_TIME] for i in range(0, len(missing), AT_A_TIME))
        self.rows = sum(len(store.piece_rows_of(piece)) for piece in missing)
        self.attempts: dict[int, int] = {}
        self.under_way: dict[Any, tuple[Any, list[int]]] = {}  # call -> its actor and pieces
        self.actors: list[Any] = []  # that have a place
        self.starting: dict[Any, Any] = {}  # call that ends when its actor has one -> the actor
        self.failed_starts = 0  # in a row

    def run(self) -> ExtractionSummary:
        total, start = ExtractionSummary(), time.perf_counter()
        try:
            with ticking(f"extracting on {self.count} actors", self.rows) as ticker:
                while self.left or self.under_way:
                    self._hand_out()
                    (call, *_), _ = self.ray.wait([*self.under_way, *self.starting], num_returns=1)
                    if call in self.starting:
                        self._started(call)
                        continue
                    actor, pieces = self.under_way.pop(call)
                    try:
                        done = self.ray.get(call)
                    except (self.ray.exceptions.RayActorError, self.ray.exceptions.OutOfMemoryError) as problem:
                        self._lost(actor, pieces, problem)
                    except self.ray.exceptions.RayTaskError as problem:
                        raise unwrapped(problem) from None
                    else:
                        total += done
                        ticker.advance(done.images)
        finally:
            for actor in (*self.actors, *self.starting.values()):
                self.ray.kill(actor)
        self.store.finish()
        total.seconds = time.perf_counter() - start
        return total

    def _hand_out(self) -> None:
        """Start actors that are lacking, and give calls to those that have a place: others might never get one."""
        remote = self.ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_restarts=0)(self.kind)
        while self.left and len(self.actors) + len(self.starting) < self.count:
            actor = remote.remote(self.plan, self.cpus)
            self.starting[actor.__ray_ready__.remote()] = actor
        for queued in range(1, QUEUED + 1):  # to all of them first, so that the last pieces are shared out
            for actor in self.actors:
                busy = sum(holder is actor for holder, _ in self.under_way.values())
                if self.left and busy < queued:
                    pieces = self.left.popleft()
                    self.under_way[actor.extract.remote(pieces)] = actor, pieces

    def _started(self, call: Any) -> None:
        """Let an actor take part that has found a place and loaded its backbone."""
        actor = self.starting.pop(call)
        try:
            self.ray.get(call)
        except self.ray.exceptions.RayActorError as problem:
            self.failed_starts += 1
            if self.failed_starts >= ATTEMPTS:
                raise unwrapped(problem) from None
        else:
            self.failed_starts = 0
            self.actors.append(actor)

    def _lost(self, actor: Any, pieces: list[int], problem: Exception) -> None:
        """Take the pieces of a lost actor back, except those that it has committed."""
        if actor in self.actors:
            self.actors.remove(actor)
        self.store.refresh()
        again = [piece for piece in pieces if not self.store.is_committed(piece)]
        for piece in again:
            self.attempts[piece] = self.attempts.get(piece, 0) + 1
            if self.attempts[piece] >= ATTEMPTS:
                raise unwrapped(problem)
        if again:
            self.left.append(again)
